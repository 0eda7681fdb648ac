"""Load for a server, and how it did: one run of the kind ``server``."""

from __future__ import annotations

import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import anyio
import httpx
from websockets.exceptions import InvalidHandshake

from capswriter.bench.arrangements.base import Load, Notes, Trouble
from capswriter.bench.arrangements.server import add_spans, check, dealt, sample, warm_up
from capswriter.bench.load import Outcome, Work, open_loop
from capswriter.bench.serving import NotServing, started
from capswriter.client.errors import NoServer, Refused
from capswriter.client.upload import SEGMENT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from capswriter.bench.result import Arrangement as Kind
    from capswriter.bench.serving import Served
    from capswriter.bench.subject import Subject

ASK_S = 10.0
"""Seconds that a server has to tell its numbers."""

HERE = {"127.0.0.1", "localhost", "::1"}
"""Hosts whose processes can be read."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs already.

    Args:
        url: of its WebSocket.
        token: what it wants callers to know.
    """

    url: str
    token: str = ""

    @property
    def name(self) -> str:
        """The URL for the eye: without a password."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return urlsplit(self.url).hostname in HERE

    async def stats(self) -> dict[str, Any]:
        """Ask for its numbers.

        Raises:
            NoServer: nobody answers.
            Refused: it does not tell us.
        """
        parts = urlsplit(self.url)
        secure = parts.scheme == "wss"
        page = urlunsplit(("https" if secure else "http", parts.netloc, "/stats", "", ""))
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        verify = ssl.create_default_context() if secure else True
        try:
            async with httpx.AsyncClient(timeout=ASK_S, trust_env=False, verify=verify) as http:
                reply = await http.get(page, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoServer(
                f"no server answers at {self.name}; start one with 'capswriter serve', or "
                "leave out --server"
            ) from error
        if reply.status_code == httpx.codes.UNAUTHORIZED:
            raise Refused(f"the server at {self.name} wants its token: give --token")
        try:
            told: dict[str, Any] = reply.json()
            workers = told["workers"]
        except (ValueError, KeyError, TypeError):
            workers = None
        if not isinstance(workers, list):
            raise Refused(
                f"what answers at {self.name} is no CapsWriter Server that tells how it is"
            )
        return told


@dataclass(frozen=True, slots=True)
class Loaded:
    """A server under load: in a closed loop, or at a rate.

    Args:
        workers: how many it has.
        server: one that runs; None to start one.
        subject: what a server serves that is started; None where one runs.
        directory: for the log of a server that is started.
        rate: tasks in a second; None for a closed loop.
        paced: recordings are spoken, not sent at once.
        shares: gets what each worker did, as far as the server tells.
    """

    workers: int
    server: Running | None
    subject: Subject | None
    directory: Path
    rate: float | None
    paced: bool
    shares: dict[str, str | int | float | bool | None]
    kind: ClassVar[Kind] = "server"

    def work(self, load: Load, notes: Notes) -> None:
        """See ``Arrangement``."""
        try:
            if self.server is not None:
                anyio.run(self._load, self.server, None, load, notes)
                return
            with TemporaryDirectory(prefix="capswriter-") as folder:
                trace = Path(folder, "trace.jsonl")
                try:
                    anyio.run(self._start, load, notes, trace)
                finally:
                    add_spans(trace, notes)
        except (NotServing, NoServer, Refused) as error:
            raise Trouble(str(error)) from error

    async def _start(self, load: Load, notes: Notes, trace: Path) -> None:
        assert self.subject is not None  # noqa: S101
        token = secrets.token_urlsafe()
        arguments = self.subject.serve(workers=self.workers, trace=trace)
        log = self.directory / "server.log"
        async with started(arguments, log=log, token=token) as served:
            await self._load(Running(served.url, token), served, load, notes)

    async def _load(self, server: Running, served: Served | None, load: Load, notes: Notes) -> None:
        if load.warm_up:
            await warm_up(server.url, load, workers=self.workers, token=server.token)
        before = await server.stats()
        front = served.pid if served else before["front"]["pid"] if server.is_here else None
        seen: list[Outcome] = []

        def note(outcome: Outcome) -> None:
            seen.append(outcome)
            notes.samples.append(sample(outcome, notes.began))

        with notes.measuring(front=front):
            await self._send(server, load, note)
            check(seen, served)
        self.shares.update(shares(before, await server.stats()))

    async def _send(self, server: Running, load: Load, note: Callable[[Outcome], None]) -> None:
        url, token = server.url, server.token
        if self.rate is None:
            works = self._works(load)
            await dealt(url, works, load, note, clients=load.clients, token=token)
            return
        try:
            await open_loop(
                url,
                list(self._works(Load(load.materials))),
                rate=self.rate,
                seconds=load.seconds,
                clients=load.clients,
                on_outcome=note,
                token=token,
            )
        except (OSError, InvalidHandshake) as error:
            raise Trouble(f"no connection to the server: {error}") from error

    def _works(self, load: Load) -> Iterator[Work]:
        for material in load.turns():
            if self.paced:
                yield Work("mic", material.samples, material.name, paced=True)
            else:
                yield Work("file", material.samples, material.name, segment=SEGMENT_S)


def shares(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, str | int | float | bool | None]:
    """Tell what each worker did between two readings of ``/stats``."""
    earlier = {row["pid"]: row for row in before["workers"]}
    found: dict[str, str | int | float | bool | None] = {}
    for row in after["workers"]:
        was = earlier.get(row["pid"], {"tasks": 0, "busy_seconds": 0.0})
        name = f"worker {row['number']}"
        found[f"{name}, segments"] = row["tasks"] - was["tasks"]
        found[f"{name}, busy seconds"] = round(row["busy_seconds"] - was["busy_seconds"], 2)
    return found
