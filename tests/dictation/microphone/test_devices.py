from __future__ import annotations

import ctypes
import struct

import pytest

from capswriter.dictation.microphone import AmbiguousMicrophone, Device, NoMicrophone, choose
from capswriter.dictation.microphone.portaudio import joined
from capswriter.dictation.microphone.pulse import Pulse, Source
from capswriter.dictation.microphone.watch import CoreAudio, WindowsMultimedia, watch_for

DEVICES = [
    Device(4, "Blue Yeti", "PulseAudio", 2, 48_000),
    Device(5, "Built-in Audio", "PulseAudio", 2, 44_100, is_default=True),
    Device(6, "Monitor of Built-in Audio", "PulseAudio", 2, 44_100, is_monitor=True),
    Device(7, "Yeti Nano", "PulseAudio", 1, 48_000),
    Device(1, "Blue Yeti: USB Audio (hw:1,0)", "ALSA", 2, 48_000),
]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 5),
        (7, 7),
        ("6", 6),
        ("blue yeti", 4),
        ("NANO", 7),
        ("built-in", 5),
        ("monitor of", 6),
        ("hw:1", 1),
        (" blue ", 4),
    ],
)
def test_a_microphone_is_found_by_its_number_or_a_part_of_its_name(wanted, index):
    assert choose(DEVICES, wanted).index == index


def test_an_ambiguous_name_names_those_it_may_be():
    with pytest.raises(AmbiguousMicrophone, match=r"'Blue Yeti' \(4\), 'Yeti Nano' \(7\)"):
        choose(DEVICES, "yeti")


@pytest.mark.parametrize("wanted", ["webcam", 99, "99"])
def test_what_is_not_there_is_said_in_one_line(wanted):
    with pytest.raises(NoMicrophone, match="'capswriter devices' lists"):
        choose(DEVICES, wanted)


def test_where_there_is_none_and_where_none_is_the_default():
    with pytest.raises(NoMicrophone, match="there is no microphone; connect one"):
        choose([])
    assert choose(DEVICES[:1]).index == 4


def test_pulseaudio_s_sources_take_the_place_of_the_doors_to_it():
    inputs = [
        Device(0, "HDA Intel (hw:0,0)", "ALSA", 2, 44_100),
        Device(3, "pulse", "ALSA", 32, 44_100, portaudio=3),
        Device(4, "default", "ALSA", 32, 44_100, is_default=True, portaudio=4),
    ]
    sources = (
        Source(0, "out.monitor", "Monitor of Out", 2, 48_000, is_default=False, is_monitor=True),
        Source(1, "usb", "Blue Yeti", 1, 16_000, is_default=True, is_monitor=False),
    )
    result = joined(inputs, sources, first_index=5)
    assert [(each.index, each.name, each.portaudio) for each in result] == [
        (6, "Blue Yeti", 0),
        (5, "Monitor of Out", 0),
        (0, "HDA Intel (hw:0,0)", 0),
    ]
    assert choose(result).source == "usb"


def test_no_pulseaudio_is_no_error_and_is_asked_again():
    answers = [OSError("no library"), ConnectionRefusedError()]

    def connect():
        raise answers.pop()

    pulse = Pulse(connect)
    assert pulse.sources() is None
    assert pulse.sources() is None
    assert not answers


class FakeCoreAudio:
    """Answers as macOS does, from numbers by their selector."""

    def __init__(self) -> None:
        self.values = {b"dIn ": [41], b"dev#": [41, 42]}

    def _value(self, address) -> bytes:
        selector, scope, element = struct.unpack("3I", bytes(address._obj))
        assert (scope, element) == (struct.unpack(">I", b"glob")[0], 0)
        return (
            struct.pack(f"{len(v)}I", *v)
            if (v := self.values[struct.pack(">I", selector)])
            else b""
        )

    def AudioObjectGetPropertyDataSize(self, thing, address, n, qualifier, size):  # noqa: N802
        size._obj.value = len(self._value(address))
        return 0

    def AudioObjectGetPropertyData(self, thing, address, n, qualifier, size, answer):  # noqa: N802
        value = self._value(address)
        ctypes.memmove(answer, value, len(value))
        return 0


def test_macos_is_asked_for_the_default_and_the_devices():
    library = FakeCoreAudio()
    watch = CoreAudio(lambda: library)
    first = watch()
    assert first == (struct.pack("I", 41), struct.pack("2I", 41, 42)) == watch()
    library.values[b"dIn "] = [42]
    assert watch() != first
    library.values = {b"dIn ": [], b"dev#": []}
    assert watch() == (b"", b"")


class FakeWinmm:
    inputs, outputs, preferred = 2, 1, 0

    def waveInMessage(self, device, message, first, second):  # noqa: N802
        assert message == 0x2015
        first._obj.value = self.preferred
        return 0

    def waveInGetNumDevs(self):  # noqa: N802
        return self.inputs

    def waveOutGetNumDevs(self):  # noqa: N802
        return self.outputs


def test_windows_is_asked_for_the_default_and_the_number_of_devices():
    library = FakeWinmm()
    watch = WindowsMultimedia(lambda: library)
    assert watch() == (0, 2, 1)
    library.preferred = 1
    assert watch() == (1, 2, 1)


def test_each_platform_has_its_watch():
    pulse = Pulse(dict)
    assert isinstance(watch_for("darwin", pulse=pulse), CoreAudio)
    assert isinstance(watch_for("win32", pulse=pulse), WindowsMultimedia)
    assert watch_for("linux", pulse=pulse)() == watch_for("linux", pulse=pulse)()
