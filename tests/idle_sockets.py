"""Clients that connect and say nothing: URL COUNT. Prints ``open``; ends with standard input."""

from __future__ import annotations

import asyncio
import sys

from websockets.asyncio.client import ClientConnection, connect

AT_ONCE = 32
"""Handshakes at once."""


async def main(url: str, count: int) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def enter() -> ClientConnection:
        async with turns:
            return await connect(url, ping_interval=None, compression=None, open_timeout=60)

    sockets = await asyncio.gather(*(enter() for _ in range(count)))
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    assert all(each.close_code is None for each in sockets), "the server has closed some"
    for each in sockets:
        each.transport.abort()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
