"""All recordings at once.

By hand, ``python tests/multiprocess/test_concurrent_client.py`` sends all files of
``ref_codes/samples`` to a server at the same time, one that it starts or ``--server URL``; the
options are those of ``capswriter bench run``. Under pytest: every text comes, and is right.
"""

from __future__ import annotations

import asyncio
import sys

import pytest

HIGHEST_ERROR_RATE = 0.08


@pytest.mark.model
def test_all_recordings_at_once_come_back_right(server, samples):
    from capswriter.bench.errors_in_text import word_error_rate
    from capswriter.bench.load import Work, deal
    from capswriter.bench.material import read

    recordings, missing = read(sorted(samples.glob("*.mp3")))
    assert not missing
    said = {each.name: each.reference for each in recordings}
    works = iter([Work("file", each.samples, each.name, segment=60) for each in recordings])
    outcomes = []
    asyncio.run(deal(server.url, works, clients=len(recordings), on_outcome=outcomes.append))
    assert {outcome.name for outcome in outcomes} == set(said)
    for outcome in outcomes:
        assert outcome.error == ""
        assert word_error_rate(said[outcome.name], outcome.text) <= HIGHEST_ERROR_RATE
    assert max(each.sent_at for each in outcomes) < min(each.final_at for each in outcomes)


if __name__ == "__main__":
    from launch import LOGS, MODEL, PROJECT, capswriter, pull

    given = sys.argv[1:]
    if not {"--server", "--model", "-h", "--help"}.intersection(given):
        pull(MODEL)
    if "--out" not in given:
        given = ["--out", str(LOGS / "concurrent"), *given]
    if "--clients" not in given:
        samples = PROJECT / "ref_codes" / "samples"
        given = ["--clients", str(len(list(samples.glob("*.mp3")))), *given]
    sys.exit(capswriter("bench", "run", *given))
