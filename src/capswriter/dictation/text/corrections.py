"""The user's corrections of recognised texts: ``hot.txt``, ``hot-rule.txt`` and the final mark."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from capswriter.dictation.text.final_mark import without_final_mark, words_in
from capswriter.dictation.text.hot_file import parse_hotwords
from capswriter.dictation.text.rule_file import RuleFile, parse_rules
from capswriter.dictation.text.watched import Unreadable, WatchedFile

if TYPE_CHECKING:
    from pathlib import Path

    from capswriter.dictation.text.hotwords import Hotwords

SHORT = 8
"""Words up to which an utterance is taken for a piece of a sentence, which ends without a mark."""

_log = logging.getLogger(__name__)


class Corrections:
    """Corrects texts, and takes up the user's files again when they change.

    ``apply`` never fails for what the files hold: what cannot be used is named in ``warnings``,
    each once in the log, and the rest works. It may be called from any thread; reading 5,000
    hotwords takes half a second, so an event loop leaves it to a thread.
    """

    def __init__(
        self,
        hotwords: Path | None,
        rules: Path | None,
        *,
        bare_up_to: int = SHORT,
        spacing: bool = True,
    ) -> None:
        """Read the files.

        Args:
            hotwords: the file of hotwords; it need not be there yet. None for no hotwords.
            rules: the file of rules, likewise.
            bare_up_to: words up to which an utterance loses a full stop or comma at its end; a
                Chinese character counts as a word. 0 leaves every mark.
            spacing: whether hotwords in Latin letters are set off from Chinese characters.
        """
        self._hot_file = WatchedFile(hotwords) if hotwords else None
        self._rule_file = WatchedFile(rules) if rules else None
        self._bare_up_to = bare_up_to
        self._spacing = spacing
        self._hotwords: Hotwords | None = None
        self._rules = RuleFile()
        self._of_hotwords: tuple[str, ...] = ()
        self._of_rules: tuple[str, ...] = ()
        self._lock = threading.Lock()
        with self._lock:
            self._refresh()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What in the files cannot be used, one line each, with file and line number."""
        return self._of_hotwords + self._of_rules

    def apply(self, text: str) -> str:
        """Correct a final text.

        The final mark goes first, so that one which a rule writes stays.
        """
        with self._lock:
            self._refresh()
            if self._bare_up_to and words_in(text) <= self._bare_up_to:
                text = without_final_mark(text)
            if self._hotwords:
                text = self._hotwords.apply(text)
            broken = len(self._rules.broken)
            text = self._rules.apply(text)
            if len(self._rules.broken) > broken:
                self._warn_of_rules()
            return text

    def _refresh(self) -> None:
        if self._hot_file and self._hot_file.changed():
            self._read_hotwords(self._hot_file)
        if self._rule_file and self._rule_file.changed():
            self._read_rules(self._rule_file)

    def _read_hotwords(self, watched: WatchedFile) -> None:
        self._hotwords, self._of_hotwords = None, ()
        try:
            file = parse_hotwords(watched.lines())
        except Unreadable as error:
            self._of_hotwords = _logged((f"{watched.path}: {error}",))
            return
        warnings = _lines_of(watched.path, file.broken)
        if file.hotwords:
            try:
                from capswriter.dictation.text.hotwords import Hotwords  # noqa: PLC0415

                self._hotwords = Hotwords(file, spacing=self._spacing)
            except ImportError as error:
                warnings = (*warnings, _missing("hotwords", error))
        self._of_hotwords = _logged(warnings)

    def _read_rules(self, watched: WatchedFile) -> None:
        self._rules, self._of_rules = RuleFile(), ()
        try:
            self._rules = parse_rules(watched.lines())
        except Unreadable as error:
            self._of_rules = _logged((f"{watched.path}: {error}",))
        except ImportError as error:
            self._of_rules = _logged((_missing("rules", error),))
        else:
            self._warn_of_rules()

    def _warn_of_rules(self) -> None:
        if self._rule_file:
            known = self._of_rules
            self._of_rules = _lines_of(self._rule_file.path, self._rules.broken)
            _logged(self._of_rules[len(known) :])


def _lines_of(
    path: Path, broken: list[tuple[int, str]] | tuple[tuple[int, str], ...]
) -> tuple[str, ...]:
    return tuple(
        f"{path}, line {number}: {reason}; the line is left out" for number, reason in broken
    )


def _missing(what: str, error: ImportError) -> str:
    return f"{what} need {error.name}: pip install 'capswriter-server[dictate]'"


def _logged(warnings: tuple[str, ...]) -> tuple[str, ...]:
    for warning in warnings:
        _log.warning("%s", warning)
    return warnings
