"""The checks: what each looks at, with the parts of dictation that use it."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import tempfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import httpx

from capswriter.client.errors import NoServer
from capswriter.client.server import PROBE_S, find_server
from capswriter.dictation.doctor.examine import Check
from capswriter.dictation.keys.choose import Backend, choose_backend, make_keys
from capswriter.dictation.keys.control import STATUS, NotRunning, tell
from capswriter.dictation.microphone import Microphone, NoMicrophone
from capswriter.dictation.microphone.run import FLOOR_DB, LEVEL_S
from capswriter.dictation.roles import Roles
from capswriter.dictation.shortcuts import Shortcut
from capswriter.dictation.text.corrections import Corrections
from capswriter.errors import UserError
from capswriter.models.store import ModelStore
from capswriter.protocols.capswriter import Dialect

if TYPE_CHECKING:
    from capswriter.dictation.doctor.needs import Needs
    from capswriter.dictation.microphone import Event

MEASURED_S = 1.0
"""Seconds of which the microphone's level is measured."""

SILENT_DB = -95.0
"""What gives less gives nothing: a microphone that works hears its own noise."""

QUIET_DB = -60.0
"""What gives less in a second hears nobody."""

LEAST_FREE_MB = 200
"""About two hours of dictations."""

FUNASR = "funasr:"


class Unfit(UserError):
    """Something is not as dictation needs it; the message says what to do."""


def look_at_keyboard(needs: Needs) -> str:
    """Listen to the shortcuts' keys for a moment."""
    backend = choose_backend(needs.backend)
    keys = make_keys((Shortcut(key) for key in needs.keys), backend)
    if keys is None:
        how = "it is not listened to" if backend is Backend.NONE else "there is no shortcut"
        return f"{how}: 'capswriter dictate --toggle' starts and stops"
    names = ", ".join(needs.keys)
    try:
        tell(STATUS)
    except NotRunning:
        pass
    else:
        return f"a running dictation listens to it, through {keys.name}"
    keys.start(lambda _: None)
    try:
        limits = " ".join(("", *keys.limits))
    finally:
        keys.stop()
    return f"{names} can be listened to through {keys.name}.{limits}"


def look_at_microphone(needs: Needs) -> str:
    """Open the microphone and measure how loud it is."""
    return asyncio.run(_listen(needs.microphone))


async def _listen(wanted: str | int | None) -> str:
    events: list[Event] = []
    async with Microphone(wanted, tell=events.append) as microphone:
        if not microphone.is_open:
            raise NoMicrophone(str(events[-1]) if events else "the microphone cannot be opened")
        loudest = FLOOR_DB
        for _ in range(round(MEASURED_S / LEVEL_S)):
            await asyncio.sleep(LEVEL_S)
            loudest = max(loudest, microphone.level)
        name = str(microphone.device)
    if loudest < SILENT_DB:
        raise Unfit(
            f"{name} gives nothing but silence: see whether it is muted, in the system's sound "
            "settings and on itself, or choose another ('capswriter devices' lists them)"
        )
    quiet = "; nobody spoke, or it is set very low" if loudest < QUIET_DB else ""
    return f"{name}, {loudest:.0f} dB at the loudest of {MEASURED_S:g} s{quiet}"


def look_at_server(needs: Needs) -> str:
    """Ask the server what it is, and whether it is ready."""
    try:
        return asyncio.run(_ask(needs.server, needs.token))
    except NoServer:
        if not needs.starts_server:
            raise
        return f"none answers at {needs.server}; dictation starts one by itself"


async def _ask(url: str, token: str | None) -> str:
    server = await find_server(url, token=token)
    if server.dialect is not Dialect.V2:
        return f"an older CapsWriter, or another program, answers at {server.name}"
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    page = parts._replace(scheme="https" if secure else "http", path="/")
    verify = ssl.create_default_context() if secure else True
    try:
        async with httpx.AsyncClient(timeout=PROBE_S, trust_env=False, verify=verify) as http:
            about = (await http.get(urlunsplit(page), headers=server.headers)).json()
            ready = await http.get(urlunsplit(page._replace(path="/ready")), headers=server.headers)
        says = f"version {about['version']} with {about['model']} at {server.name}"
        reason = "" if ready.is_success else str(ready.json()["reason"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise Unfit(f"the server at {server.name} answers nonsense: start it again") from error
    if reason == "starting":
        return f"{says}, about to be ready"
    if reason:
        raise Unfit(f"{says} is not ready: {reason}; 'capswriter status' says more")
    return says


def look_at_model(needs: Needs) -> str:
    """Find the model that a server on this computer would load."""
    if not needs.serves_itself:
        return "none is needed here: the server is on another computer"
    if needs.model.startswith(FUNASR):
        return f"{needs.model} is loaded by FunASR itself"
    store = ModelStore(needs.model_dir)
    if needs.model != "auto":
        return f"{needs.model} in {store.resolve(needs.model)}"
    installed = [name for name in store.installed() if store.models[name].recognises]
    if not installed:
        raise Unfit(
            f"no model is installed in {store.directory}: 'capswriter models pull whisper-base' "
            "gets one, and so does the first 'capswriter serve'"
        )
    for name in installed:
        store.path(name)
    return f"{', '.join(installed)} in {store.directory}"


def look_at_typing(needs: Needs) -> str:
    """Find what would type; nothing is typed."""
    from capswriter.dictation import output  # noqa: PLC0415  what it needs may be missing

    way = output.Way(needs.way)
    if way is output.Way.STDOUT:
        return "texts are printed"
    desktop = output.make_desktop()
    try:
        if why := desktop.missing(way):
            raise output.OutputUnavailable(f"output {way.value} cannot work here: {why}")
        limits = " ".join(("", *desktop.limits))
        return f"{way.value} works through {desktop.name}.{limits}"
    finally:
        desktop.close()


def look_at_corrections(needs: Needs) -> tuple[str, tuple[str, ...]]:
    """Read the files of hotwords and of rules."""
    files = [path for path in (needs.hotwords, needs.rules) if path is not None]
    there = [str(path) for path in files if path.exists()]
    if not there:
        places = " or ".join(map(str, files))
        return f"none yet; they belong into {places}" if files else "none are used", ()
    return ", ".join(there), Corrections(needs.hotwords, needs.rules).warnings


def look_at_roles(needs: Needs) -> tuple[str, tuple[str, ...]]:
    """Read the files of roles; nobody is asked."""
    if needs.roles is None:
        return "none are used", ()
    roles = Roles(needs.roles, needs.shared)
    return ", ".join(roles.names) or f"none in {needs.roles}", roles.warnings


def look_at_folder(needs: Needs) -> str:
    """Write to where dictations are kept, or would be."""
    from capswriter.dictation.journal import journal_directory  # noqa: PLC0415  likewise

    folder = journal_directory() if needs.folder is None else needs.folder
    try:
        there = next(each for each in (folder, *folder.parents) if each.exists())
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
            file.flush()
        free = shutil.disk_usage(there).free // 1_000_000
    except OSError as error:
        why = error.strerror or error
        raise Unfit(f"{folder} cannot be written: {why}; make it yours, or make room") from error
    if free < LEAST_FREE_MB:
        raise Unfit(f"the disk of {folder} has {free} MB left: make room")
    return f"{folder}, {_size(free)} free"


def _size(megabytes: int) -> str:
    return f"{megabytes} MB" if megabytes < 10_000 else f"{megabytes // 1000} GB"  # noqa: PLR2004


CHECKS = (
    Check("keyboard", look_at_keyboard),
    Check("microphone", look_at_microphone),
    Check("server", look_at_server),
    Check("model", look_at_model, limit=120.0),
    Check("typing", look_at_typing),
    Check("corrections", look_at_corrections),
    Check("roles", look_at_roles),
    Check("folder", look_at_folder),
)
"""All there are, in the order in which they are shown."""
