"""The clipboard of an X server: read in all its formats, offered, and put back.

On X the clipboard is a program that answers when asked. Once we have offered a text, what was there
before can only be offered by us, so it is read beforehand, in every format, or left alone.
"""

from __future__ import annotations

import queue
import select
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from capswriter.dictation.output.base import ClipboardBusy
from capswriter.dictation.output.x11.connection import connect, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

READ_S = 1.0
"""Seconds in which the clipboard must have been read in all its formats."""

LARGEST = 64 << 20
"""Bytes that are kept of a clipboard, at most."""

PIECE = 128 << 10
"""Bytes sent in one property; what is larger goes in pieces (INCR)."""

HANDOVER_S = 1.0

TEXT_TARGETS = ("UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "STRING", "TEXT")
NO_CONTENT = ("TARGETS", "MULTIPLE", "TIMESTAMP", "SAVE_TARGETS", "DELETE", "INSERT_PROPERTY")
NOT_FOR_HISTORIES = "x-kde-passwordManagerHint"
"""With the value ``secret``, programs that keep what was copied leave this alone."""

TIME, READ = "_CAPSWRITER_TIME", "_CAPSWRITER_READ"
"""Properties of our window."""

ATOMS = (
    *TEXT_TARGETS, *NO_CONTENT, NOT_FOR_HISTORIES, TIME, READ, "CLIPBOARD", "PRIMARY",
    "CLIPBOARD_MANAGER", "ATOM", "INTEGER", "INCR",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Content:
    """One format of a selection: the atom of its type, bits per item, and its bytes."""

    kind: int
    bits: int
    value: bytes


@dataclass(slots=True)
class Offer:
    """What a selection has; ``on_taken`` is called with who took a text."""

    contents: dict[int, Content]
    since: int = 0
    taken_by: list[int] = field(default_factory=list)


class Selections:
    """Offers selections in a thread of its own, as long as it is open.

    Args:
        name: of the server; None for ``$DISPLAY``.
    """

    def __init__(self, name: str | None) -> None:
        from Xlib import X  # noqa: PLC0415

        self._display = connect(name)
        mask = X.PropertyChangeMask
        root = self._display.screen().root
        self._window = root.create_window(-1, -1, 1, 1, 0, X.CopyFromParent, event_mask=mask)
        # Known before the thread begins: from then on the connection is the thread's alone.
        intern = self._display.intern_atom
        self._atoms: dict[str, int] = {name: intern(name) for name in ATOMS}
        self._texts = [self._atom(target) for target in TEXT_TARGETS]
        self._offers: dict[int, Offer] = {}
        self._sending: dict[tuple[int, int], tuple[Content, int]] = {}
        self._orders: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._stopping = False
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="clipboard", daemon=True)
        self._thread.start()

    def offer_text(self, selection: str, text: str, *, passing: bool = False) -> None:
        """Offer a text.

        Args:
            selection: ``CLIPBOARD`` or ``PRIMARY``.
            text: any.
            passing: whether it is there for a moment only, and no history need know it.
        """
        utf8 = self._atom("UTF8_STRING")
        encoded = text.encode()
        contents = {atom: Content(atom, 8, encoded) for atom in self._texts}
        contents[self._atom("TEXT")] = Content(utf8, 8, encoded)
        latin = text.encode("latin-1", "replace")
        contents[self._atom("STRING")] = Content(self._atom("STRING"), 8, latin)
        if passing:
            hint = self._atom(NOT_FOR_HISTORIES)
            contents[hint] = Content(hint, 8, b"secret")
        self._order(lambda: self._own(self._atom(selection), contents))

    def save(self, selection: str) -> dict[int, Content]:
        """Read a selection in all its formats; empty if nobody offers it.

        Raises:
            ClipboardBusy: it is too slow or too large.
        """
        saved: dict[int, Content] = self._order(lambda: self._save(self._atom(selection)))
        return saved

    def restore(self, selection: str, saved: dict[int, Content]) -> bool:
        """Offer what was saved, unless another program has offered something since."""
        given: bool = self._order(lambda: self._restore(self._atom(selection), saved))
        return given

    def takers(self, selection: str) -> Sequence[int]:
        """The windows that have fetched the text that is offered now."""
        offer = self._offers.get(self._atom(selection))
        return tuple(offer.taken_by) if offer and not self._sending else ()

    def close(self) -> None:
        """Hand the clipboard over to the desktop's clipboard manager, if there is one, and end."""
        if self._thread.is_alive():
            self._order(self._hand_over)
            self._thread.join()
        self._wake.close()
        self._woken.close()

    def _atom(self, name: str) -> int:
        return self._atoms[name]

    def _order(self, do: Callable[[], Any]) -> Any:
        from concurrent.futures import Future  # noqa: PLC0415

        done: Future[Any] = Future()
        self._orders.put((do, done))
        self._wake.send(b"x")
        return done.result()

    def _run(self) -> None:
        from Xlib.error import ConnectionClosedError  # noqa: PLC0415

        gone: Exception = ClipboardBusy("the X server is gone")
        try:
            while not self._stopping:
                if not self._display.pending_events():
                    select.select([self._display.fileno(), self._woken], [], [])
                while self._display.pending_events():
                    self._answer(self._display.next_event())
                while not self._orders.empty():
                    self._woken.recv(1)
                    do, done = self._orders.get()
                    try:
                        done.set_result(do())
                    except (ConnectionClosedError, OSError) as error:
                        done.set_exception(gone)
                        raise error from None
                    except Exception as error:  # noqa: BLE001  whoever ordered it gets it
                        done.set_exception(error)
            self._display.close()
        except (ConnectionClosedError, OSError):
            while not self._orders.empty():
                self._orders.get()[1].set_exception(gone)

    def _own(self, selection: int, contents: dict[int, Content]) -> None:
        now = self._now()
        self._window.set_selection_owner(selection, now)
        if self._display.get_selection_owner(selection) != self._window:
            raise ClipboardBusy("another program keeps the clipboard for itself")
        self._offers[selection] = Offer(contents, now)

    def _now(self) -> int:
        """The server's time, as selections need it: that of a change to our window."""
        from Xlib import X  # noqa: PLC0415

        stamp = self._atom(TIME)
        self._window.change_property(stamp, self._atom("INTEGER"), 8, b"")
        event = self._until(lambda e: e.type == X.PropertyNotify and e.atom == stamp, HANDOVER_S)
        return int(event.time) if event else X.CurrentTime

    def _until(self, matches: Callable[[Any], bool], limit_s: float) -> Any:
        """Wait for an event of ours, and answer the others meanwhile."""

        def look(event: Any) -> bool:
            if matches(event):
                return True
            self._answer(event)
            return False

        self._display.flush()
        return wait_for(self._display, look, limit_s)

    def _save(self, selection: int) -> dict[int, Content]:
        if offer := self._offers.get(selection):
            return offer.contents
        if not self._display.get_selection_owner(selection):
            return {}
        end = time.monotonic() + READ_S
        listed = self._fetch(selection, self._atom("TARGETS"), end)
        if listed is None:
            raise ClipboardBusy("the program that has the clipboard does not answer")
        targets = memoryview(listed.value).cast("I") if listed.bits == 32 else []  # noqa: PLR2004
        unwanted = {self._atom(name) for name in NO_CONTENT}
        saved: dict[int, Content] = {}
        for target in targets:
            if target not in unwanted and (content := self._fetch(selection, target, end)):
                saved[target] = content
        if sum(len(content.value) for content in saved.values()) > LARGEST:
            raise ClipboardBusy("the clipboard is too large to be kept")
        if not saved:
            raise ClipboardBusy("the clipboard cannot be read")
        return saved

    def _fetch(self, selection: int, target: int, end: float) -> Content | None:
        """One format; None if it is refused."""
        from Xlib import X  # noqa: PLC0415

        into = self._atom(READ)
        self._window.delete_property(into)
        self._window.convert_selection(selection, target, into, X.CurrentTime)
        left = max(0.0, end - time.monotonic())
        told = self._until(lambda e: e.type == X.SelectionNotify and e.target == target, left)
        if told is None:
            raise ClipboardBusy("the program that has the clipboard is too slow")
        if told.property == X.NONE:
            return None
        found = self._take(into)
        if found is None or found.property_type != self._atom("INCR"):
            return self._content(found) if found else None
        value, kind, bits = bytearray(), 0, 8
        while True:
            left = max(0.0, end - time.monotonic())
            new = self._until(
                lambda e: (
                    e.type == X.PropertyNotify and e.atom == into and e.state == X.PropertyNewValue
                ),
                left,
            )
            if new is None or len(value) > LARGEST:
                raise ClipboardBusy("the clipboard is too large to be kept")
            piece = self._take(into)
            if piece is None:
                continue
            content = self._content(piece)
            kind, bits = content.kind, content.bits
            if not content.value:
                return Content(kind, bits, bytes(value))
            value += content.value

    def _take(self, name: int) -> Any:
        """Read a property of our window and delete it."""
        found = self._window.get_full_property(name, 0, sizehint=1 << 20)
        self._window.delete_property(name)
        self._display.flush()
        return found

    @staticmethod
    def _content(found: Any) -> Content:
        value = found.value
        if isinstance(value, str):
            value = value.encode("latin-1")
        elif found.format == 32:  # noqa: PLR2004
            value = b"".join(int(each & 0xFFFFFFFF).to_bytes(4, "little") for each in value)
        else:
            value = value.tobytes() if hasattr(value, "tobytes") else bytes(value)
        return Content(found.property_type, found.format, value)

    def _restore(self, selection: int, saved: dict[int, Content]) -> bool:
        from Xlib import X  # noqa: PLC0415
        from Xlib.protocol import request  # noqa: PLC0415

        self._serve_pending()
        if selection not in self._offers:
            return False
        if saved:
            self._own(selection, saved)
        else:
            since = self._offers.pop(selection).since
            request.SetSelectionOwner(
                display=self._display.display, window=X.NONE, selection=selection, time=since
            )
            self._display.flush()
        return True

    def _serve_pending(self) -> None:
        self._display.sync()
        while self._display.pending_events():
            self._answer(self._display.next_event())

    def _hand_over(self) -> None:
        from Xlib import X  # noqa: PLC0415

        self._stopping = True
        clipboard, manager = self._atom("CLIPBOARD"), self._atom("CLIPBOARD_MANAGER")
        if clipboard in self._offers and self._display.get_selection_owner(manager):
            into = self._atom(READ)
            save = self._atom("SAVE_TARGETS")
            self._window.convert_selection(manager, save, into, X.CurrentTime)
            self._until(
                lambda e: e.type == X.SelectionNotify and e.selection == manager, HANDOVER_S
            )

    def _answer(self, event: Any) -> None:
        from Xlib import X  # noqa: PLC0415

        if event.type == X.SelectionRequest:
            self._give(event)
        elif event.type == X.SelectionClear:
            self._offers.pop(event.atom, None)
        elif event.type == X.PropertyNotify and event.state == X.PropertyDelete:
            self._give_piece(event.window, event.atom)

    def _give(self, event: Any) -> None:
        from Xlib import X  # noqa: PLC0415
        from Xlib.protocol.event import SelectionNotify  # noqa: PLC0415

        offer = self._offers.get(event.selection)
        into = event.property or event.target
        given = offer is not None and self._put(event.requestor, into, event.target, offer)
        told = SelectionNotify(
            time=event.time,
            requestor=event.requestor,
            selection=event.selection,
            target=event.target,
            property=into if given else X.NONE,
        )
        event.requestor.send_event(told)
        self._display.flush()
        if given and offer and event.target in self._texts:
            offer.taken_by.append(event.requestor.id)

    def _put(self, requestor: Any, into: int, target: int, offer: Offer) -> bool:
        from Xlib import X  # noqa: PLC0415

        if target == self._atom("TARGETS"):
            own = [self._atom("TARGETS"), self._atom("TIMESTAMP")]
            requestor.change_property(into, self._atom("ATOM"), 32, [*own, *offer.contents])
        elif target == self._atom("TIMESTAMP"):
            requestor.change_property(into, self._atom("INTEGER"), 32, [offer.since])
        elif (content := offer.contents.get(target)) is None:
            return False
        elif len(content.value) <= PIECE:
            self._change(requestor, into, content, content.value)
        else:
            requestor.change_attributes(event_mask=X.PropertyChangeMask)
            self._sending[requestor.id, into] = content, 0
            requestor.change_property(into, self._atom("INCR"), 32, [len(content.value)])
        return True

    @staticmethod
    def _change(requestor: Any, into: int, content: Content, value: bytes) -> None:
        size = content.bits // 8
        items: Any = value
        if size > 1:
            items = [
                int.from_bytes(value[at : at + size], "little") for at in range(0, len(value), size)
            ]
        requestor.change_property(into, content.kind, content.bits, items)

    def _give_piece(self, requestor: Any, into: int) -> None:
        if (sending := self._sending.get((requestor.id, into))) is None:
            return
        content, at = sending
        piece = content.value[at : at + PIECE]
        self._change(requestor, into, content, piece)
        self._display.flush()
        if piece:
            self._sending[requestor.id, into] = content, at + len(piece)
        else:
            del self._sending[requestor.id, into]
            requestor.change_attributes(event_mask=0)
