"""From settings to the parts of dictation."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from capswriter.client.local import Local
from capswriter.dictation.archive import Archive
from capswriter.dictation.broadcast import Broadcast, Control, Target
from capswriter.dictation.doctor.needs import Needs
from capswriter.dictation.keys.choose import Backend
from capswriter.dictation.keys.names import find_key
from capswriter.dictation.output.base import Newlines, PasteKeys, Way
from capswriter.dictation.output.rules import Rule
from capswriter.dictation.roles import Endpoint, Roles, roles_folder
from capswriter.dictation.sending import Wish
from capswriter.dictation.shortcuts import Mode, Shortcut
from capswriter.dictation.text.corrections import Corrections

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from capswriter.dictation.output.output import OutputSettings
    from capswriter.dictation.shortcuts import Command
    from capswriter.settings import ClientConfig, DictationConfig, ServerConfig
    from capswriter.settings.application import Application

DAY_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Makes each part as the settings have it.

    Args:
        config: the settings of dictation.
        client: the settings of the client: server, token, language, context.
        config_file: the ``config.py`` in force; files of the user's may lie beside it.
    """

    config: DictationConfig
    client: ClientConfig
    config_file: Path | None = None

    def shortcuts(self) -> tuple[Shortcut, ...]:
        """The shortcuts.

        Raises:
            UsageError: there is no such key.
        """
        made = []
        for written in self.config.shortcuts:
            key, _, mode = written.partition(":")
            name = find_key(key).name
            made.append(Shortcut(name, Mode(mode or Mode.HOLD), self.config.threshold))
        return tuple(made)

    def backend(self) -> Backend:
        """How keys are listened to, as it is wanted."""
        return Backend(self.config.keys)

    def output(self) -> OutputSettings:
        """How text is put out."""
        from capswriter.dictation.output import OutputSettings  # noqa: PLC0415

        config = self.config
        return OutputSettings(
            way=Way(config.output),
            follow_focus=config.follow_focus,
            newlines=Newlines(config.newlines),
            enter_after=config.enter_after,
            strip_final=config.strip_final,
            rules=tuple(map(_rule, config.applications)),
        )

    def wish(self) -> Wish:
        """What is asked of the recogniser."""
        words = re.split(r"[,，;；\n]+", self.client.context)  # noqa: RUF001
        hotwords = tuple(word.strip() for word in words if word.strip())
        return Wish(self.client.language, hotwords)

    def local(self) -> Local | None:
        """What to start where no server answers."""
        return Local(config_file=self.config_file) if self.config.local else None

    def corrections(self) -> Corrections:
        """The corrections; reading the files takes its time."""
        return Corrections(self.hotwords, self.rules, bare_up_to=self.config.bare_up_to)

    def roles(self) -> Roles | None:
        """The roles, where there are to be any."""
        folder = self.roles_folder
        return None if folder is None else Roles(folder, self.endpoint)

    @property
    def hotwords(self) -> Path | None:
        """The file of hotwords; None for none."""
        return self._place(self.config.hotwords, "hot.txt")

    @property
    def rules(self) -> Path | None:
        """The file of rules; None for none."""
        return self._place(self.config.rules, "hot-rule.txt")

    @property
    def roles_folder(self) -> Path | None:
        """The folder of roles; None for none."""
        return self._place(self.config.roles, "roles")

    @property
    def endpoint(self) -> Endpoint:
        """Whom roles ask that name none."""
        config = self.config
        return Endpoint(
            config.role_url, config.role_model, config.role_key_env, config.role_key_file
        )

    def needs(self, serving: ServerConfig) -> Needs:
        """What the doctor examines.

        Args:
            serving: the settings of a server on this computer.
        """
        config = self.config
        return Needs(
            # As they are written: one that is misspelt is what a check has to find.
            keys=tuple(written.partition(":")[0] for written in config.shortcuts),
            backend=self.backend(),
            microphone=config.device,
            server=self.client.server,
            token=self.client.token,
            starts_server=config.local,
            model=serving.model,
            model_dir=serving.model_dir,
            way=config.output,
            hotwords=self.hotwords,
            rules=self.rules,
            roles=self.roles_folder,
            shared=self.endpoint,
        )

    def archive(self, on_trouble: Callable[[str], None]) -> Archive | None:
        """The archive, where there is to be one."""
        config = self.config
        if not config.archive:
            return None
        documents = platformdirs.user_documents_path() / "CapsWriter"
        return Archive(
            config.archive_folder or documents,
            recordings=config.archive_recordings,
            retention=config.archive_days,
            on_trouble=on_trouble,
        )

    @property
    def retention(self) -> float | None:
        """Seconds for which the history keeps what was delivered."""
        days = self.config.history_days
        return None if days is None else days * DAY_S

    def broadcast(self) -> Broadcast | None:
        """Where texts are sent."""
        targets = [_target(each) for each in self.config.broadcast]
        return Broadcast(targets) if targets else None

    def udp_control(self, ask: Callable[[Command], object]) -> Control | None:
        """Who listens for commands.

        Raises:
            UsageError: other computers could send them without a token.
        """
        if self.config.udp_control is None:
            return None
        place = _target(self.config.udp_control)
        return Control(ask, host=place.host, port=place.port, token=self.config.udp_token)

    def _place(self, written: str, name: str) -> Path | None:
        if written == "off":
            return None
        if written != "auto":
            return Path(written)
        if self.config_file is not None and (beside := self.config_file.with_name(name)).exists():
            return beside
        return roles_folder().with_name(name)


def for_pieces(settings: OutputSettings) -> OutputSettings | None:
    """How pieces of a text are put out one by one; None where that makes no sense."""
    if settings.way is not Way.TYPE:
        return None
    rules: Sequence[Rule] = tuple(
        replace(rule, enter_after=None, strip_final=None) for rule in settings.rules
    )
    return replace(settings, enter_after=False, strip_final=False, rules=rules)


def _rule(application: Application) -> Rule:
    given = application.model_dump(exclude={"output", "paste_keys", "newlines"})
    way, keys, newlines = application.output, application.paste_keys, application.newlines
    return Rule(
        **given,
        way=None if way is None else Way(way),
        paste_keys=None if keys is None else PasteKeys(keys),
        newlines=None if newlines is None else Newlines(newlines),
    )


def _target(written: str) -> Target:
    place, _, form = written.partition("/")
    host, _, port = place.rpartition(":")
    return Target(host.strip("[]"), int(port), "plain" if form == "plain" else "json")
