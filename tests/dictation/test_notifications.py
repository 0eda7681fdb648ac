"""Trouble told on the desktop: by a real session bus, and by other systems' programs faked."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from capswriter.dictation import notifications
from capswriter.dictation.notifications import (
    Notifications,
    NotShown,
    ShowOnLinux,
    show_on_macos,
    show_on_windows,
    shower,
)

PATIENCE_S = 30.0


@contextmanager
def session_bus(monkeypatch):
    """A session bus of our own."""
    pytest.importorskip("jeepney")
    if shutil.which("dbus-daemon") is None:
        pytest.skip("not installed: dbus-daemon")
    command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert daemon.stdout is not None
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", daemon.stdout.readline().strip())
        yield
    finally:
        daemon.terminate()
        daemon.communicate()


class Desktop:
    """Shows notifications on the session bus, as a desktop does, and notes them."""

    def __init__(self, *, refuses: bool = False) -> None:
        from jeepney import DBus
        from jeepney.io.blocking import open_dbus_connection

        self.shown: list[tuple] = []
        self._refuses = refuses
        self._bus = open_dbus_connection("SESSION")
        self._bus.send_and_get_reply(DBus().RequestName("org.freedesktop.Notifications"))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        from jeepney import HeaderFields, MessageType, new_error, new_method_return

        while True:
            message = self._bus.receive()
            if message.header.message_type is not MessageType.method_call:
                continue
            if message.header.fields[HeaderFields.member] == "End":
                self._bus.close()
                return
            self.shown.append(message.body)
            if self._refuses:
                self._bus.send(new_error(message, "org.example.No", "s", ("not now",)))
            else:
                self._bus.send(new_method_return(message, "u", (7,)))

    def close(self) -> None:
        from jeepney import DBusAddress, new_method_call
        from jeepney.io.blocking import open_dbus_connection

        name = "org.freedesktop.Notifications"
        with open_dbus_connection("SESSION") as bus:
            bus.send(new_method_call(DBusAddress("/", bus_name=name, interface=name), "End"))
        self._thread.join(PATIENCE_S)


linux = pytest.mark.skipif(sys.platform != "linux", reason="D-Bus")


@linux
def test_a_line_is_shown_on_the_session_bus(monkeypatch):
    with session_bus(monkeypatch):
        desktop = Desktop()
        told = Notifications()
        told.tell("the microphone <b>is gone</b> & more")
        told.tell("it is back")
        told.wait(PATIENCE_S)
        desktop.close()
    (name, replaces, _, title, body, actions, hints, _), second = desktop.shown
    assert (name, replaces, title, actions, hints) == ("CapsWriter", 0, "CapsWriter", [], {})
    assert body == "the microphone &lt;b&gt;is gone&lt;/b&gt; &amp; more"
    assert second[1] == 7  # in the bubble of the first
    assert second[4] == "it is back"


@linux
def test_a_bus_without_a_desktop_leaves_it_to_the_log(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    with session_bus(monkeypatch):
        told = Notifications()
        told.tell("the server is gone")
        told.tell("and the microphone")
        told.wait(PATIENCE_S)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "the server is gone"
    assert lines[1].startswith("the desktop shows no notifications: ")
    assert lines[2:] == ["and the microphone"]


@linux
def test_a_desktop_that_refuses_is_told(monkeypatch):
    with session_bus(monkeypatch):
        desktop = Desktop(refuses=True)
        with pytest.raises(NotShown, match="not now"):
            ShowOnLinux()("title", "line")
        desktop.close()


@linux
def test_no_bus_at_all_is_told(monkeypatch, tmp_path):
    pytest.importorskip("jeepney")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    with pytest.raises(NotShown, match="no session bus"):
        ShowOnLinux()("title", "line")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/nothing")
    with pytest.raises(NotShown, match="the session bus fails"):
        ShowOnLinux()("title", "line")


def test_the_same_line_is_shown_once_a_minute(monkeypatch):
    shown = []
    told = Notifications(show=lambda _, line: shown.append(line))
    now = [1000.0]
    monkeypatch.setattr(notifications.time, "monotonic", lambda: now[0])
    for at in (1000.0, 1001.0, 1059.0, 1061.0):
        now[0] = at
        told.tell("again")
    told.tell("another")
    told.wait(PATIENCE_S)
    assert shown == ["again", "again", "another"]


def test_a_long_line_is_cut_and_what_is_off_goes_to_the_log(caplog):
    shown = []
    told = Notifications(show=lambda *line: shown.append(line))
    told.tell("x" * 1000)
    told.wait(PATIENCE_S)
    [(title, line)] = shown
    assert title == "CapsWriter"
    assert line == "x" * 299 + "…"
    told.is_on = False
    told.tell("in the log")
    assert caplog.messages == ["in the log"]
    assert len(shown) == 1


class Ran:
    """What was run in place of another system's program."""

    def __init__(self, monkeypatch, error: Exception | None = None) -> None:
        self.command: list[str] = []
        self.environment: dict[str, str] = {}
        self.error = error
        monkeypatch.setattr(notifications.subprocess, "run", self._run)

    def _run(self, command, *, env, timeout, check, **options):
        assert check
        assert timeout
        self.command, self.environment = command, env
        if self.error is not None:
            raise self.error


NASTY = """-e "; do shell script "rm -rf ~" ' $(x) `x`"""


def test_macos_gets_the_line_as_an_argument(monkeypatch):
    ran = Ran(monkeypatch)
    show_on_macos("title", NASTY)
    assert ran.command[0] == "/usr/bin/osascript"
    assert ran.command[-3:] == ["--", "title", NASTY]
    assert not any(NASTY in part for part in ran.command[:-1])


def test_windows_gets_the_line_as_a_variable(monkeypatch):
    ran = Ran(monkeypatch)
    show_on_windows("title", NASTY)
    assert ran.command[0] == "powershell"
    assert not any(NASTY in part for part in ran.command)
    assert ran.environment["CAPSWRITER_TOLD_LINE"] == NASTY
    assert ran.environment["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize("show", [show_on_macos, show_on_windows])
@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("no such program"),
        subprocess.CalledProcessError(1, "x"),
        subprocess.TimeoutExpired("x", 10),
        ValueError("embedded null byte"),
    ],
)
def test_what_another_system_cannot_show_is_told(monkeypatch, show, error):
    Ran(monkeypatch, error)
    with pytest.raises(NotShown):
        show("title", "line")


def test_every_system_has_its_way():
    assert shower("darwin") is show_on_macos
    assert shower("win32") is show_on_windows
    assert isinstance(shower("linux"), ShowOnLinux)
