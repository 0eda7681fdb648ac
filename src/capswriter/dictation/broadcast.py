"""Finished texts by UDP to other programs, and commands from them.

Both stay on this computer unless told otherwise. Datagrams are neither encrypted nor certain to
arrive: whoever sends texts to another computer shows them to its network, and a token there keeps
out those who cannot listen, no others.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal

import orjson

from capswriter.dictation.shortcuts import Command
from capswriter.errors import UsageError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Any

LOOPBACK = "127.0.0.1"
TEXT_PORT, CONTROL_PORT = 6017, 6018
"""CapsWriter's own."""

MOST_TEXT = 8_000
"""Bytes of text in a datagram: macOS sends no more than 9,216 in one. Longer texts take several."""

MOST_COMMAND = 256
TOKEN_BYTES = 16
"""A shorter token is guessed by whoever tries."""

_log = logging.getLogger(__name__)


class NoBroadcast(UserError):
    """Texts cannot be sent there, or commands not be received."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where texts go, and how.

    Args:
        host: name or address; a broadcast address is one too.
        port: UDP.
        form: ``json``: an object with ``text``, ``time``, ``part`` and ``parts``; ``plain``: the
            text alone in UTF-8, as CapsWriter sends it.
    """

    host: str = LOOPBACK
    port: int = TEXT_PORT
    form: Literal["json", "plain"] = "json"


class Broadcast:
    """Sends finished texts; an async context manager.

    Args:
        targets: where to.
    """

    def __init__(self, targets: Iterable[Target] = (Target(),)) -> None:
        self._targets = tuple(targets)
        self._resolved: list[tuple[Target, socket.socket, Any]] = []
        self._has_told = False

    async def __aenter__(self) -> Broadcast:
        """Find the targets.

        Raises:
            NoBroadcast: there is none such.
        """
        try:
            for target in self._targets:
                family, address = await _resolve(target.host, target.port)
                sender = socket.socket(family, socket.SOCK_DGRAM)
                self._resolved.append((target, sender, address))
                sender.setblocking(False)  # noqa: FBT003  it has no other form
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                if not _is_loopback(address[0]):
                    _log.warning("texts go to %s over the network, for all to read", target.host)
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def send(self, text: str, begun: float) -> None:
        """Send a text; this waits for nothing and raises nothing.

        Args:
            text: what was dictated.
            begun: Unix seconds when it was.
        """
        pieces = list(_pieces(text))
        for target, sender, address in self._resolved:
            try:
                for part, piece in enumerate(pieces, 1):
                    said = {"text": piece, "time": begun, "part": part, "parts": len(pieces)}
                    plain = target.form == "plain"
                    sender.sendto(piece.encode() if plain else orjson.dumps(said), address)
            except OSError as error:
                if not self._has_told:
                    _log.warning("texts cannot be sent to %s: %s", target.host, error)
                self._has_told = True

    def _close(self) -> None:
        for _, sender, _ in self._resolved:
            sender.close()
        self._resolved.clear()


class Control(asyncio.DatagramProtocol):
    """Takes commands: ``START``, ``STOP``, ``CANCEL`` or ``TOGGLE``; an async context manager.

    Where there is a token, it stands before the command with a space between. Nothing is answered;
    what is no command is passed over and counted.

    Args:
        ask: does what a command wants, in the event loop.
        host: address to listen on.
        port: UDP; 0 takes any free one.
        token: what senders have to know; None for nothing, on this computer alone.

    Raises:
        UsageError: other computers could send commands without a token, or with one too short.
    """

    def __init__(
        self,
        ask: Callable[[Command], object],
        *,
        host: str = LOOPBACK,
        port: int = CONTROL_PORT,
        token: str | None = None,
    ) -> None:
        token_size = len((token or "").encode())
        if not _is_loopback(host) and token_size < TOKEN_BYTES:
            raise UsageError(
                f"commands by UDP from other computers (on {host}) need a token of "
                f"{TOKEN_BYTES} characters or more: set one, or listen on {LOOPBACK}"
            )
        self.taken = 0
        """Commands that came."""
        self.ignored = 0
        """Datagrams that were none."""
        self._ask = ask
        self._host = host
        self._port = port
        self._token = token
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Control:
        """Listen.

        Raises:
            NoBroadcast: the address is none of this computer's, or is taken.
        """
        _, address = await _resolve(self._host, self._port)
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: self, local_addr=address[:2]
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise NoBroadcast(
                f"cannot listen for commands by UDP on {self._host} port {self._port} ({reason}): "
                "choose another port"
            ) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._transport is not None:
            self._transport.close()
            await asyncio.sleep(0)  # in which the socket is closed

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._transport is not None, "use it within 'async with'"  # noqa: S101
        host, port, *_ = self._transport.get_extra_info("sockname")
        return host, port

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Take a command, or pass over what is none."""
        command = self._command(data)
        if command is None:
            self.ignored += 1
            if self.ignored == 1:
                _log.warning("what is no command comes by UDP from %s; it is passed over", addr[0])
            return
        self.taken += 1
        _log.info("%s by UDP from %s", command.value, addr[0])
        self._ask(command)

    def error_received(self, exc: Exception) -> None:
        """Go on: an error of a datagram is nobody's here, as nothing is sent."""

    def _command(self, data: bytes) -> Command | None:
        if len(data) > MOST_COMMAND:
            return None
        try:
            *given, word = data.decode().split()
            command = Command(word.lower())
        except ValueError:
            return None
        if self._token is None:
            return None if given else command
        known = hmac.compare_digest(" ".join(given).encode(), self._token.encode())
        return command if known else None


def _pieces(text: str) -> Iterator[str]:
    """Cut a text into pieces that fit into a datagram, between characters."""
    whole = text.encode(errors="replace")
    while whole:
        piece = whole[:MOST_TEXT].decode(errors="ignore")
        yield piece
        whole = whole[len(piece.encode()) :]


async def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise NoBroadcast(f"there is no host {host} for UDP: name another") from error
    family, _, _, _, address = found[0]
    return family, address


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
