"""What is worked out from results whose figures are known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_results import (
    AUDIO,
    FILES,
    GB,
    comparison,
    recordings,
    result,
    run,
    samples,
    spans,
    stages,
    usage,
)

from capswriter.bench import figures
from capswriter.bench.result import Sample, Usage


def sample(**changes) -> Sample:
    known = {"recording": "01.mp3", "client": 0, "sent": 0.0, "spoken": 1.0, "ended": 3.0}
    return Sample(**known | {"audio": AUDIO, "text": "text of 01.mp3"} | changes)


def failed(**changes) -> Sample:
    return sample(text=None, error="overloaded", **changes)


# ---- speed


def test_throughput_counts_the_audio_that_became_text():
    assert figures.throughput(run(seconds=20)) == 2.0
    assert figures.throughput(run(seconds=20, samples=(sample(), failed()))) == 0.5


@pytest.mark.parametrize("changes", [{"samples": ()}, {"seconds": 0}, {"samples": (failed(),)}])
def test_there_is_no_throughput_where_nothing_was_done_or_no_time_passed(changes):
    assert figures.throughput(run(**changes)) is None


def test_waits_are_from_the_last_byte_to_the_text_and_leave_errors_out():
    told = [sample(ended=1 + second) for second in range(101)] + [failed(ended=9999)]
    assert figures.waits(told) == figures.Waits(50, 95, 99, 100, 101)
    assert figures.waits([failed()]) is None


@given(st.lists(st.floats(0, 1e4), min_size=1))
def test_percentiles_are_in_order_and_within_what_was_measured(seconds):
    waits = figures.waits([sample(spoken=0.0, ended=each) for each in seconds])
    assert min(seconds) <= waits.p50 <= waits.p95 <= waits.p99 <= waits.most == max(seconds)


def test_the_real_time_factor_is_the_wait_for_a_second_of_audio():
    assert figures.real_time_factors([sample(), failed(), sample(audio=0.0)]) == [0.2]


def test_errors_are_counted_by_their_code():
    counts = figures.error_counts([sample(), failed(), failed(), sample(text=None)])
    assert counts == {"overloaded": 2, "no text": 1}


def test_the_speed_up_is_the_median_of_the_ratios_within_a_round():
    told = comparison()
    found = figures.speed_up(told, "server", 2)
    assert found.rounds == pytest.approx({0: 1.8, 1: 2.0})
    assert (found.median, found.low, found.high) == pytest.approx((1.9, 1.8, 2.0))
    assert figures.efficiency(told, "server", 2) == pytest.approx(0.95)
    assert figures.speed_up(told, "bare", 2).median == pytest.approx(2.0)
    assert figures.share_of_bare_speed_up(told, 2).rounds == pytest.approx({0: 0.9, 1: 1.0})


def test_a_slow_round_slows_both_and_leaves_the_speed_up_as_it_is():
    slow = [run(seconds=60, round=1), run(workers=2, seconds=30, round=1)]
    told = result(run(seconds=20), run(workers=2, seconds=10), *slow)
    assert figures.speed_up(told, "server", 2).rounds == {0: 2.0, 1: 2.0}


def test_runs_that_ended_early_and_rounds_without_the_other_are_left_out():
    told = result(
        run(round=0),
        run(workers=2, seconds=10, round=0),
        run(round=1),
        run(workers=2, seconds=2, round=1, error="the server died"),
        run(workers=2, seconds=10, round=2),
    )
    assert figures.speed_up(told, "server", 2).rounds == {0: 2.0}


def test_there_is_no_speed_up_with_one_number_of_workers():
    assert figures.speed_up(comparison(), "queue", 2) is None
    assert figures.speed_up(result(run()), "server", 1) is None
    assert figures.share_of_bare_speed_up(result(run(), run(workers=2)), 2) is None


def test_groups_are_in_order_and_have_names_for_people():
    runs = [run("peer", 1, name="sherpa-onnx"), run("queue", 2), run("bare", 1)]
    told = result(*runs, run(workers=2), run(workers=1, round=1), run(workers=1, round=0))
    groups = figures.groups(told)
    assert [each.label for each in groups] == [
        "server, 1 worker",
        "server, 2 workers",
        "bare limit, 1 worker",
        "shared queue, 2 workers",
        "sherpa-onnx",
    ]
    assert [each.round for each in groups[0].runs] == [0, 1]


# ---- memory


def test_memory_is_the_sum_of_what_one_look_at_all_processes_saw():
    told = run(usage=usage(20, 2, front=100, worker=1000, moments=3))
    seen = figures.moments(told)
    assert [round(moment.at) for moment in seen] == [0, 10, 20]
    assert [moment.memory for moment in seen] == [2100] * 3
    assert (figures.steady(told), figures.peak(told)) == (2100, 2100)


def test_resident_memory_stands_in_where_the_system_tells_no_proportional_one():
    told = run(usage=usage(20, 1, front=100, worker=1000, pss=False))
    assert not figures.has_pss(told)
    assert figures.peak(told) == 1100 + 2 * GB // 20


def test_without_a_look_at_the_processes_there_is_no_memory():
    bare = run(usage=())
    for figure in (figures.steady, figures.peak, figures.drift, figures.replaced):
        assert figure(bare) is None
    assert figures.cost(result(bare)) is None


def test_growth_compares_the_workers_of_one_round():
    assert figures.memory_growth(comparison(), 2).median == pytest.approx(2.1 / 1.1)


@pytest.mark.parametrize("leak", [0.0, 0.3, 3.0])
def test_drift_is_from_the_middle_third_to_the_last(leak):
    told = run(usage=usage(20, 1, leak=leak, moments=12))
    middle, last = (1 + leak * first / 11 for first in (4, 8))
    assert figures.drift(told) == pytest.approx(last / middle - 1, abs=1e-6)


def test_a_short_run_tells_nothing_about_drift():
    assert figures.drift(run(usage=usage(20, 1, leak=1, moments=8))) is None
    assert figures.drift(run(usage=usage(20, 1, leak=1, moments=9))) > 0


def again(told: tuple[Usage, ...], name: str, pid: int, after: float) -> tuple[Usage, ...]:
    return tuple(
        each.model_copy(update={"pid": pid, "cpu": each.at - after})
        if each.process == name and each.at > after
        else each
        for each in told
    )


def test_a_worker_with_another_pid_has_taken_the_place_of_one_that_died():
    told = usage(20, 2)
    assert figures.replaced(run(usage=told)) == 0
    assert figures.replaced(run(usage=again(told, "worker 1", 999, 9.0))) == 1


def test_a_further_worker_costs_what_it_adds():
    cost = figures.cost(comparison())
    assert cost == figures.Cost(1, 1.1 * GB, 0.1 * GB, GB, shared=True)
    assert cost.of(3) == pytest.approx(3.1 * GB)


def test_without_a_second_number_a_worker_costs_what_it_takes_alone():
    cost = figures.cost(result(run(workers=2, usage=usage(20, 2))))
    assert cost == figures.Cost(2, 2.1 * GB, 0.1 * GB, GB, shared=False)


# ---- processor and workers


def test_cores_are_what_all_processes_took_in_the_time_between():
    told = run(workers=2, usage=usage(20, 2, cores=0.9))
    assert figures.cores_used(told) == pytest.approx(1.85)
    assert figures.cores_used(told, "front") == pytest.approx(0.05)
    assert figures.cores_used(run(usage=())) is None
    assert figures.cores_used(run(usage=usage(20, 1)[:2])) is None


def test_a_process_that_comes_later_counts_from_its_start():
    told = run(usage=again(usage(20, 1, cores=1.0), "worker 0", 999, 9.0))
    assert figures.cores_used(told) == pytest.approx(1.05, abs=0.06)


def test_load_over_time_is_told_for_each_moment_but_the_first():
    steps = figures.load_over_time(run(usage=usage(20, 1, cores=0.5, moments=5)))
    assert [round(at) for at, _ in steps] == [5, 10, 15, 20]
    assert all(loads == pytest.approx({"front": 0.05, "worker 0": 0.5}) for _, loads in steps)


def test_each_worker_is_told_what_it_did_even_if_it_did_nothing():
    alone = tuple(span.model_copy(update={"worker": 1}) for span in spans(20, 1, idle=0.25))
    told = figures.busy_times(run(workers=2, seconds=20, spans=alone))
    assert told == [
        figures.BusyTime(0, 0, 0, 0, 0, 1.0),
        figures.BusyTime(1, 4, 40, 15.0, 1.0, 0.25),
    ]
    assert figures.idle_share(run(workers=2, seconds=20, spans=alone)) == 0.625
    assert figures.idle_share(run(spans=())) is None


def test_tasks_under_way_are_their_time_in_the_time_of_the_run():
    assert figures.under_way(run(seconds=6, samples=(sample(), sample(ended=6)))) == 1.5
    assert figures.under_way(run(samples=())) is None


# ---- texts


def test_a_text_is_right_if_it_is_the_expected_one_and_errors_are_wrong():
    told = result(recordings=recordings())
    wrong = [sample(recording="02.mp3"), failed(recording="03.mp3")]
    assert figures.correctness(told, [sample(), *wrong]) == figures.Correctness(
        right=1, wrong=2, unjudged=0, wrong_names=("02.mp3", "03.mp3"), untried=("04.mp3",)
    )


def test_without_an_expected_text_nothing_is_right():
    told = result(recordings=recordings(expected=None))
    found = figures.correctness(told, samples(20))
    assert (found.right, found.wrong, found.unjudged, found.untried) == (0, 0, 4, FILES)


def test_errors_are_counted_by_words_or_by_characters_where_there_are_no_spaces():
    pytest.importorskip("jiwer")
    known = recordings()[:2]
    english = known[0].model_copy(update={"reference": "Text, of a file!"})
    chinese = known[1].model_copy(update={"reference": "今天天气很好。"})
    told = [
        sample(text="text of the file"),
        sample(recording="02.mp3", text="今天天汽很好"),
        sample(recording="02.mp3", text="今天天汽很好"),
        failed(),
    ]
    assert figures.error_rates((english, chinese, *recordings()[2:]), told) == {
        "01.mp3": pytest.approx(1 / 4),
        "02.mp3": pytest.approx(1 / 6),
    }


# ---- stages


def test_what_the_server_adds_is_what_the_engine_did_not_take():
    told = result(run(stages=(stages(), stages(2))), kind="overhead")
    assert figures.stage_times(told)["engine"] == [0.4, 0.8]
    assert figures.beyond_engine(told) == pytest.approx([0.01, 0.02])
    assert figures.stage_times(result(run())) == {}
