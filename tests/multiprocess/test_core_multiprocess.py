"""Several workers at the same time.

By hand, ``python tests/multiprocess/test_core_multiprocess.py`` starts a server with two workers to
try things on; its options are those of ``capswriter serve``. Under pytest: N workers really work at
the same time, whatever the machine's speed.
"""

from __future__ import annotations

import sys
from itertools import combinations

import pytest

SECONDS = 30
CLIPS = 6


def overlap(one, other):
    """Tell for how many seconds two spans of time were at once."""
    return min(one.ended, other.ended) - max(one.began, other.began)


@pytest.mark.model
def test_two_workers_recognise_at_the_same_time(whisper_base, samples, tmp_path):
    from capswriter.audio import SAMPLE_RATE
    from capswriter.bench.arrangements import Load, OwnServer, observed
    from capswriter.bench.material import Material, read
    from capswriter.bench.subject import Subject

    whole, _ = read([samples / "01.mp3"])
    speech = whole[0].samples[: SECONDS * SAMPLE_RATE]
    clips = [Material(f"clip {number}", speech) for number in range(CLIPS)]
    server = OwnServer(Subject("whisper-base", str(whisper_base)), 2, tmp_path)
    run = observed(server, Load(clips, clients=4), number=0)
    assert not run.error
    assert len({sample.text for sample in run.samples}) == 1
    assert {span.worker for span in run.spans} == {0, 1}
    together = [
        (one, other)
        for one, other in combinations(run.spans, 2)
        if one.worker != other.worker and overlap(one, other) > 0
    ]
    assert len(together) >= CLIPS // 2
    for one, other in combinations(run.spans, 2):
        assert one.worker != other.worker or overlap(one, other) <= 0


if __name__ == "__main__":
    from launch import MODEL, capswriter, pull

    given = sys.argv[1:]
    if not {"--model", "-h", "--help"}.intersection(given):
        pull(MODEL)
        given = ["--model", MODEL, *given]
    sys.exit(capswriter("serve", "--workers", "2", *given))
