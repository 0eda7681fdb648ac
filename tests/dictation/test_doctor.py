"""What the doctor finds, and that it finds something whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from client.emulated import V2_0, serving
from servers import serving_fake

from capswriter.cli import main
from capswriter.client.errors import NoServer, Refused
from capswriter.dictation.doctor import CHECKS, Check, Finding, Needs, examine
from capswriter.dictation.doctor.checks import (
    Unfit,
    look_at_corrections,
    look_at_folder,
    look_at_keyboard,
    look_at_model,
    look_at_roles,
    look_at_server,
    look_at_typing,
)
from capswriter.dictation.keys.choose import Backend
from capswriter.dictation.keys.control import control
from capswriter.dictation.roles import Endpoint
from capswriter.errors import UserError
from capswriter.models.store import ModelStore

TOKEN = "a-token-that-nobody-knows"


@pytest.fixture(scope="module")
def server():
    with serving_fake(token=TOKEN) as running:
        yield running


def refuse(_):
    raise UserError("it is broken; mend it")


def crash(_):
    raise ZeroDivisionError("by\nzero")


def leave(_):
    sys.exit("gone")


def test_every_check_ends_in_one_finding_whatever_happens():
    released = threading.Event()

    def hang(_):
        released.wait(60)
        return "late"

    checks = [
        Check("hangs", hang, limit=0.3),
        Check("refuses", refuse),
        Check("crashes", crash),
        Check("leaves", leave),
        Check("both", lambda _: ("so far", ("but", "and"))),
        Check("fine", lambda _: "all is well"),
    ]
    began = time.monotonic()
    hangs, *others = examine(Needs(), checks)
    released.set()
    assert time.monotonic() - began < 30
    assert hangs.hangs
    assert "has not ended after 0.3 s" in hangs.mend[0]
    assert others == [
        Finding("refuses", mend=("it is broken; mend it",)),
        Finding("crashes", mend=("looking failed, please report it: ZeroDivisionError: by zero",)),
        Finding("leaves", mend=("looking failed, please report it: SystemExit: gone",)),
        Finding("both", "so far", ("but", "and")),
        Finding("fine", "all is well"),
    ]
    assert [each.is_fine for each in others] == [False, False, False, False, True]


def test_checks_run_beside_each_other():
    both = threading.Barrier(2)
    checks = [Check(name, lambda _: f"{both.wait(30) < 2}") for name in ("one", "other")]
    assert all(finding.is_fine for finding in examine(Needs(), checks))


def test_without_keys_the_keyboard_is_fine():
    assert "dictate --toggle" in look_at_keyboard(Needs(backend=Backend.NONE))
    assert "dictate --toggle" in look_at_keyboard(Needs(keys=()))


def test_a_misspelt_key_is_to_be_mended():
    [finding] = examine(Needs(keys=("cap_lock",)), [Check("keyboard", look_at_keyboard)])
    assert "did you mean caps_lock" in finding.mend[0]


async def _said_beside_a_running_one():
    async with control(lambda _: True, lambda: False):
        needs = Needs(backend=Backend.EVDEV)
        return await asyncio.to_thread(look_at_keyboard, needs)


@pytest.mark.skipif(sys.platform != "linux", reason="is for Linux")
def test_beside_a_running_dictation_the_keyboard_is_left_to_it(monkeypatch):
    pytest.importorskip("evdev")
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        assert "a running dictation listens" in asyncio.run(_said_beside_a_running_one())


def test_a_server_is_told_with_version_and_model(server):
    says = look_at_server(Needs(server=server.url, token=TOKEN))
    assert says.startswith("version ")
    assert f" with fake at {server.url}" in says


def test_a_server_that_wants_its_token(server):
    with pytest.raises(Refused, match="wants a token"):
        look_at_server(Needs(server=server.url))
    with pytest.raises(Refused, match="does not accept this token"):
        look_at_server(Needs(server=server.url, token="wrong"))


def test_no_server(unused_port):
    url = f"ws://127.0.0.1:{unused_port}"
    with pytest.raises(NoServer, match="capswriter serve"):
        look_at_server(Needs(server=url))
    assert "starts one by itself" in look_at_server(Needs(server=url, starts_server=True))


@pytest.fixture
def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@asynccontextmanager
async def answering(pages):
    """A program that answers with what it is told to."""

    async def answer(reader, writer):
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        status, body = pages.get(path, (404, "{}"))
        phrase = HTTPStatus(status).phrase
        head = f"HTTP/1.1 {status} {phrase}\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listener:
        yield f"ws://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


ABOUT = '{"name": "CapsWriter Server", "version": "9.9", "model": "m"}'


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ({"/": (200, ABOUT), "/ready": (200, "{}")}, "version 9.9 with m at "),
        ({"/": (200, ABOUT), "/ready": (503, '{"reason": "starting"}')}, "about to be ready"),
        ({"/": (200, ABOUT), "/ready": (503, '{"reason": "no worker"}')}, "not ready: no worker"),
        ({"/": (200, ABOUT), "/ready": (503, "<html>")}, "answers nonsense"),
        ({"/": (200, '{"name": "CapsWriter Server"}')}, "answers nonsense"),
        ({"/": (200, "<html>")}, "or another program, answers"),
    ],
)
async def test_what_a_server_says_of_itself(pages, words):
    async with answering(pages) as url:
        needs = Needs(server=url)
        [found] = await asyncio.to_thread(list, examine(needs, [Check("server", look_at_server)]))
    assert words in "".join((found.says, *found.mend))
    assert found.is_fine is (words not in {"not ready: no worker", "answers nonsense"})


@pytest.mark.anyio
async def test_an_older_server_is_fine():
    async with serving(V2_0()) as url:
        says = await asyncio.to_thread(look_at_server, Needs(server=url))
    assert says.startswith("an older CapsWriter")


def test_the_model_that_is_missing(tmp_path):
    with pytest.raises(Unfit, match="capswriter models pull whisper-base"):
        look_at_model(Needs(model_dir=tmp_path))
    with pytest.raises(UserError, match="whisper-base"):
        look_at_model(Needs(model_dir=tmp_path, model="whisper-base"))
    with pytest.raises(UserError, match="there is no model and no directory"):
        look_at_model(Needs(model_dir=tmp_path, model="nonsense"))
    elsewhere = Needs(model_dir=tmp_path, server="wss://speech.example")
    assert "none is needed" in look_at_model(elsewhere)


@pytest.mark.model
def test_the_model_that_is_there(whisper_base):
    assert "whisper-base" in look_at_model(Needs())
    store = ModelStore().directory
    assert look_at_model(Needs(model="whisper-base", model_dir=store)).endswith(str(whisper_base))


class Desktop:
    """As much of a desktop as is asked for; it can do nothing but paste."""

    name = "a desk"
    limits = ("It is slow: be patient.",)

    def __init__(self):
        self.is_closed = False

    def missing(self, way):
        return "" if way.value == "paste" else "there is no keyboard: paste instead"

    def close(self):
        self.is_closed = True


def test_how_texts_leave(monkeypatch):
    from capswriter.dictation import output

    desktops = [Desktop(), Desktop()]
    made = iter(desktops)
    monkeypatch.setattr(output, "make_desktop", lambda: next(made))
    assert look_at_typing(Needs(way="stdout")) == "texts are printed"
    says = look_at_typing(Needs(way="paste"))
    assert says == "paste works through a desk. It is slow: be patient."
    with pytest.raises(
        output.OutputUnavailable, match="output type cannot work here: there is no key"
    ):
        look_at_typing(Needs())
    assert all(desktop.is_closed for desktop in desktops)


def test_the_files_of_corrections(tmp_path):
    hotwords, rules = tmp_path / "hot.txt", tmp_path / "hot-rule.txt"
    needs = Needs(hotwords=hotwords, rules=rules)
    assert look_at_corrections(needs) == (f"none yet; they belong into {hotwords} or {rules}", ())
    rules.write_text("a = b\n(((( = x\n")
    says, mend = look_at_corrections(needs)
    assert says == str(rules)
    assert len(mend) == 1
    assert mend[0].startswith(f"{rules}, line 2: ")
    assert look_at_corrections(Needs(hotwords=None, rules=None)) == ("none are used", ())


def test_the_files_of_roles(tmp_path):
    needs = Needs(roles=tmp_path, shared=Endpoint("http://127.0.0.1:1/v1", "m"))
    assert look_at_roles(needs) == (f"none in {tmp_path}", ())
    (tmp_path / "polish.toml").write_text('prompt = "Polish."')
    (tmp_path / "broken.toml").write_text("prompt")
    says, mend = look_at_roles(needs)
    assert says == "polish"
    assert mend[0].startswith(f"{tmp_path / 'broken.toml'}: it is no TOML")
    assert look_at_roles(Needs(roles=None)) == ("none are used", ())


def test_the_folder_of_dictations(tmp_path):
    assert "free" in look_at_folder(Needs(folder=tmp_path / "not" / "there" / "yet"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(Unfit, match="cannot be written"):
        look_at_folder(Needs(folder=tmp_path / "file" / "below"))


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(Unfit, match="Permission denied"):
        look_at_folder(Needs(folder=tmp_path))


def doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "capswriter", "doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | environment,
        check=False,
    )


def test_the_command_where_nothing_is(tmp_path, unused_port):
    """No display, no sound, no server, no model: it says so, line by line."""
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "", "DISPLAY": ""}
    nothing = {"WAYLAND_DISPLAY": "", "PULSE_SERVER": "unix:/nowhere"}
    models = {"CAPSWRITER_MODEL_DIR": str(tmp_path / "models"), "XDG_RUNTIME_DIR": str(tmp_path)}
    server = ("--server", f"ws://127.0.0.1:{unused_port}")
    result = doctor(*server, **home, **nothing, **models)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    found = {line.split()[1]: line.split()[0] for line in lines}
    assert list(found) == [check.name for check in CHECKS]
    for name in ("server", "model"):
        assert found[name] == "mend"
    for name in ("corrections", "roles", "folder"):
        assert found[name] == "fine"
    assert "\x1b" not in result.stdout
    told = json.loads(doctor("--json", *server, **home, **nothing, **models).stdout)
    assert told["fine"] is False
    assert {each["check"]: "fine" if each["fine"] else "mend" for each in told["checks"]} == found
    assert list(tmp_path.glob("**/dictations")) == []


def test_the_token_is_never_shown(server):
    for flags in ((), ("--json",)):
        result = doctor("--server", server.url, *flags, CAPSWRITER_CLIENT_TOKEN=TOKEN)
        assert f" with fake at {server.url}" in result.stdout
        assert TOKEN not in result.stdout + result.stderr
    assert TOKEN not in repr(Needs(token=TOKEN))


def test_the_command_where_all_is_fine(monkeypatch, capsys):
    import capswriter.cli.doctor as command

    seen = []

    def look(needs):
        seen.append(needs)
        return "well"

    monkeypatch.setattr(command, "CHECKS", (Check("one", look), Check("another", look)))
    given = ["--device", "desk", "--key", "f9", "--key", "f10", "--hotwords", "hot.txt"]
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *given])
    assert ended.value.code == 0
    assert capsys.readouterr().out == "fine  one      well\nfine  another  well\n"
    assert (seen[0].microphone, seen[0].keys) == ("desk", ("f9", "f10"))
    assert seen[0].hotwords == Path("hot.txt")


def test_the_command_goes_by_the_settings_of_dictation(tmp_path, unused_port):
    (tmp_path / "hot.txt").write_text("CapsWriter\n")
    (tmp_path / "config.py").write_text(
        "from capswriter.settings import ClientConfig, DictationConfig, ServerConfig\n"
        "server, client = ServerConfig(), ClientConfig()\n"
        "dictation = DictationConfig(shortcuts=['cap_lock:toggle'], keys='x11', output='stdout',\n"
        "    device='the one on the desk', roles='off', rules='off', local=True)\n"
    )
    config = ("--json", "--config", str(tmp_path / "config.py"))
    server = {"CAPSWRITER_CLIENT_SERVER": f"ws://127.0.0.1:{unused_port}"}

    def found(*flags: str, **variables: str) -> dict[str, str]:
        told = json.loads(doctor(*config, *flags, **server, **variables).stdout)
        return {each["check"]: " ".join((each["says"], *each["mend"])) for each in told["checks"]}

    by_file = found()
    assert "cap_lock" in by_file["keyboard"]
    assert by_file["typing"].strip() == "texts are printed"
    assert by_file["corrections"].strip() == str(tmp_path / "hot.txt")
    assert by_file["roles"].strip() == "none are used"
    assert "dictation starts one by itself" in by_file["server"]
    names = {"KEYS": "none", "SHORTCUTS": "f9", "HOTWORDS": "off"}
    otherwise = found(**{f"CAPSWRITER_DICTATION_{name}": value for name, value in names.items()})
    assert "it is not listened to" in otherwise["keyboard"]
    assert otherwise["corrections"].strip() == "none are used"
    assert "cap_lock" not in found("--key", "f9")["keyboard"]


def test_a_setting_of_dictation_that_is_wrong_is_one_line():
    result = doctor(CAPSWRITER_DICTATION_OUTPUT="smoke")
    assert result.returncode != 0
    assert len(result.stderr.splitlines()) == 1
    assert "CAPSWRITER_DICTATION_OUTPUT" in result.stderr


HANGING = """
import atexit, threading, time
import capswriter.cli.doctor as command
from capswriter.cli import main
from capswriter.dictation.doctor import Check

atexit.register(time.sleep, 600)
command.CHECKS = (Check("stuck", lambda _: time.sleep(600), limit=0.2),)
main(["doctor"])
"""


def test_the_command_ends_although_something_hangs():
    result = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 1
    assert "mend  stuck  it has not ended after 0.2 s" in result.stdout
