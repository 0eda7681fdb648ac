"""What a server answered, as a transcript: of ours, and of the old ones with their looser times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capswriter.client.alignment import aligned
from capswriter.text.pieces import display_pieces
from capswriter.text.wire import tokens_from_wire
from capswriter.transcript import Token, Transcript

if TYPE_CHECKING:
    from capswriter.protocols.capswriter import Result


def transcript_of(result: Result, duration: float, language: str = "auto") -> Transcript:
    """Read a final result.

    The text is ``text_accu`` where the server knows it (``text`` is made for dictation). Ours and
    v2.5 send tokens that join to it. Older ones format the text and not the tokens, so the times
    are carried over to the text; a text without usable times gets them evenly spread.

    Args:
        result: with ``is_final``.
        duration: seconds of the audio.
        language: what was asked for; the wire does not tell what was heard.
    """
    text = (result.text if result.text_accu is None else result.text_accu).strip()
    known = "" if language == "auto" else language
    if not text:
        return Transcript("", known)
    if not result.tokens or len(result.tokens) != len(result.timestamps):
        tokens = display_pieces([Token(text, 0.0, duration)])
        return Transcript(text, known, tokens)
    tokens = tokens_from_wire(result.tokens, result.timestamps, duration)
    if "".join(token.text for token in tokens) != text:
        tokens = aligned(text, tokens)
    return Transcript(text, known, tokens)
