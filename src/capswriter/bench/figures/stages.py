"""Where the time of one utterance went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capswriter.bench.result import Stages

if TYPE_CHECKING:
    from capswriter.bench.result import Result

STAGES = tuple(Stages.model_fields)
"""Names of the stages in their order; the last is the total."""


def stage_times(result: Result) -> dict[str, list[float]]:
    """Give the seconds of every utterance, by stage; empty where none was measured."""
    measured = [stages for run in result.runs for stages in run.stages]
    return {name: [getattr(each, name) for each in measured] for name in STAGES} if measured else {}


def beyond_engine(result: Result) -> list[float]:
    """Give what the server added to each utterance: ``total`` - ``engine``."""
    return [stages.total - stages.engine for run in result.runs for stages in run.stages]
