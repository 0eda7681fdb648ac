"""SenseVoice's labels as text with times, and its tags as what they tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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

TAG = re.compile(r"<\|(.*)\|>")
SILENT = frozenset({"<unk>", "<s>", "</s>", "<blank>"})
SPACE = "▁"

LANGUAGES = frozenset({"zh", "en", "yue", "ja", "ko"})
EMOTIONS = frozenset({"happy", "sad", "angry", "neutral", "fearful", "disgusted", "surprised"})
EVENTS = {
    name.lower(): name.lower()
    for name in ("Speech", "Applause", "Laughter", "Cry", "Sneeze", "Breath", "Cough", "Sing")
} | {"bgm": "music", "speech_noise": "noise"}


def transcript_of(labels: Labels, vocabulary: Sequence[str], duration: float) -> Transcript:
    """Turn labels into text.

    Args:
        labels: of all frames, the tags' first.
        vocabulary: the pieces by their ids.
        duration: seconds of the audio.
    """
    tags = {
        found[1].lower()
        for piece in map(vocabulary.__getitem__, labels.ids.tolist())
        if (found := TAG.fullmatch(piece))
    }
    tokens = tuple(_spaced(_tokens(labels, vocabulary, duration)))
    return Transcript(
        "".join(token.text for token in tokens),
        next(iter(tags & LANGUAGES), ""),
        tokens,
        emotion=next(iter(tags & EMOTIONS), ""),
        event=next((EVENTS[tag] for tag in sorted(tags & EVENTS.keys())), ""),
    )


def _tokens(labels: Labels, vocabulary: Sequence[str], duration: float) -> Iterator[Token]:
    """Give the pieces that are text, with the space that stands before them."""
    starts = [max(0.0, (frame - TAGS) * FRAME) for frame in labels.starts.tolist()]
    nexts = [*starts[1:], duration]
    rows = zip(labels.ids.tolist(), starts, labels.stops.tolist(), nexts, strict=True)
    for label, start, stop, following in rows:
        piece = vocabulary[label]
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
