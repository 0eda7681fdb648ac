"""The plan for more users: the simulator against queueing theory, and against what was measured."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from capswriter.bench.plan import search
from capswriter.bench.plan.costs import NothingToPlanBy, costs
from capswriter.bench.plan.replay import check, replay
from capswriter.bench.plan.search import Size, Unreachable, Wanted, plan, simulate
from capswriter.bench.plan.simulation import Arrangement, Priority, Segment, Simulation
from capswriter.bench.result import BadResult, Machine, Result, Run, Sample, Span, Usage
from capswriter.cli.bench.plan import command

GB = 10**9

MEASURED = Path(__file__).with_name("measured.json")
"""``capswriter bench compare --workers 1,2`` with whisper-base, on two cores."""


@pytest.fixture(autouse=True)
def _fewer(monkeypatch):
    monkeypatch.setattr(search, "UTTERANCES", 3_000)
    monkeypatch.setattr(search, "WARM_UP", 300)


def erlang_c(servers: int, load: float) -> float:
    """Probability of having to wait in M/M/c (Erlang 1917), by the recursion of Erlang B."""
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def times_in_system(arrangement, works, gaps, priorities=None):
    """Let one task after another arrive: how long each is there."""
    simulation = Simulation(arrangement)
    found = {}
    at = 0.0
    for number, (work, gap) in enumerate(zip(works, gaps, strict=True)):
        at += gap

        def begin(number=number, work=float(work), at=at):
            def ended():
                found[number] = simulation.now - at

            priority = Priority.INTERACTIVE if priorities is None else priorities[number]
            simulation.submit([Segment(work)], ended, priority=priority)

        simulation.at(at, begin)
    simulation.run()
    return np.array([found[number] for number in range(len(works))])


@settings(max_examples=6)
@given(servers=st.integers(1, 8), use=st.floats(0.3, 0.8), seed=st.integers(0, 2**32 - 1))
def test_waiting_is_that_of_erlang_c(servers, use, seed):
    random = np.random.default_rng(seed)
    works, gaps = random.exponential(1, 20_000), random.exponential(1 / (servers * use), 20_000)
    there = times_in_system(Arrangement(servers, cores=servers), works, gaps)
    expected = erlang_c(servers, servers * use) / (servers * (1 - use))
    assert np.mean(there - works) == pytest.approx(expected, rel=0.3, abs=0.02)


def test_waiting_for_equal_work_is_half_of_that_for_exponential_work():
    random = np.random.default_rng(1)
    gaps = random.exponential(1 / 0.6, 40_000)
    there = times_in_system(Arrangement(1, cores=1), np.ones(40_000), gaps)
    assert np.mean(there) - 1 == pytest.approx(0.6 / (2 * 0.4), rel=0.08)  # Pollaczek-Khinchine


def test_workers_that_share_a_core_are_processor_sharing():
    random = np.random.default_rng(2)
    works, gaps = random.gamma(4, 0.25, 20_000), random.exponential(1 / 0.5, 20_000)
    there = times_in_system(Arrangement(1000, cores=1), works, gaps)
    # Mean time in M/G/1-PS depends on nothing but the mean of the work.
    assert np.mean(there) == pytest.approx(1 / (1 - 0.5), rel=0.08)


def test_classes_wait_as_cobham_says():
    random = np.random.default_rng(3)
    works, gaps = random.exponential(1, 40_000), random.exponential(1 / 0.7, 40_000)
    priorities = random.permutation([Priority.INTERACTIVE, Priority.FILE] * 20_000)
    there = times_in_system(Arrangement(1, cores=1), works, gaps, priorities)
    first = priorities == Priority.INTERACTIVE
    waits = there - works
    assert waits[first].mean() == pytest.approx(0.7 / (1 - 0.35), rel=0.1)
    assert waits[~first].mean() == pytest.approx(0.7 / ((1 - 0.35) * (1 - 0.7)), rel=0.15)


@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 5)), min_size=1, max_size=40),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_every_task_ends_and_work_is_neither_lost_nor_invented(tasks, workers, cores):
    works, gaps = zip(*tasks, strict=True)
    there = times_in_system(Arrangement(workers, cores), works, gaps)
    assert all(time >= work - 1e-9 for time, work in zip(there, works, strict=True))
    at_least = sum(works) / min(workers, cores)
    assert sum(gaps) + max(there) >= at_least - 1e-9


def test_a_file_keeps_all_workers_busy_and_only_one_of_its_segments_waits():
    simulation = Simulation(Arrangement(2, cores=8))
    ends, most = [], []
    simulation.submit([Segment(10.0, front=1.0)] * 4, lambda: ends.append(simulation.now))
    simulation.run(until=lambda: most.append(simulation.waiting) or False)
    # Cut after 1 and 2 s, recognised until 11 and 12; the others follow at once.
    assert ends == [22.0]
    assert max(most) == 1


def test_the_front_takes_its_share_of_the_cores():
    ends = []
    simulation = Simulation(Arrangement(2, cores=2, background=1.0))
    for _ in range(2):
        simulation.submit([Segment(2.0)], lambda: ends.append(simulation.now))
    simulation.run()
    assert ends == [3.0, 3.0]


def measured(*, fixed=0.2, each=0.03, slower=1.25, workers=(1, 2), usage=True, delay=0.0):
    """A measurement in which everything is known, of four clients with utterances of 4 to 16 s."""
    runs = []
    for count in workers:
        factor = slower if count > 1 else 1.0
        free = [0.0] * count
        spans, samples, at = [], [], dict.fromkeys(range(4), 0.0)
        for number in range(40):
            client = number % 4
            audio = 4.0 + number * 7 % 13
            worker = free.index(min(free))
            began = max(free[worker], at[client])
            ended = began + (fixed + each * audio) * factor
            spans.append(Span(worker=worker, began=began, ended=ended, audio=audio))
            sent = at[client]
            samples.append(
                Sample(
                    recording="a",
                    client=client,
                    sent=sent,
                    spoken=sent,
                    ended=ended,
                    audio=audio,
                    text="",
                )
            )
            free[worker] = at[client] = ended
        ended = max(free)
        taken = sum(span.ended - span.began for span in spans) / count
        processes = [("front", 0.002 * sum(span.audio for span in spans), 0.1 * GB)]
        processes += [(f"worker {number}", taken, 0.3 * GB) for number in range(count)]
        readings = [
            Usage(
                at=when,
                process=name,
                pid=1,
                cpu=cpu * (when > 0),
                rss=int(size),
                pss=int(size),
                threads=1,
                files=1,
            )
            for when in (0.0, ended)
            for name, cpu, size in processes
        ]
        runs.append(
            Run(
                arrangement="server",
                name="server",
                workers=count,
                round=0,
                seconds=ended,
                samples=tuple(samples),
                spans=tuple(spans),
                usage=tuple(readings) if usage else (),
            )
        )
    machine = Machine(
        processor="a processor", flags=(), cores=2, memory=8 * GB, system="", python="", packages={}
    )
    return Result(
        kind="compare",
        created="",
        command="",
        version="",
        machine=machine,
        model="a model",
        settings={},
        recordings=(),
        runs=tuple(runs),
    )


def test_costs_are_those_of_the_measurement():
    known = costs(measured())
    assert known.fixed == pytest.approx(0.2)
    assert known.per_second == pytest.approx(0.03)
    assert known.front == pytest.approx(0.002)
    assert known.threads == pytest.approx(1.0)
    assert known.slowdown(2)(1) == 1.0
    assert known.slowdown(2)(2) == pytest.approx(1.25, rel=0.02)
    assert known.slowdown(16)(16) == pytest.approx(1.25, rel=0.02)
    assert known.memory(3) == pytest.approx(1.0 * GB)


def test_costs_are_found_without_a_look_at_the_processes():
    known = costs(measured(usage=False))
    assert known.fixed == pytest.approx(0.2)
    assert known.slowdown(2)(2) == pytest.approx(1.25, rel=0.02)
    assert known.memory(8) == 0.0


def test_a_measurement_without_spans_says_what_to_do():
    result = measured()
    blind = [run.model_copy(update={"spans": ()}) for run in result.runs]
    with pytest.raises(NothingToPlanBy, match="bench compare"):
        costs(result.model_copy(update={"runs": tuple(blind)}))


def test_the_simulation_repeats_a_measurement_in_which_all_is_known():
    result = measured()
    checks = check(result, costs(result))
    assert [each.workers for each in checks] == [1, 2]
    for each in checks:
        assert max(map(abs, each.differences)) < 0.05


def test_clients_that_wait_for_nothing_send_when_they_did():
    runs = []
    for run in measured().runs:
        when = {sample: number / 2 for number, sample in enumerate(run.samples)}
        samples = [
            each.model_copy(update={"sent": at, "spoken": at, "ended": at + 9})
            for each, at in when.items()
        ]
        runs.append(run.model_copy(update={"samples": tuple(samples)}))
    result = measured().model_copy(update={"runs": tuple(runs)})
    found = replay(result.runs[1], costs(result), np.random.default_rng(0))
    audio = sum(sample.audio for sample in runs[1].samples)
    assert found.throughput == pytest.approx(audio / 20, rel=0.1)  # as fast as it came
    assert found.latency < 1.0  # two workers are enough for it


WANTED = Wanted(users=200, duty=0.1, utterance=10.0, latency=1.5, percentile=95.0)


def test_a_plan_is_the_smallest_that_does():
    known = costs(measured())
    found = plan(known, WANTED, Size())
    assert found.machines == 1
    assert found.each.latency <= WANTED.latency
    fewer = simulate(known, WANTED, 200, found.each.workers - 1, found.each.cores)
    assert fewer is None or fewer.latency > WANTED.latency
    smaller = found.each.cores - 1
    less = simulate(known, WANTED, 200, min(found.each.workers, smaller), smaller)
    assert less is None or less.latency > WANTED.latency


def test_a_plan_grows_with_users_and_with_haste():
    known = costs(measured())
    first = plan(known, WANTED, Size())
    more = plan(known, Wanted(400, 0.1, latency=1.5), Size())
    faster = plan(known, Wanted(200, 0.1, latency=0.8), Size())
    assert first.each.workers < more.each.workers
    assert first.each.workers < faster.each.workers


def test_machines_of_a_size_are_filled_up_to_their_cores_and_their_memory():
    known, wanted = costs(measured()), Wanted(1000, 0.1, latency=1.5)
    by_cores = plan(known, wanted, Size(cores=4))
    by_memory = plan(known, wanted, Size(cores=4, memory=1.3 * GB))  # for two workers
    assert by_cores.each.workers <= 4
    assert by_memory.each.workers <= 2
    assert by_memory.memory <= 1.3 * GB
    assert by_memory.machines > by_cores.machines > 1


def test_recordings_take_workers_and_dictation_goes_first():
    known = costs(measured())
    alone = simulate(known, WANTED, 200, 16, 16)
    beside = simulate(known, Wanted(200, 0.1, recordings=80), 200, 16, 16)
    assert beside.busy > alone.busy + 0.1
    assert alone.p95 < beside.p95 < 2 * alone.p95


def test_what_no_machine_can_do_is_said_with_what_it_takes():
    with pytest.raises(Unreachable, match=r"within 0\.1 s.*an utterance takes 0\.[5-9]\d s"):
        plan(costs(measured()), Wanted(20, 0.1, latency=0.1), Size())
    with pytest.raises(Unreachable, match=r"one worker needs 0\.9 GB"):
        plan(costs(measured()), WANTED, Size(memory=0.5 * GB))


def test_the_command_prints_a_table_and_what_it_assumes(tmp_path):
    file = tmp_path / "result.json"
    measured().save(file)
    asked = [str(file), "--users", "20,200", "--latency", "1.5", "--markdown"]
    done = CliRunner().invoke(command, asked)
    assert done.exit_code == 0, done.output
    rows = re.findall(r"^\| (20|200) \| (2|20) \| 1 \|", done.output, re.MULTILINE)
    assert rows == [("20", "2"), ("200", "20")]
    assert "within" in done.output
    assert "each speaks 10% of the time" in done.output
    assert "200 ms for a segment and 30.0 ms for each second" in done.output
    shown = CliRunner().invoke(command, asked[:-1])
    assert "What this assumes:" in shown.output


def test_a_wrong_file_and_a_wrong_number_are_told(tmp_path):
    file = tmp_path / "result.json"
    file.write_text("{}")
    done = CliRunner().invoke(command, [str(file)])
    assert isinstance(done.exception, BadResult)
    done = CliRunner().invoke(command, [str(file), "--users", "many"])
    assert "'many' is not a number of users" in done.output
    assert not math.isclose(done.exit_code, 0)


def test_the_simulation_repeats_what_was_measured_within_a_tenth():
    result = Result.load(MEASURED)
    checks = check(result, costs(result))
    assert [each.workers for each in checks] == [1, 2]
    for each in checks:
        assert max(map(abs, each.differences)) <= 0.1
