"""The verdict on results whose figures are known."""

from __future__ import annotations

import pytest
from made_results import GB, comparison, machine, recordings, result, run, samples, spans, usage

from capswriter.bench.verdict import exit_status, judge, recommend

SPEED, GROWTH, PEAK, TEXTS, CRASHES, LEAK = range(6)


def compared(*, seconds: float = 10.0, few=None, many=None, bare: float = 9.5, **changes):
    """One round: with 1 worker 20 s, with 2 as told."""
    pair = [run(**(few or {})), run(workers=2, seconds=seconds, **(many or {}))]
    return result(*pair, run("bare", 1, 19.0), run("bare", 2, bare), **changes)


def states(told) -> list[str]:
    (verdict,) = judge(told)
    return [check.aim.state for check in verdict.checks]


def test_it_is_feasible_if_every_condition_is_met_and_each_has_its_figure():
    (verdict,) = judge(comparison())
    assert (verdict.workers, verdict.base, verdict.outcome) == (2, 1, "feasible")
    measured = [check.aim.measured for check in verdict.checks]
    assert measured == pytest.approx([1.9, 2.1 / 1.1, 2.1, 0, 0, 0])
    assert verdict.causes == ()
    assert exit_status([verdict]) == 0


@pytest.mark.parametrize(
    ("which", "told"),
    [
        (SPEED, compared(seconds=14.0)),
        (GROWTH, compared(many={"usage": usage(10, 2, worker=int(1.4 * GB))})),
        (
            PEAK,
            compared(
                few={"usage": usage(20, 1, worker=5 * GB)},
                many={"usage": usage(10, 2, worker=3 * GB)},
            ),
        ),
        (TEXTS, compared(recordings=recordings(expected="something else"))),
        (
            CRASHES,
            compared(
                few={"usage": (*usage(20, 1), usage(20, 1)[-1].model_copy(update={"pid": 7}))}
            ),
        ),
        (
            LEAK,
            compared(few={"usage": usage(20, 1, leak=0.6)}, many={"usage": usage(10, 2, leak=0.6)}),
        ),
    ],
)
def test_one_condition_that_is_not_met_is_enough(which, told):
    found = states(told)
    assert found[which] == "not met"
    assert found.count("not met") == 1
    assert exit_status(judge(told)) == 1


def test_a_server_that_died_has_crashed():
    rounds = [run(round=1), run(workers=2, round=1, error="the server died")]
    told = result(run(), run(workers=2, seconds=10), *rounds)
    (verdict,) = judge(told)
    assert verdict.checks[CRASHES].aim.state == "not met"
    assert verdict.checks[CRASHES].detail == "the server died"


def test_memory_that_grew_in_one_round_only_is_no_leak():
    again = [run(round=1), run(workers=2, seconds=10, round=1, usage=usage(10, 2, leak=0.6))]
    assert states(result(run(), run(workers=2, seconds=10), *again))[LEAK] == "met"


def test_what_the_user_interrupted_has_not_crashed():
    told = compared(many={"error": "interrupted"})
    assert states(told) == ["not measured", "not measured", "met", "met", "met", "met"]
    assert exit_status(judge(told)) == 3


def test_what_was_not_measured_is_not_met():
    told = compared(few={"usage": ()}, many={"usage": ()}, recordings=recordings(expected=None))
    (verdict,) = judge(told)
    assert states(told) == ["met"] + 5 * ["not measured"]
    assert verdict.outcome == "undecided"
    assert "not measured: memory growth, peak memory" in verdict.sentence
    assert exit_status([verdict]) == 3


def test_a_recording_that_nobody_sent_is_not_right():
    told = compared(many={"samples": samples(10, workers=2)[:3]}, seconds=7.5)
    (verdict,) = judge(told)
    assert verdict.checks[TEXTS].aim.state == "not measured"
    assert verdict.checks[TEXTS].detail == "not judged: 04.mp3"


def test_without_several_numbers_of_workers_there_is_no_verdict():
    assert judge(result(run())) == judge(result()) == ()
    assert exit_status(()) == 3


def test_every_number_of_workers_is_judged_and_one_that_is_feasible_is_enough():
    four = run(workers=4, seconds=18.0, usage=usage(18, 4))
    told = result(run(), run(workers=2, seconds=10), four)
    verdicts = judge(told)
    assert [(v.workers, v.outcome) for v in verdicts] == [(2, "feasible"), (4, "not feasible")]
    assert exit_status(verdicts) == 0


# ---- causes

SLOW = 18.0
"""Seconds with 2 workers: 1.1 times as fast as one."""


def slow(*, cores: float = 1.0, idle: float = 0.0, alone: float = 1.0, **changes):
    few = {"usage": usage(20, 1, cores=alone)}
    many = {"usage": usage(SLOW, 2, cores=cores), "spans": spans(SLOW, 2, idle=idle)}
    return compared(**{"seconds": SLOW, "few": few, "many": many} | changes)


def causes(told) -> list[str]:
    (verdict,) = judge(told)
    return [cause.name for cause in verdict.causes]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (slow(machine=machine(cores=1)), ["too few cores"]),
        (slow(cores=0.5), ["only one usable core"]),
        (slow(cores=0.5, bare=17.5), ["only one usable core"]),
        (slow(alone=1.9), ["one worker takes several cores"]),
        (slow(alone=1.9, bare=17.5), ["one worker takes several cores"]),
        (slow(machine=machine(load=1.5)), ["other programs were at work"]),
        (slow(bare=17.5), ["memory-bound"]),
        (slow(cores=0.3, alone=0.3), ["disk"]),
        (slow(machine=machine(memory=2 * GB)), ["memory is full"]),
        (slow(), ["unknown"]),
        (compared(seconds=12.0), []),
    ],
)
def test_the_cause_of_a_low_speed_up_is_named_by_its_evidence(told, expected):
    if expected == ["disk"]:  # such workers use little of any core
        assert "disk" in causes(told)
    else:
        assert causes(told) == expected


def test_idle_workers_with_few_tasks_under_way_mean_too_few_files():
    few_tasks = samples(SLOW, workers=2)[:1] * 4
    many = {"usage": usage(SLOW, 2, cores=0.5), "spans": spans(SLOW, 2, idle=0.5)}
    told = slow(
        many={
            **many,
            "samples": tuple(each.model_copy(update={"ended": 9.0}) for each in few_tasks),
        }
    )
    assert causes(told) == ["too few files"]


def test_idle_workers_with_many_tasks_under_way_are_just_idle():
    assert causes(slow(idle=0.5, cores=0.5)) == ["idle workers"]


def test_idle_workers_behind_a_busy_front_wait_for_it():
    busy = tuple(
        each.model_copy(update={"cpu": each.at}) if each.process == "front" else each
        for each in usage(SLOW, 2, cores=0.5)
    )
    told = slow(many={"usage": busy, "spans": spans(SLOW, 2, idle=0.5)})
    assert causes(told) == ["the front is busy"]


def test_without_evidence_it_says_what_evidence_is_missing():
    bare = {"usage": (), "spans": ()}
    told = result(run(**bare), run(workers=2, seconds=SLOW, **bare))
    (cause,) = judge(told)[0].causes
    assert cause.name == "unknown"
    assert "not measured: when each worker was busy, what the processes used" in cause.evidence


# ---- how many for a machine


def test_workers_are_recommended_by_what_each_costs_and_by_the_cores():
    found = recommend(comparison(machine=machine(cores=8)))
    assert [(each.memory, each.fit, each.here) for each in found] == [
        (8, 5, 5),  # 8 - 2 = 6 GB; the first takes 1.1 GB, each further one 1 GB
        (16, 13, 7),
        (24, 21, 7),
        (32, 29, 7),
    ]
    assert found[0].takes == pytest.approx(5.1)
    assert found[0].cores == pytest.approx(5 * 1.05)


def test_a_model_that_does_not_fit_gets_no_worker():
    few, many = usage(20, 1, worker=9 * GB), usage(10, 2, worker=9 * GB)
    found = recommend(compared(few={"usage": few}, many={"usage": many}))
    assert [(each.fit, each.takes) for each in found][:2] == [(0, 0.0), (1, 9.1)]
    assert found[0].here == 0


def test_without_a_measured_cost_nothing_is_recommended():
    assert recommend(result(run(usage=()))) == []
