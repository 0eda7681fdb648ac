"""Starting at login: what is written for each system, judged by the system's own tools."""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

from capswriter.dictation import autostart
from capswriter.dictation.autostart import AutostartRefused
from capswriter.dictation.autostart.base import absolute
from capswriter.dictation.autostart.linux import LinuxAutostart, desktop_entry, unit
from capswriter.dictation.autostart.macos import MacAutostart
from capswriter.dictation.autostart.windows import LONGEST, RUN, WindowsAutostart, command_line

GENERATOR = Path("/usr/lib/systemd/user-generators/systemd-xdg-autostart-generator")
ODD = "a b$c%d'e\"f\\g 中`h"

linux = pytest.mark.skipif(sys.platform != "linux", reason="is for Linux")


@pytest.fixture
def program(tmp_path):
    """A program whose path has all that needs to be escaped."""
    path = tmp_path / ODD / "capswriter"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def systemctl_of(*, active):
    asked = []

    def systemctl(*arguments):
        asked.append(arguments[0])
        return active

    return systemctl, asked


@linux
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
def test_systemd_finds_the_program_of_the_unit(tmp_path, program):
    place = tmp_path / "capswriter-dictation.service"
    verify = ["systemd-analyze", "--user", "verify", str(place)]
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    place.write_text(unit([str(program), "dictate", ODD]))
    assert verified(verify, environment) == ""
    plain = tmp_path / "a b$c%d 中`h" / "capswriter"
    program.parent.rename(plain.parent)
    place.write_text(unit([str(plain), "dictate", ODD, "$HOME", "%h"]))
    assert verified(verify, environment) == ""
    plain.unlink()
    assert f"{plain} is not executable" in verified(verify, environment)


def verified(verify, environment):
    return subprocess.run(
        verify, capture_output=True, text=True, timeout=60, check=False, env=environment
    ).stderr


def test_a_unit_escapes_what_systemd_would_replace():
    text = unit(["/bin/x$y", "$HOME", "%h", 'say "hi"', "back\\slash", ""])
    assert 'ExecStart="/bin/x$y" "$$HOME" "%%h" "say \\"hi\\"" "back\\\\slash" ""\n' in text


@linux
@pytest.mark.skipif(
    not shutil.which("desktop-file-validate"), reason="desktop-file-utils is not here"
)
def test_the_desktop_entry_is_valid(tmp_path, program):
    place = tmp_path / "x.desktop"
    place.write_text(desktop_entry([str(program), ODD]))
    validate = ["desktop-file-validate", str(place)]
    result = subprocess.run(validate, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout) == (0, "")


@linux
@pytest.mark.skipif(not GENERATOR.exists(), reason="there is no generator of systemd's")
def test_systemd_reads_the_desktop_entry_as_it_reads_the_unit(tmp_path, program):
    plain = tmp_path / "a b$c" / "capswriter"
    program.parent.rename(plain.parent)
    # It takes no backslash, though the specification has it.
    command = [str(plain), "dictate", "a b", 'c"d', "e$f", "i%j", "k`l", "中"]
    entry = tmp_path / "config" / "autostart" / "capswriter.desktop"
    entry.parent.mkdir(parents=True)
    entry.write_text(desktop_entry(command))
    made = tmp_path / "made"
    made.mkdir()
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": str(tmp_path)}
    environment |= {"XDG_CONFIG_DIRS": str(tmp_path / "nowhere"), "PATH": "/usr/bin:/bin"}
    subprocess.run([GENERATOR, made, made, made], check=True, timeout=60, env=environment)
    [service] = made.glob("*.service")
    [line] = [each for each in service.read_text().splitlines() if each.startswith("ExecStart=")]
    assert unsystemd(line.partition("=")[2].removeprefix(":")) == command


def unsystemd(line):
    """Read the words of an ExecStart=, as systemd.syntax(7) has it."""
    words = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)', line):
        word = re.sub(r"\\x([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), quoted or bare)
        words.append(re.sub(r"\\(.)", r"\1", word).replace("%%", "%").replace("$$", "$"))
    return words


@linux
@pytest.mark.parametrize("active", [True, False])
def test_on_linux_the_session_says_what_is_written(tmp_path, program, active):
    systemctl, asked = systemctl_of(active=active)
    linux = LinuxAutostart({"XDG_CONFIG_HOME": str(tmp_path)}, systemctl)
    assert linux.status() is None
    entry = linux.install([str(program)])
    assert linux.status() == entry
    assert asked == ["is-active", "daemon-reload"]
    enabled = tmp_path / "systemd/user/graphical-session.target.wants/capswriter-dictation.service"
    desktop = tmp_path / "autostart/capswriter-dictation.desktop"
    assert (enabled.exists(), desktop.exists()) == (active, not active)
    if active:
        assert enabled.read_text() == unit([str(program)])
    else:
        assert desktop.read_text() == desktop_entry([str(program)])
    assert linux.remove()
    assert not linux.remove()
    assert linux.status() is None
    assert [path for path in (tmp_path / "systemd").rglob("*") if not path.is_dir()] == []


@linux
def test_on_linux_nothing_is_started_twice(tmp_path, program):
    places = {"XDG_CONFIG_HOME": str(tmp_path)}
    LinuxAutostart(places, systemctl_of(active=False)[0]).install(["/bin/true"])
    with_systemd = LinuxAutostart(places, systemctl_of(active=True)[0])
    with_systemd.install(["/bin/true"])
    with_systemd.install([str(program)])
    assert not (tmp_path / "autostart/capswriter-dictation.desktop").exists()
    LinuxAutostart(places, systemctl_of(active=False)[0]).install(["/bin/true"])
    assert not (tmp_path / "systemd/user/capswriter-dictation.service").exists()
    assert "desktop entry" in str(with_systemd.status())


@linux
def test_on_linux_without_any_setting_it_is_below_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    systemctl, _ = systemctl_of(active=False)
    entry = LinuxAutostart({"XDG_CONFIG_HOME": "relative"}, systemctl).install(["/bin/true"])
    assert entry.place == str(tmp_path / ".config/autostart/capswriter-dictation.desktop")


@linux
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "autostart").write_text("a file where a folder belongs")
    with pytest.raises(AutostartRefused, match="cannot be changed"):
        LinuxAutostart({"XDG_CONFIG_HOME": str(tmp_path)}, systemctl_of(active=False)[0]).install(
            ["/bin/true"]
        )


@linux
def test_install_and_remove_for_this_computer(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    entry = autostart.install()
    assert autostart.status() == entry
    assert f'Exec="{sys.executable}" "-m" "capswriter" "dictate"\n' in Path(entry.place).read_text()
    assert autostart.remove()
    assert autostart.status() is None


def test_the_program_is_found_and_named_absolutely(tmp_path, monkeypatch):
    assert absolute(["sh", "-c"]) == [shutil.which("sh"), "-c"]
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    assert absolute(["./python"]) == [str(link)]
    with pytest.raises(AutostartRefused, match="no program 'nonsense-program'"):
        absolute(["nonsense-program"])
    for unwritable in ("a\nb", "\udcff"):
        with pytest.raises(AutostartRefused, match="cannot be written down"):
            absolute(["sh", unwritable])
    with pytest.raises(AutostartRefused):
        absolute([])


def test_the_launch_agent_of_macos(tmp_path):
    mac = MacAutostart(tmp_path)
    assert mac.status() is None
    entry = mac.install(["/opt/py & <co>/python", "-m", "capswriter", "dictate"])
    assert entry == mac.status()
    place = tmp_path / "Library" / "LaunchAgents" / "capswriter.dictation.plist"
    assert entry.place == str(place)
    told = plistlib.loads(place.read_bytes())
    assert told["Label"] == place.stem
    assert told["ProgramArguments"] == ["/opt/py & <co>/python", "-m", "capswriter", "dictate"]
    assert told["RunAtLoad"] is True
    assert mac.remove()
    assert not mac.remove()


class Registry:
    """As much of ``winreg`` as is used."""

    HKEY_CURRENT_USER, KEY_SET_VALUE, REG_SZ = "user", 2, 1

    def __init__(self):
        self.keys = {}
        self.refuses = False

    def CreateKey(self, root, name):  # noqa: N802
        self.keys.setdefault((root, name), {})
        return self.OpenKey(root, name)

    def OpenKey(self, root, name, reserved=0, access=0):  # noqa: N802
        if self.refuses:
            raise PermissionError(13, "Access is denied")
        if (root, name) not in self.keys:
            raise FileNotFoundError(2, "not found")
        return _Key(self.keys[root, name])

    def SetValueEx(self, key, name, reserved, kind, value):  # noqa: N802
        assert (reserved, kind) == (0, self.REG_SZ)
        key.values[name] = value

    def QueryValueEx(self, key, name):  # noqa: N802
        if name not in key.values:
            raise FileNotFoundError(2, "not found")
        return key.values[name], self.REG_SZ

    def DeleteValue(self, key, name):  # noqa: N802
        if name not in key.values:
            raise FileNotFoundError(2, "not found")
        del key.values[name]


class _Key:
    def __init__(self, values):
        self.values = values

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_the_registry_s_value_of_windows():
    registry = Registry()
    windows = WindowsAutostart(registry)
    assert windows.status() is None
    assert not windows.remove()
    entry = windows.install([r"C:\Program Files\py\Python.exe", "-m", "capswriter", "dictate"])
    assert windows.status() == entry
    assert registry.keys == {
        ("user", RUN): {
            "CapsWriter dictation": r'"C:\Program Files\py\pythonw.exe" -m capswriter dictate'
        }
    }
    assert windows.remove()
    assert not windows.remove()
    assert windows.status() is None
    registry.refuses = True
    for act in (lambda: windows.install(["x.exe"]), windows.remove):
        with pytest.raises(AutostartRefused, match="cannot be changed: Access is denied"):
            act()


def test_windows_would_cut_off_a_long_command():
    assert command_line([r"C:\bin\capswriter.exe", "dictate"]) == r"C:\bin\capswriter.exe dictate"
    with pytest.raises(AutostartRefused, match=f"more than {LONGEST} characters"):
        command_line([str(PureWindowsPath("C:/", "long" * 60, "python.exe")), "-m", "capswriter"])
