"""Times of tokens, from where a Paraformer's second predictor fires.

Continuous integrate-and-fire (CIF; Dong and Xu 2020) adds up weights until they reach one, and a
token begins there: Shi et al. 2023, *Achieving Timestamp Prediction While Recognizing with
Non-Autoregressive End-to-End ASR Model*. The reference is funasr-onnx, ``time_stamp_lfr6_onnx``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

FRAME = 0.06 / 3
"""Seconds: an input frame of the network is 60 ms long, and the predictor triples their rate."""

FIRED = 1.0 - 1e-4
"""Sums above this fire; the network's own threshold is one less a rounding error."""

LATENESS = 1.5
"""Frames that the predictor fires late, as FunASR found it."""

LONGEST = 30
"""Frames after which a token has ended, whenever the next one begins: 0.6 s."""

TAIL = 5
"""Frames after the last fire that are silence; half of them is given to the last token."""


def spans(sums: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float64] | None:
    """Tell when each token is spoken.

    Args:
        sums: float32[frames], the weights as they add up (``us_cif_peak``), 20 ms each.
        count: of the tokens wanted, from the first one. Where the network also fires for the sign
            of the end, the last token ends there; else it ends with the audio.

    Returns:
        float64[count, 2], start and end in seconds; the first start may be 0.03 s before the
        audio, the last end up to 0.08 s behind it. None where the network fires less often.
    """
    frames = len(sums)
    fires = np.flatnonzero(sums > np.float32(FIRED)) - LATENESS
    if len(fires) == count:
        fires = np.append(fires, frames)
    if len(fires) < max(count + 1, 2):
        return None
    starts = fires[:-1]
    ends = np.minimum(fires[1:], starts + LONGEST)
    silence = frames - fires[-1]
    ends[-1] = (frames + fires[-1]) / 2 if silence > TAIL else frames
    return np.stack([starts, ends], axis=1)[:count] * FRAME


def evenly(count: int, duration: float) -> npt.NDArray[np.float64]:
    """Divide the audio among the tokens of a network that tells no times.

    Args:
        count: of the tokens.
        duration: seconds.

    Returns:
        float64[count, 2], start and end in seconds.
    """
    edges = np.linspace(0.0, duration, count + 1)
    return np.stack([edges[:-1], edges[1:]], axis=1)
