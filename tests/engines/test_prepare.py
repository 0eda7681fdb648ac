"""Making a copy of a network: what is done to it, and by which inputs it is checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from engines.preparing import feeds_of, outputs_of

from capswriter.engines.directory import trial_inputs
from capswriter.engines.graph import prepare, signedness
from capswriter.engines.graph.session import open_session

NETWORK = Path(__file__).parent / "sensevoice" / "funasr" / "model_quant.onnx"


@pytest.mark.parametrize("signed", [True, False])
def test_weights_are_encoded_as_the_processor_prefers(tmp_path, monkeypatch, signed):
    if signed and not signedness.prefers_signed():
        pytest.skip("this processor does not multiply signed bytes faster, or not exactly")
    monkeypatch.setattr(signedness, "prefers_signed", lambda: signed)
    original = open_session(NETWORK)
    recipe = prepare.make(NETWORK, tmp_path, feeds_of(original, (20, 60)))
    assert recipe == prepare.Recipe(signed=signed, unmasked=True, joined=True)
    copy = open_session(tmp_path / "model.onnx", optimise=False)
    for feed in feeds_of(original, (11, 333)):
        assert outputs_of(copy, feed) == outputs_of(original, feed)


def test_trials_are_as_long_as_audio_gets():
    lengths = [len(trial) for trial in trial_inputs()]
    assert min(lengths) == 1
    assert max(lengths) == 500, "30 s"


def test_trials_come_back_as_they_were(tmp_path):
    graph = open_session(NETWORK)
    feeds = feeds_of(graph, tuple(range(1, 13)))
    prepare.save_trials(tmp_path / "trials.npz", feeds)
    for ours, theirs in zip(prepare.load_trials(tmp_path / "trials.npz"), feeds, strict=True):
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
