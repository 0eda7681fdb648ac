"""Greedy decoding of a network trained by connectionist temporal classification.

Graves et al. 2006, *Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
Recurrent Neural Networks*, section 3.2: the likeliest label of each frame, repeats joined, blanks
left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

BLANK = 0


class Labels(NamedTuple):
    """What was decoded.

    Args:
        ids: int64[n], of the labels.
        starts: int64[n], the first frame of each.
        stops: int64[n], the frame after its last.
    """

    ids: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]


def decode(logits: npt.NDArray[Any]) -> Labels:
    """Decode one utterance.

    Args:
        logits: float[frames, labels].
    """
    best = logits.argmax(axis=-1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    stops = np.append(starts[1:], len(best)) if len(best) else starts
    ids = best[starts]
    spoken = ids != BLANK
    return Labels(ids[spoken], starts[spoken], stops[spoken])
