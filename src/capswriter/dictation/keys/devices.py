"""Keys from the kernel's input devices: for Wayland, and for consoles.

Each keyboard and mouse that has a shortcut's key is taken from the desktop, and a twin made by
uinput gives on whatever is not ours. Where twins may not be made, the devices are only listened to:
then the windows get the shortcut's key as well.
"""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from capswriter.dictation.keys.base import KeysUnavailable
from capswriter.dictation.keys.names import KEYS, MODIFIERS, find_key
from capswriter.dictation.shortcuts import ESCAPE, Press, Release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from capswriter.dictation.keys.base import Emit

RESCAN_S = 2.0
"""Seconds between looks for devices that have been plugged in."""

PATIENCE_S = 5.0

TWIN = "CapsWriter"
"""What our own devices are called, so that we do not listen to ourselves."""

UP, DOWN, REPEAT = 0, 1, 2

MEND_READING = (
    "run 'sudo usermod -aG input $USER' and log in again, "
    "or let a shortcut of the desktop run 'capswriter dictate --toggle'"
)
MEND_WRITING = (
    "allow writing /dev/uinput (a udev rule: "
    'KERNEL=="uinput", GROUP="input", MODE="0660", OPTIONS+="static_node=uinput")'
)


@dataclass(eq=False)
class _Device:
    """A device that is listened to.

    Args:
        source: the real one.
        twin: what gives on what is not ours; None if it is only listened to.
        ours: codes of keys that are down and are ours.
    """

    source: Any
    twin: Any
    taken: bool = False
    ours: set[int] = field(default_factory=set)


class DeviceKeys:
    """Listens to the kernel's input devices.

    Args:
        keys: names of the shortcuts' keys.
        kernel: the module ``evdev``; None to import it.
    """

    name = "evdev"

    def __init__(self, keys: Iterable[str], kernel: Any = None) -> None:
        self._kernel = _imported() if kernel is None else kernel
        codes = self._kernel.ecodes.ecodes
        self._names = {codes[find_key(key).code]: find_key(key).name for key in keys}
        self._escape = codes[KEYS[ESCAPE].code]
        self._modifiers = {codes[KEYS[name].code] for name in MODIFIERS}
        self._held: set[int] = set()
        self._claimed = False
        self._devices: dict[str, _Device] = {}
        self._refused: set[str] = set()
        self._may_write = True
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.limits: list[str] = []

    def start(self, emit: Emit) -> None:
        """Take the devices, and listen in a thread; see ``Keys.start``."""
        self._emit = emit
        self._may_write = os.access("/dev/uinput", os.W_OK)
        if not self._may_write:
            self._check_unswallowed()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._rescan()
        if not self._devices:
            self._close()
            raise KeysUnavailable(
                "no device below /dev/input that has the shortcut's key may be read: "
                + MEND_READING
            )
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)
        self._thread.start()

    def claim_escape(self, *, claimed: bool) -> None:
        """Swallow Esc, or let it go its way again."""

        def claim() -> None:
            self._claimed = claimed

        self._do(claim)

    def replay(self, key: str) -> None:
        """Send the key through a twin; where keys are not swallowed, it has had its effect."""
        self._do(lambda: self._replay(key))

    def stop(self) -> None:
        """Give the devices back."""
        if self._thread is None:
            return

        def end() -> None:
            self._stopping = True

        self._do(end)
        self._thread.join(PATIENCE_S)
        self._thread = None

    def _check_unswallowed(self) -> None:
        """Refuse what cannot be undone, and tell of the rest."""
        names = sorted(self._names.values())
        locks = [name for name in names if KEYS[name].is_lock]
        if locks:
            raise KeysUnavailable(
                f"{locks[0]} would switch capitals with every dictation, as it cannot be kept from "
                f"the desktop: {MEND_WRITING}, choose another key, "
                "or let a shortcut of the desktop run 'capswriter dictate --toggle'"
            )
        self.limits.append(
            f"windows get {', '.join(names)} and Esc as well while you dictate: "
            f"to mend it, {MEND_WRITING}"
        )

    def _do(self, command: Callable[[], None]) -> None:
        self._commands.put(command)
        with contextlib.suppress(OSError):
            self._wake.send(b"x")

    def _run(self) -> None:
        rescan = time.monotonic() + RESCAN_S
        try:
            while not self._stopping:
                ready = self._selector.select(max(0.0, rescan - time.monotonic()))
                while not self._commands.empty():
                    self._commands.get()()
                for key, _ in ready:
                    self._serve(key)
                if time.monotonic() >= rescan:
                    self._rescan()
                    rescan = time.monotonic() + RESCAN_S
        finally:
            self._close()

    def _serve(self, ready: selectors.SelectorKey) -> None:
        device = ready.data
        if device is None:
            self._woken.recv(4096)
        elif device not in self._devices.values():
            pass  # dropped a moment ago
        elif ready.fileobj is device.twin:
            self._light(device)
        else:
            self._read(device)

    def _close(self) -> None:
        # Whatever happens, the desktop gets its keyboard back.
        for device in list(self._devices.values()):
            self._drop(device)
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _rescan(self) -> None:
        present = set(self._kernel.list_devices())
        self._refused &= present
        for path in sorted(present - self._devices.keys() - self._refused):
            try:
                source = self._kernel.InputDevice(path)
            except OSError:
                continue  # it may not be read, or is gone; rights may come a moment later
            if self._wanted(source):
                self._add(path, source)
            else:
                self._refused.add(path)
                source.close()

    def _wanted(self, source: Any) -> bool:
        if source.name.startswith(TWIN):
            return False
        has = set(source.capabilities().get(self._kernel.ecodes.EV_KEY, ()))
        # A pointing device without any key of ours stays with the desktop.
        return bool(has & self._names.keys()) or self._escape in has

    def _add(self, path: str, source: Any) -> None:
        twin = None
        if self._may_write:
            try:
                twin = self._kernel.UInput.from_device(source, name=f"{TWIN}: {source.name}"[:79])
            except OSError as error:
                self.limits.append(f"{source.name} is not listened to: {error}")
                self._refused.add(path)
                source.close()
                return
        device = _Device(source, twin)
        self._devices[path] = device
        self._selector.register(source, selectors.EVENT_READ, device)
        if twin is not None:
            self._selector.register(twin, selectors.EVENT_READ, device)
            self._take_when_idle(device)

    def _take_when_idle(self, device: _Device) -> None:
        """Take it once no key is down: the desktop would never see it let go."""
        if device.twin is None or device.taken or device.source.active_keys():
            return
        try:
            device.source.grab()
        except OSError:  # another program has it, and gives on what we shall hear
            self._refused.add(self._path(device))
            self._drop(device)
            return
        device.taken = True

    def _path(self, device: _Device) -> str:
        return next(path for path, each in self._devices.items() if each is device)

    def _drop(self, device: _Device) -> None:
        """Do without a device: it is gone, or we are going."""
        del self._devices[self._path(device)]
        for each in (device.source, device.twin):
            if each is None:
                continue
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(each)
            with contextlib.suppress(OSError):
                each.close()  # ends the grab, too
        for code in device.ours:
            self._emit(Release(self._name(code), time.monotonic()))
        self._held.clear()

    def _name(self, code: int) -> str:
        return ESCAPE if code == self._escape else self._names[code]

    def _read(self, device: _Device) -> None:
        try:
            events = list(device.source.read())
        except BlockingIOError:
            return
        except OSError:  # unplugged
            self._drop(device)
            return
        for event in events:
            # Until it is taken, the desktop gets every event itself.
            if not self._take(device, event) and device.taken and not self._repeats(event):
                device.twin.write_event(event)
        self._take_when_idle(device)

    def _take(self, device: _Device, event: Any) -> bool:
        """Whether an event is ours."""
        if event.type != self._kernel.ecodes.EV_KEY:
            return False
        if event.code in self._modifiers:
            (self._held.discard if event.value == UP else self._held.add)(event.code)
        if event.code in device.ours:
            name = self._name(event.code)
            if event.value != REPEAT:
                self._emit(Release(name, time.monotonic()))
            if event.value == UP:
                device.ours.discard(event.code)
            elif event.value == DOWN:  # the kernel has dropped the release
                self._emit(Press(name, time.monotonic()))
            return True
        ours = event.code in self._names and not self._held - {event.code}
        ours |= self._claimed and event.code == self._escape
        if not ours or event.value != DOWN or (device.twin is not None and not device.taken):
            return False
        device.ours.add(event.code)
        self._emit(Press(self._name(event.code), time.monotonic()))
        return True

    def _repeats(self, event: Any) -> bool:
        """Whether it is the repetition of a key; the kernel lets the twin repeat by itself."""
        return bool(event.type == self._kernel.ecodes.EV_KEY and event.value == REPEAT)

    def _light(self, device: _Device) -> None:
        """Show on the real keyboard the lights that the desktop sets on its twin."""
        with contextlib.suppress(OSError):
            for event in list(device.twin.read()):
                if event.type == self._kernel.ecodes.EV_LED:
                    device.source.set_led(event.code, event.value)

    def _replay(self, key: str) -> None:
        code = self._kernel.ecodes.ecodes[KEYS[key].code]
        for device in self._devices.values():
            if not device.taken:
                continue
            if code in device.source.capabilities().get(self._kernel.ecodes.EV_KEY, ()):
                for value in (DOWN, UP):
                    device.twin.write(self._kernel.ecodes.EV_KEY, code, value)
                    device.twin.syn()
                return


def _imported() -> Any:
    try:
        import evdev  # noqa: PLC0415
    except ImportError as missing:
        raise KeysUnavailable(
            "evdev is not installed: pip install 'capswriter-server[evdev]'"
        ) from missing
    return evdev
