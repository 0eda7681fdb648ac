"""Asking a language model: its answer as it comes, within time limits, stopped at once."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio
import httpx
import orjson
from anyio import to_thread

from capswriter.dictation.roles.errors import NoAnswer
from capswriter.dictation.roles.events import Event, Failed, Finished, Piece, Stopped
from capswriter.dictation.roles.reading import DONE, Chunk, Tidy, read_chunk, said_wrong
from capswriter.dictation.roles.sse import EventReader, Malformed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from types import TracebackType

    from capswriter.dictation.roles.endpoint import Endpoint
    from capswriter.dictation.roles.folder import Match

LONGEST_ANSWER = 100_000
"""Characters after which a model is taken to go round in circles."""

MOST_BYTES = 1_000_000
"""Of an answer that is no stream."""

CONNECT_S = 10.0

NO_STREAM = "what answers at {} is no OpenAI-compatible endpoint: see whether base_url is right"
BROKE_OFF = "the language model's answer broke off"

_log = logging.getLogger(__name__)


class Asking:
    """Asks language models; an asynchronous context that keeps connections open in between."""

    def __init__(self) -> None:
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._making = asyncio.Lock()

    async def __aenter__(self) -> Asking:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections; no answer may be on its way."""
        with anyio.CancelScope(shield=True):
            for client in self._clients.values():
                await client.aclose()
        self._clients.clear()

    def ask(self, match: Match) -> Answer:
        """Ask the role of a text; the request is sent when the answer is entered."""
        return Answer(self, match)

    async def client(self, endpoint: Endpoint) -> httpx.AsyncClient:
        """Give the client for an endpoint: proxies are for other computers alone.

        Raises:
            NoAnswer: the proxy that the environment names cannot be used.
        """
        local = endpoint.is_local
        async with self._making:
            if local not in self._clients:
                # Reading the certificates takes its time.
                self._clients[local] = await to_thread.run_sync(_make_client, local)
            return self._clients[local]


class Answer:
    """An answer as it comes; an asynchronous context, within which its events are iterated.

    They are any number of ``Piece``, and then one of ``Finished``, ``Failed`` and ``Stopped``. When
    the context is left, the connection of an answer that has not ended is closed.

    Args:
        asking: whose connections are used.
        match: what is asked.
    """

    def __init__(self, asking: Asking, match: Match) -> None:
        self._asking = asking
        self._match = match
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._pieces: list[str] = []
        self._given: list[str] = []
        self._is_stopped = False
        self._is_over = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Answer:
        self._task = asyncio.create_task(self._run(), name=f"role {self._match.role.name}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        assert self._task is not None  # noqa: S101
        self.stop()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([self._task])

    def stop(self) -> None:
        """Stop the answer at once: no piece comes any more, and the model is hung up on."""
        if self._is_stopped or self._task is None:
            return
        self._is_stopped = True
        self._task.cancel()
        while not self._events.empty():
            self._events.get_nowait()
        self._events.put_nowait(Stopped("".join(self._given)))

    async def __aiter__(self) -> AsyncIterator[Event]:
        while not self._is_over:
            event = await self._events.get()
            if isinstance(event, Piece):
                self._given.append(event.text)
            else:
                self._is_over = True
            yield event

    async def _run(self) -> None:
        began = time.monotonic()
        name = self._match.role.name
        try:
            is_whole = await self._ask_within_limits()
        except (NoAnswer, Malformed) as error:
            reason = str(error)
            if isinstance(error, Malformed):
                reason = f"the language model's answer cannot be read: {error}"
            self._fail(reason)
        except Exception:  # noqa: BLE001  the user gets the plain text, whatever happens
            _log.exception("role %s failed", name)
            self._fail("asking the language model failed; the log says how")
        else:
            self._put(Finished("".join(self._pieces), is_whole=is_whole))
            _log.debug("role %s answered in %.1f s", name, time.monotonic() - began)

    def _fail(self, reason: str) -> None:
        text = f"{self._match.role.name}: {reason}"
        self._put(Failed(text, "".join(self._pieces), self._match.plain))

    def _put(self, event: Event) -> None:
        if not self._is_stopped:
            self._events.put_nowait(event)

    async def _ask_within_limits(self) -> bool:
        role = self._match.role
        began = anyio.current_time()
        over = began + role.time_limit
        with anyio.CancelScope(deadline=min(began + role.first_piece_limit, over)) as scope:
            return await self._ask(scope, over)
        if self._pieces:
            raise NoAnswer(f"the language model had not ended after {role.time_limit:g} s")
        limit = min(role.first_piece_limit, role.time_limit)
        raise NoAnswer(f"the language model has not begun to answer within {limit:g} s")

    async def _ask(self, scope: anyio.CancelScope, over: float) -> bool:
        """Ask; give whether the answer is whole."""
        tidy = Tidy()
        ending = ""
        async with aclosing(self._chunks()) as chunks:
            async for chunk in chunks:
                if text := tidy.feed(chunk.text):
                    scope.deadline = over
                    self._take(text)
                ending = chunk.ending or ending
        if text := tidy.rest():
            self._take(text)
        if ending == "content_filter":
            raise NoAnswer("the language model's provider holds back the answer")
        if not self._pieces:
            raise NoAnswer("the language model answered nothing")
        return ending != "length"

    def _take(self, text: str) -> None:
        self._pieces.append(text)
        self._put(Piece(text))
        if sum(map(len, self._pieces)) > LONGEST_ANSWER:
            raise NoAnswer("the language model does not stop answering")

    async def _chunks(self) -> AsyncGenerator[Chunk, None]:
        endpoint = self._match.endpoint
        key = await to_thread.run_sync(endpoint.key)
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",  # compressed, pieces would wait for each other
        }
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        body = orjson.dumps(self._match.role.request(self._match.text, endpoint.model))
        client = await self._asking.client(endpoint)
        try:
            async with client.stream("POST", endpoint.url, content=body, headers=headers) as reply:
                if reply.status_code != httpx.codes.OK:
                    raise _refused(endpoint, reply, await _body(reply), key)
                kind = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                if kind == "text/html":
                    raise NoAnswer(NO_STREAM.format(endpoint.base_url))
                if kind == "application/json":
                    yield read_chunk(await _body(reply))
                    return
                async with aclosing(_streamed(reply)) as chunks:
                    async for chunk in chunks:
                        yield chunk
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                text = f"the certificate of {endpoint.base_url} is not trusted"
                raise NoAnswer(text) from error
            text = f"no language model answers at {endpoint.base_url}: see whether it runs"
            raise NoAnswer(text) from error
        except httpx.HTTPError as error:
            raise NoAnswer(BROKE_OFF) from error


async def _streamed(reply: httpx.Response) -> AsyncGenerator[Chunk, None]:
    reader = EventReader()
    ending = ""
    async for part in reply.aiter_bytes():
        for data in reader.feed(part):
            if data.strip() == DONE:
                return
            chunk = read_chunk(data)
            ending = ending or chunk.ending
            yield chunk
    if not ending:
        raise NoAnswer(BROKE_OFF)


async def _body(reply: httpx.Response) -> bytes:
    body = b""
    async for part in reply.aiter_bytes():
        body += part
        if len(body) > MOST_BYTES:
            raise NoAnswer(NO_STREAM.format(reply.url.copy_with(query=None)))
    return body


def _refused(endpoint: Endpoint, reply: httpx.Response, body: bytes, key: str | None) -> NoAnswer:
    status = reply.status_code
    codes = httpx.codes
    if status in {codes.UNAUTHORIZED, codes.FORBIDDEN}:
        place = endpoint.key_env or endpoint.key_file
        what = f"does not accept the key: see {place}" if place else "wants a key: give key_env"
    elif status == codes.NOT_FOUND:
        what = f"has no model {endpoint.model!r}, or base_url is wrong"
    elif status == codes.TOO_MANY_REQUESTS:
        what = "has had too many requests, or the account is used up: try later"
    elif status >= codes.INTERNAL_SERVER_ERROR:
        what = "is in trouble: try later"
    elif reply.is_redirect:
        what = "has moved: mend base_url"
    else:
        what = "refuses"
    try:
        said = said_wrong(orjson.loads(body))
    except ValueError:
        said = ""
    if key:
        said = said.replace(key, "***")
    words = f"; it says: {said}" if said else ""
    return NoAnswer(f"{endpoint.base_url} {what} (HTTP {status}{words})")


def _make_client(local: bool) -> httpx.AsyncClient:  # noqa: FBT001
    try:
        timeout = httpx.Timeout(None, connect=CONNECT_S)
        return httpx.AsyncClient(timeout=timeout, trust_env=not local)
    except ImportError as error:
        raise NoAnswer("a SOCKS proxy needs one more package: pip install socksio") from error
    except (ValueError, httpx.InvalidURL) as error:
        text = "the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names cannot be used: mend it"
        raise NoAnswer(text) from error
