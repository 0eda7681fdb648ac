"""Writers: a transcript and its subtitles as SRT, WebVTT, LRC, plain text and JSON."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import orjson

from capswriter.text.breaking import Seam, runs_of, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.text.subtitles import Cue
    from capswriter.transcript import Token, Transcript

PARAGRAPH_PAUSE_S = 2.0
"""Silence from which on plain text starts a new paragraph."""


def to_srt(cues: Sequence[Cue]) -> str:
    """SubRip: numbered cues. It has no escapes, so an arrow in the text becomes ``→``."""
    return "".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n"
        + "".join(line.replace("-->", "→") + "\n" for line in cue.lines)
        + "\n"
        for number, cue in enumerate(cues, start=1)
    )


def to_vtt(cues: Sequence[Cue]) -> str:
    """WebVTT, with ``&``, ``<`` and ``>`` escaped."""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n"
        + "".join(_escape(line) + "\n" for line in cue.lines)
        + "\n"
        for cue in cues
    )


def to_lrc(cues: Sequence[Cue]) -> str:
    """Lyrics: one line a cue, ``[mm:ss.xx]text``; the minutes count on past 99."""
    return "".join(f"[{_lyrics_clock(cue.start)}]{shown(cue.text)}\n" for cue in cues)


def to_txt(tokens: Sequence[Token]) -> str:
    """Plain text to read: a line a sentence, and an empty line where the speaker paused long.

    A paragraph ends at ``PARAGRAPH_PAUSE_S`` of silence, wherever it falls. A text without
    any sentence end (not every recogniser punctuates) has a line for each stretch of speech
    between two pauses.
    """
    runs = runs_of(tokens)
    line_ends = {Seam.SENTENCE}
    if not any(run.seam is Seam.SENTENCE for run in runs[:-1]):
        line_ends.add(Seam.PAUSE)
    text = ""
    line = ""
    for run, following in pairwise(runs):
        line += run.text
        if following.start - run.end >= PARAGRAPH_PAUSE_S:
            text, line = f"{text}{shown(line)}\n\n", ""
        elif run.seam in line_ends:
            text, line = f"{text}{shown(line)}\n", ""
    return f"{text}{shown(line + runs[-1].text)}\n" if runs else ""


def to_json(transcript: Transcript, cues: Sequence[Cue], *, duration: float) -> str:
    """JSON with everything, times in seconds, rounded to milliseconds.

    ::

        {
          "text": "Hello, world.",
          "language": "en",            // ISO 639-1; "" where unknown
          "duration": 2.5,             // of the audio
          "segments": [                // the subtitles
            {"start": 0.1, "end": 1.4, "text": "Hello, world.", "lines": ["Hello, world."]}
          ],
          "tokens": [                  // joined, their texts are the text above
            {"text": "Hello,", "start": 0.1, "end": 0.6},
            {"text": " world.", "start": 0.7, "end": 1.4}
          ]
        }
    """
    document = {
        "text": transcript.text,
        "language": transcript.language,
        "duration": round(duration, 3),
        "segments": [
            {
                "start": round(cue.start, 3),
                "end": round(cue.end, 3),
                "text": shown(cue.text),
                "lines": cue.lines,
            }
            for cue in cues
        ],
        "tokens": [
            {"text": token.text, "start": round(token.start, 3), "end": round(token.end, 3)}
            for token in transcript.tokens
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"


def _clock(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{whole:02}{point}{milliseconds:03}"


def _lyrics_clock(seconds: float) -> str:
    whole, hundredths = divmod(round(seconds * 100), 100)
    minutes, whole = divmod(whole, 60)
    return f"{minutes:02}:{whole:02}.{hundredths:02}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
