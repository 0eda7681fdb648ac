"""What a measurement leaves behind: one JSON file with every sample in it.

Everything that a report shows is computed from such a file, so that every figure can be found in
it or worked out from it. Times are seconds since the run began, memory is in bytes, audio in
seconds. ``docs/benchmark.md`` explains the fields for those who read it with other programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from capswriter.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Final = 1
"""Version of the format; a reader refuses others."""


class BadResult(UserError):
    """A file is no result of a measurement."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(_Part):
    """What the figures depend on.

    Args:
        processor: its name.
        flags: of the processor, those that decide how fast an engine is.
        cores: that this process may use.
        memory: bytes that it may use.
        system: name and release.
        python: version.
        packages: versions by name.
        load: average load of the last minute, before the measurement; None where it is not told.
    """

    processor: str
    flags: tuple[str, ...]
    cores: int
    memory: int
    system: str
    python: str
    packages: dict[str, str]
    load: float | None = None


class Recording(_Part):
    """Something that is recognised.

    Args:
        name: of it, as samples refer to it.
        seconds: of audio.
        expected: the text that is right: an engine's own, of one process that did nothing else.
        reference: what was really said, where that is known.
    """

    name: str
    seconds: float
    expected: str | None = None
    reference: str | None = None


class Sample(_Part):
    """One task, from its first byte to its text.

    Args:
        recording: name of it.
        client: number of who sent it.
        sent: when its first byte left.
        spoken: when its last byte left.
        ended: when its text or its error came.
        audio: seconds of it.
        text: None after an error.
        error: code; empty where there is a text.
    """

    recording: str
    client: int
    sent: float
    spoken: float
    ended: float
    audio: float
    text: str | None = None
    error: str = ""


class Span(_Part):
    """A stretch of time in which an engine worked on a segment.

    Args:
        worker: number of who did it.
        began: when.
        ended: when.
        audio: seconds of it.
    """

    worker: int
    began: float
    ended: float
    audio: float


class Usage(_Part):
    """What one process took up at one moment.

    Args:
        at: when.
        process: ``front``, ``worker 0``, and so on.
        pid: of it.
        cpu: seconds of the processor that it has taken since the run began.
        rss: bytes, shared pages in full.
        pss: bytes, each shared page divided among those who share it; None where it is not told.
        threads: how many.
        files: descriptors, or handles; None where it is not told.
    """

    at: float
    process: str
    pid: int
    cpu: float
    rss: int
    pss: int | None
    threads: int
    files: int | None


class Stages(_Part):
    """Where the time of one utterance went, in seconds.

    Args:
        receive: from the last byte that left the client until its last segment was queued.
        queue: that this segment waited for a worker.
        pipe: on its way to the worker and back.
        engine: that the engine took.
        merge: from there until the text was written.
        send: from there until the client had it.
        total: all of these.
    """

    receive: float
    queue: float
    pipe: float
    engine: float
    merge: float
    send: float
    total: float


Arrangement = Literal["server", "bare", "queue", "peer"]


class Run(_Part):
    """One arrangement at work, once.

    Args:
        arrangement: ``server``: this one, behind its sockets. ``bare``: so many processes that
            loop over the engine, and nothing else. ``queue``: as many that take from one shared
            ``multiprocessing.Queue``. ``peer``: another program.
        name: of a peer; otherwise the arrangement's.
        workers: how many.
        round: from 0; warm-ups have none.
        seconds: how long it took.
        samples: every task.
        spans: what each worker did when; empty where nobody tells.
        usage: of every process, over time.
        stages: of each utterance, where that was measured.
        error: why it ended early; empty where it did not.
    """

    arrangement: Arrangement
    name: str
    workers: int
    round: int
    seconds: float
    samples: tuple[Sample, ...] = ()
    spans: tuple[Span, ...] = ()
    usage: tuple[Usage, ...] = ()
    stages: tuple[Stages, ...] = ()
    error: str = ""


class Result(_Part):
    """A whole measurement.

    Args:
        kind: which command made it.
        created: ISO 8601, UTC.
        command: that repeats it.
        version: of CapsWriter Server.
        machine: where.
        model: name of it.
        settings: what else decides the figures, by name.
        recordings: that were recognised.
        runs: in the order in which they were made.
        missing: what could not be measured or finished, and why; a line each.
        schema_version: of this format.
    """

    kind: Literal["run", "compare", "peers", "overhead"]
    created: str
    command: str
    version: str
    machine: Machine
    model: str
    settings: dict[str, str | int | float | bool | None]
    recordings: tuple[Recording, ...]
    runs: tuple[Run, ...]
    missing: tuple[str, ...] = ()
    schema_version: Literal[1] = SCHEMA

    def save(self, path: Path) -> None:
        """Write it, all at once or not at all.

        Raises:
            OSError: it cannot be written.
        """
        partial = path.with_name(path.name + ".part")
        try:
            partial.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Result:
        """Read one.

        Raises:
            BadResult: it cannot be read, or is something else.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise BadResult(f"{path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise BadResult(
                f"{path} is no result of capswriter bench: {where}: {first['msg']}"
            ) from error
