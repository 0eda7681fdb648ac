"""A program that recognises one recording after another, in a process of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from capswriter.audio import SAMPLE_RATE
from capswriter.bench.arrangements import Load, Notes, Trouble
from capswriter.bench.arrangements.processes import SPAWN
from capswriter.bench.bare import Done, Failed, Loading, Ready, over_pipe
from capswriter.bench.peers import programs
from capswriter.bench.result import Sample

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from capswriter.bench.bare import News
    from capswriter.bench.peers.programs import Program
    from capswriter.bench.result import Arrangement as Kind

WARM_UP_S = 10.0
"""Seconds of audio with which it warms up."""

END_S = 5.0
"""Seconds that its process has to end."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A program in a loop; see ``Arrangement``.

    Args:
        program: which.
        workers: one process, with however many threads.
    """

    program: Program
    workers: int = 1
    kind: ClassVar[Kind] = "peer"

    def work(self, load: Load, notes: Notes) -> None:
        """See ``Arrangement``; recordings are given whole, as their samples."""
        ours, theirs = SPAWN.Pipe()
        loading = Loading(str(self.program.model), f"{programs.__name__}:{self.program.loader}")
        process = SPAWN.Process(target=over_pipe, args=(theirs, loading, 0), daemon=True)
        process.start()
        theirs.close()
        try:
            _expect(ours, load.patience, Ready)
            clips = [each.samples for each in load.materials]
            ours.send([*clips, clips[0][: round(WARM_UP_S * SAMPLE_RATE)]])
            for _ in range(load.warm_up):
                _heard(ours, len(clips), load)
            with notes.measuring(pids={"worker 0": process.pid or 0}):
                for material in load.turns():
                    began = time.monotonic() - notes.began
                    done = _heard(ours, load.materials.index(material), load)
                    notes.span(0, done.began, done.ended, material.seconds)
                    notes.samples.append(
                        Sample(
                            recording=material.name,
                            client=0,
                            sent=began,
                            spoken=began,
                            ended=time.monotonic() - notes.began,
                            audio=material.seconds,
                            text=done.transcript.text,
                        )
                    )
            ours.send(None)  # it ends, and leaves nothing behind
            process.join(END_S)
        except (EOFError, OSError) as error:
            raise Trouble(f"{self.program.name}: its process has ended") from error
        except Trouble as trouble:
            raise Trouble(f"{self.program.name}: {trouble}") from trouble
        finally:
            ours.close()
            process.terminate()
            process.join(END_S)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


def _heard(pipe: Connection, clip: int, load: Load) -> Done:
    pipe.send((0, clip))
    return _expect(pipe, load.patience, Done)


def _expect(pipe: Connection, patience: float, kind: type[_News]) -> _News:
    if not pipe.poll(patience):
        raise Trouble(f"nothing was heard of it for {patience:.0f} s")
    told: News = pipe.recv()
    if isinstance(told, Failed):
        raise Trouble(told.reason)
    if not isinstance(told, kind):
        raise Trouble(f"it told {type(told).__name__} and not {kind.__name__}")
    return told


if TYPE_CHECKING:
    from typing import TypeVar

    _News = TypeVar("_News", Ready, Done)
