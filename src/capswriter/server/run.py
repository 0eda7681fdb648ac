"""Running the server: the socket, the workers, the signals, and their end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, cast

import anyio
import uvicorn
from starlette.middleware.cors import CORSMiddleware

from capswriter.errors import UserError
from capswriter.pool import EngineSpec, Limits, Patience, Recogniser
from capswriter.server.allocator import collect_less, return_memory
from capswriter.server.app import build_app
from capswriter.server.exposure import check_exposure, is_loopback, tls_of, token_of
from capswriter.server.front import Front
from capswriter.server.gate import Gate, Rules
from capswriter.server.handshake import MARGIN, HandshakeProtocol, Handshakes
from capswriter.server.wire import WireProtocol
from capswriter.sessions import Ears

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from capswriter.settings import ServerConfig

logger = logging.getLogger(__name__)

DRAIN = 30.0
"""Seconds that utterances get to finish after SIGTERM or Ctrl-C; a second signal ends them."""

PING_EVERY = 20.0
"""Seconds between pings, which keep routers from forgetting a quiet connection.

A missing answer closes nothing: clients up to v2.4 do not answer while they upload.
"""

MEGABYTE = 1_000_000

BACKLOG = 2048
"""Connections that the system may hold until they are accepted."""


class ServerFailed(UserError):
    """The server cannot start."""


def serve(
    config: ServerConfig,
    spec: EngineSpec,
    *,
    workers: int,
    worker_mb: int = 0,
    model: str,
    announce: Callable[[str], None],
    until_stdin_closes: bool = False,
    patience: Patience | None = None,
) -> None:
    """Serve until a signal comes.

    Args:
        config: the settings in force.
        spec: what each worker loads.
        workers: how many.
        worker_mb: megabytes that one takes; 0 where that is not known.
        model: what to call the model.
        announce: gets the one line that tells that the server is ready.
        until_stdin_closes: end with the process at the other end of standard input, too.
        patience: when a worker is taken to hang.

    Raises:
        UsageError: the network is let in without a token, or the token or certificate is no good.
        ServerFailed: the address cannot be had.
        NoWorkers: not one worker can load the model.
    """
    return_memory()
    check_exposure(config)
    tls = tls_of(config)
    listener = _listen(config.host, config.port)
    try:
        asyncio.run(
            _serve(
                config,
                spec,
                listener,
                tls,
                workers=workers,
                worker_mb=worker_mb,
                model=model,
                announce=announce,
                until_stdin_closes=until_stdin_closes,
                patience=patience,
            )
        )
    finally:
        listener.close()


async def _serve(
    config: ServerConfig,
    spec: EngineSpec,
    listener: socket.socket,
    tls: ssl.SSLContext | None,
    *,
    workers: int,
    worker_mb: int,
    model: str,
    announce: Callable[[str], None],
    until_stdin_closes: bool,
    patience: Patience | None,
) -> None:
    stop = _Stop()
    if until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(stop,), name="stdin", daemon=True).start()
    ears = Ears()
    recogniser = Recogniser(
        spec,
        workers=workers,
        max_concurrent=config.max_concurrent,
        worker_mb=worker_mb,
        patience=patience,
        limits=Limits(
            interactive=config.interactive_queue_seconds,
            files=config.queue_hours * 3600,
            client_share=config.share_per_client,
        ),
    )
    front = Front(config, recogniser, ears, model=model)
    web = _WebServer(_web_config(front), tls, config)
    serving = asyncio.create_task(web.serve(sockets=[listener]))
    starting = asyncio.create_task(recogniser.start())
    measuring = asyncio.create_task(front.lag.measure())
    with stop.signals():
        try:
            await _first(starting, stop.first)
            if starting.done():
                await starting
                collect_less()
                url = _url(listener, "ws" if tls is None else "wss")
                announce(f"ready: {url} {model}, {workers} worker{'s' if workers > 1 else ''}")
                await stop.first
                logger.info("stopping; what is being recognised is finished first")
                draining = asyncio.create_task(front.drain())
                await asyncio.wait(
                    {draining, stop.second}, timeout=DRAIN, return_when=asyncio.FIRST_COMPLETED
                )
                draining.cancel()
        finally:
            starting.cancel()
            measuring.cancel()
            web.end()
            await serving
            await recogniser.close()
            ears.close()
            front.close()


class _WebServer(uvicorn.Server):
    """uvicorn, whose signals are ours to handle, and whose connections have deadlines."""

    def __init__(
        self, web: uvicorn.Config, tls: ssl.SSLContext | None, config: ServerConfig
    ) -> None:
        super().__init__(web)
        self._tls = tls
        self._handshakes = Handshakes(
            config.handshake_timeout, config.max_connections + MARGIN, config.slow_reader_timeout
        )
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Accept nothing more, and let ``serve`` return."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        """Keep the date right that answers have; uvicorn's own wakes up ten times a second."""
        while not await self.on_tick(0):
            with anyio.move_on_after(1):
                await self._ending.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        deadline = None if self._tls is None else self._handshakes.deadline
        self.servers = []
        for listener in sockets or ():
            server = await asyncio.get_running_loop().create_server(
                self._protocol,
                sock=listener,
                ssl=self._tls,
                ssl_handshake_timeout=deadline,
                backlog=BACKLOG,
            )
            self.servers.append(server)
        self.started = True

    def _protocol(self) -> asyncio.Protocol:
        return HandshakeProtocol(
            config=self.config,
            server_state=self.server_state,
            app_state={},
            handshakes=self._handshakes,
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Stop:
    """The wish to stop, by a signal or by the end of standard input."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.first: asyncio.Future[None] = self._loop.create_future()
        self.second: asyncio.Future[None] = self._loop.create_future()

    def wish(self) -> None:
        """Note the wish, from any thread or signal handler."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._note)

    def _note(self) -> None:
        if not self.first.done():
            self.first.set_result(None)
        elif not self.second.done():
            self.second.set_result(None)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM for a wish."""
        kinds = [signal.SIGINT, signal.SIGTERM]
        if sys.platform == "win32":
            kinds.append(signal.SIGBREAK)
        before = {kind: signal.signal(kind, lambda *_: self.wish()) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)


def _web_config(front: Front) -> uvicorn.Config:
    config = front.config
    rules = Rules(token_of(config), config.host, is_loopback(config.host), config.allowed_origins)
    app: ASGIApp = Gate(build_app(front), rules)
    if config.allowed_origins:
        app = CORSMiddleware(
            app, config.allowed_origins, ["GET", "POST"], ["Authorization", "Content-Type"]
        )
    wire = partial(WireProtocol, stall=config.slow_reader_timeout)
    return uvicorn.Config(
        app,
        ws=cast("type[asyncio.Protocol]", wire),
        ws_max_size=config.max_frame_mb * MEGABYTE,
        ws_ping_interval=PING_EVERY,
        ws_ping_timeout=None,
        ws_per_message_deflate=False,  # 74 ms against 1.8 ms for 960 kB
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )


def _listen(host: str, port: int) -> socket.socket:
    """Open the port before anything slow is done.

    Raises:
        ServerFailed: it is taken, or the address is not one of this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ServerFailed(f"{host} is no address to listen on: {error}") from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # on Windows it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise ServerFailed(
            f"cannot listen on {host} port {port}: {reason.lower()}; "
            "end the program that uses it, or choose another with --port"
        ) from error
    listener.setblocking(False)  # noqa: FBT003
    return listener


def _url(listener: socket.socket, scheme: str) -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _watch_stdin(stop: _Stop) -> None:
    while sys.stdin.buffer.read(1):
        pass
    stop.wish()


async def _first(*futures: asyncio.Future[None]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
