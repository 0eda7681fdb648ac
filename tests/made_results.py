"""Results of measurements that nobody made: their figures are known."""

from __future__ import annotations

import random

from capswriter.bench.result import (
    Machine,
    Recording,
    Result,
    Run,
    Sample,
    Span,
    Stages,
    Usage,
)

GB = 1_000_000_000
FILES = ("01.mp3", "02.mp3", "03.mp3", "04.mp3")
AUDIO = 10.0
"""Seconds of each recording."""


def machine(**changes) -> Machine:
    known = {
        "processor": "Abacus 9",
        "flags": ("avx2",),
        "cores": 2,
        "memory": 16 * GB,
        "system": "Linux 6.1",
        "python": "3.11.7",
        "packages": {"onnxruntime": "1.20.0"},
        "load": 0.1,
    }
    return Machine(**known | changes)


def recordings(**changes) -> tuple[Recording, ...]:
    return tuple(
        Recording(
            **{"name": name, "seconds": AUDIO, "expected": f"text of {name}", "reference": None}
            | changes
        )
        for name in FILES
    )


def samples(seconds: float, *, workers: int = 1) -> tuple[Sample, ...]:
    """All recordings sent at once; the texts come as evenly as workers can give them."""
    found = []
    for index, name in enumerate(FILES):
        turn = index // workers + 1
        ended = seconds * turn / -(-len(FILES) // workers)
        found.append(
            Sample(
                recording=name,
                client=index,
                sent=0.0,
                spoken=0.0,
                ended=ended,
                audio=AUDIO,
                text=f"text of {name}",
            )
        )
    return tuple(found)


def spans(seconds: float, workers: int, *, idle: float = 0.0) -> tuple[Span, ...]:
    """The recordings in turns, each worker busy from the start until its idle share begins."""
    each = seconds * (1 - idle) / -(-len(FILES) // workers)
    return tuple(
        Span(
            worker=index % workers,
            began=index // workers * each,
            ended=(index // workers + 1) * each,
            audio=AUDIO,
        )
        for index in range(len(FILES))
    )


def usage(
    seconds: float,
    workers: int,
    *,
    front: int = GB // 10,
    worker: int = GB,
    cores: float = 1.0,
    leak: float = 0.0,
    pss: bool = True,
    moments: int = 13,
) -> tuple[Usage, ...]:
    """Level memory, or one that grows by a share of itself over the run; as many cores each."""
    found = []
    sizes = {"front": front} | {f"worker {number}": worker for number in range(workers)}
    for moment in range(moments):
        at = seconds * moment / (moments - 1)
        for number, (name, size) in enumerate(sizes.items()):
            taken = round(size * (1 + leak * moment / (moments - 1)))
            found.append(
                Usage(
                    at=at + number * 0.001,
                    process=name,
                    pid=100 + number,
                    cpu=at * (0.05 if name == "front" else cores),
                    rss=taken + GB // 20,
                    pss=taken if pss else None,
                    threads=4,
                    files=10,
                )
            )
    return tuple(found)


def run(arrangement: str = "server", workers: int = 1, seconds: float = 20.0, **changes) -> Run:
    known = {
        "arrangement": arrangement,
        "name": arrangement,
        "workers": workers,
        "round": 0,
        "seconds": seconds,
        "samples": samples(seconds, workers=workers),
    }
    if arrangement == "server":
        known |= {"spans": spans(seconds, workers), "usage": usage(seconds, workers)}
    return Run(**known | changes)


def result(*runs: Run, kind: str = "compare", **changes) -> Result:
    known = {
        "kind": kind,
        "created": "2026-01-02T03:04:05Z",
        "command": "capswriter bench compare --workers 1,2",
        "version": "1.2.3",
        "machine": machine(),
        "model": "whisper-base",
        "settings": {"clients": 4, "int8": True, "language": None},
        "recordings": recordings(),
        "runs": runs,
    }
    return Result(**known | changes)


def comparison(**changes) -> Result:
    """Two rounds: the server is 1.8 and 2 times as fast with 2 workers, bare processes twice."""
    runs = []
    for number, seconds in enumerate((20 / 1.8, 10.0)):
        runs += [
            run(workers=1, round=number),
            run(workers=2, seconds=seconds, round=number),
            run("bare", 1, 19.0, round=number),
            run("bare", 2, 9.5, round=number),
            run("queue", 2, 12.5, round=number),
        ]
    return result(*runs, **changes)


def stages(scale: float = 1.0) -> Stages:
    """In all 410 ms, of them 400 of the engine."""
    parts = {"receive": 0.002, "queue": 0.001, "pipe": 0.003, "engine": 0.4, "merge": 0.001}
    parts |= {"send": 0.003}
    return Stages(**{name: value * scale for name, value in parts.items()}, total=0.41 * scale)


def lifelike(rounds: int = 3, seed: int = 5) -> Result:
    """As a real comparison looks: uneven, with many segments. For looking at."""
    chance = random.Random(seed)
    runs = []
    for number in range(rounds):
        for arrangement, workers, pace in (
            ("server", 1, 1.0),
            ("server", 2, 1.05),
            ("bare", 1, 0.97),
            ("bare", 2, 1.0),
            ("queue", 2, 1.15),
        ):
            runs.append(_lifelike(chance, arrangement, workers, pace, number))
    said = recordings(reference="text of that file")
    return result(*runs, recordings=said)


def _lifelike(chance, arrangement: str, workers: int, pace: float, number: int) -> Run:
    free, done, took = [0.0] * workers, [], []
    for index in range(36):
        worker = min(range(workers), key=free.__getitem__)
        audio = chance.uniform(5, 28)
        seconds = pace * (0.1 + 0.09 * audio) * chance.uniform(0.9, 1.15)
        began = free[worker] + chance.uniform(0.002, 0.02)
        free[worker] = began + seconds
        done.append(Span(worker=worker, began=began, ended=free[worker], audio=audio))
        name = FILES[index % len(FILES)]
        times = {
            "sent": max(0.0, began - 4),
            "spoken": max(0.0, began - 3.9),
            "ended": free[worker],
        }
        known = {"recording": name, "client": index % 4, "audio": audio, "text": f"text of {name}"}
        took.append(Sample(**known, **times))
    seconds = max(free)
    watched = []
    for moment in range(int(seconds / 0.5)):
        at = 0.5 * moment
        for process in range(workers + 1):
            size = 0.16 * GB if process == 0 else 0.62 * GB + chance.uniform(0, 0.05) * GB
            rate = 0.06 if process == 0 else 0.97
            watched.append(
                Usage(
                    at=at,
                    process="front" if process == 0 else f"worker {process - 1}",
                    pid=200 + process,
                    cpu=max(0.0, rate * at + chance.uniform(-0.02, 0.02)),
                    rss=int(size * 1.2),
                    pss=int(size * min(1, 0.75 + moment / 20)),
                    threads=5,
                    files=20,
                )
            )
    ours = arrangement == "server"
    return Run(
        arrangement=arrangement,
        name=arrangement,
        workers=workers,
        round=number,
        seconds=seconds,
        samples=tuple(took),
        spans=tuple(done) if ours else (),
        usage=tuple(watched) if ours else (),
    )
