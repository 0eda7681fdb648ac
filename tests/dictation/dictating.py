"""A dictation client that types into a file, and a nursery that kills it: URL FOLDER.

Each line on the standard input is a life: the seconds after which it is killed, and how often it
dictates. It delivers first what earlier ones have left, and ends when all is delivered. The nursery
forks it, so that no time goes into imports, and answers with the seconds that it lived, and its
status.

What is dictated is two seconds of ``speech.s16`` in the folder, from another second each time. The
folder gets, in a line for each dictation,

- ``begun``: once its first block is on the disk;
- ``whole``: once all of it is, and from which second it was;
- ``typed``: what was delivered.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from capswriter.audio import SAMPLE_RATE
from capswriter.dictation.journal import Journal
from capswriter.dictation.sending import Recognised, Sender

SECONDS, OTHERS, BLOCK = 2, 6, SAMPLE_RATE // 10


def append(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, text.encode())
    os.close(handle)


async def live(url: str, folder: Path, times: int) -> None:
    journal = Journal(folder / "journal")
    async with journal, Sender(journal, url) as sender:
        speaking = asyncio.create_task(speak(journal, sender, folder, times))
        to_come = sender.recovered + times
        events = sender.events()
        while to_come:
            event = await events.__anext__()
            if isinstance(event, Recognised):
                await deliver(event, folder)
                to_come -= 1
        await speaking


async def speak(journal: Journal, sender: Sender, folder: Path, times: int) -> None:
    speech = np.fromfile(folder / "speech.s16", "<i2").astype(np.float32) / 32_768
    for turn in range(times):
        start = (os.getpid() + turn) % OTHERS
        entry = journal.begin()
        dictation = sender.begin(entry)
        spoken = speech[start * SAMPLE_RATE : (start + SECONDS) * SAMPLE_RATE]
        for index, block in enumerate(spoken.reshape(-1, BLOCK)):
            dictation.add(block)
            if not index:
                await entry.add(b"")
                append(folder / "begun", f"{entry.record.name}\n")
            await asyncio.sleep(0.002)
        dictation.stop()
        await journal.records()  # which waits for all that was to be written
        append(folder / "whole", f"{entry.record.name} {start}\n")


async def deliver(event: Recognised, folder: Path) -> None:
    await event.entry.delivering()
    for piece in (f"\n{event.entry.record.name}", " ", event.text):
        append(folder / "typed", piece)
        await asyncio.sleep(0.01)
    await event.entry.delivered()


def main() -> None:
    url, folder = sys.argv[1], Path(sys.argv[2])
    print("up", flush=True)
    for line in sys.stdin:
        limit, times = line.split()
        began = time.monotonic()
        if not (pid := os.fork()):
            asyncio.run(live(url, folder, int(times)))
            os._exit(0)
        ended = code = 0
        while not ended:
            ended, code = os.waitpid(pid, os.WNOHANG)
            if not ended and time.monotonic() - began > float(limit):
                os.kill(pid, signal.SIGKILL)
                ended, code = os.waitpid(pid, 0)
            time.sleep(0.0005)
        print(time.monotonic() - began, os.waitstatus_to_exitcode(code), flush=True)


if __name__ == "__main__":
    main()
