"""SenseVoice's labels as text with times, and its tags as what they tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capswriter.engines.sensevoice_tags import TAG, told_by
from capswriter.text.characters import CJK, kind
from capswriter.transcript import Token, Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from capswriter.engines.ctc import Labels

TAGS = 4
"""Frames at the start that tell language, emotion, event and normalisation, and no text."""

FRAME = 0.06
"""Seconds of a frame."""

LINGERS = 0.3
"""Seconds that a token lasts at most after its last frame; where it ends is not told."""

SILENT = frozenset({"<unk>", "<s>", "</s>", "<blank>"})
SPACE = "▁"


def transcript_of(labels: Labels, vocabulary: Sequence[str], duration: float) -> Transcript:
    """Turn labels into text.

    Args:
        labels: of all frames, the tags' first.
        vocabulary: the pieces by their ids.
        duration: seconds of the audio.
    """
    pieces = [vocabulary[label] for label in labels.ids.tolist()]
    told = told_by([found[1] for piece in pieces if (found := TAG.fullmatch(piece))])
    tokens = tuple(_spaced(_tokens(labels, pieces, duration)))
    text = "".join(token.text for token in tokens)
    return Transcript(text, told.language, tokens, emotion=told.emotion, event=told.event)


def _tokens(labels: Labels, pieces: Sequence[str], duration: float) -> Iterator[Token]:
    """Give the pieces that are text, with the space that stands before them."""
    starts = [max(0.0, (frame - TAGS) * FRAME) for frame in labels.starts.tolist()]
    nexts = [*starts, duration][1:]
    rows = zip(pieces, starts, labels.stops.tolist(), nexts, strict=True)
    for piece, start, stop, following in rows:
        if stop <= TAGS or piece in SILENT or TAG.fullmatch(piece):
            continue
        begin = min(start, duration)
        end = min(following, (stop - TAGS) * FRAME + LINGERS, duration)
        yield Token(piece.replace(SPACE, " "), begin, max(begin, end))


def _spaced(tokens: Iterator[Token]) -> Iterator[Token]:
    """Leave out the spaces at both ends, and those between CJK characters."""
    before, spaced = "", False
    for token in tokens:
        body = token.text.strip()
        spaced = spaced or token.text.startswith(" ")
        if not body:
            continue
        both_cjk = before and kind(before[-1]) == CJK == kind(body[0])
        text = f" {body}" if spaced and before and not both_cjk else body
        yield Token(text, token.start, token.end)
        before, spaced = body, False
