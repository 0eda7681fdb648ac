"""What FunASR's ``AutoModel.generate`` gives, which differs by model, as a ``Transcript``.

A result is a dict with ``text`` and, depending on the model:

* tags in the text, ``<|zh|><|NEUTRAL|><|Speech|><|withitn|>`` (SenseVoice); they never stay there;
* ``words`` and ``timestamp``, one [start, end] in milliseconds for each (SenseVoice);
* ``timestamp`` alone, for each word or Chinese character of the text, which then has white space
  between all of them (Paraformer);
* ``timestamps``, dicts with ``token``, ``start_time`` and ``end_time`` in seconds (Fun-ASR-Nano);
* ``sentence_info``, dicts with ``text``, ``start`` and ``end`` in milliseconds.

Times are used where they match the text's words one to one. Where only sentences have times, the
words of each share its time evenly, and where nothing has, those of the whole text the audio's.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from capswriter.engines.sensevoice_tags import TAG, told_by
from capswriter.text.characters import CJK, is_spoken, kinds
from capswriter.text.pieces import display_pieces
from capswriter.transcript import Token, Transcript

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Span: TypeAlias = "tuple[float, float]"
"""Start and end, in seconds."""


def transcript_of(result: Mapping[str, Any], *, duration: float, language: str = "") -> Transcript:
    """Read one result.

    Args:
        result: of ``AutoModel.generate``.
        duration: of the audio, in seconds; no time lies beyond it.
        language: ISO 639-1 code, taken where the result has none.
    """
    tagged = str(result.get("text") or "")
    told = told_by(TAG.findall(tagged))
    spaced = " ".join(TAG.sub("", tagged).split())
    text = _closed(spaced)
    return Transcript(
        text,
        told.language or language,
        tuple(_within(_tokens(text, spaced, result, duration), duration)),
        emotion=told.emotion,
        event=told.event,
    )


def _closed(text: str) -> str:
    """Take out the white space between two CJK characters; Korean, which writes it, keeps it."""
    pattern = kinds(text)
    return "".join(
        char
        for index, char in enumerate(text)
        if not (char == " " and pattern[index - 1 : index + 2] == f"{CJK}s{CJK}")
    )


def _tokens(text: str, spaced: str, result: Mapping[str, Any], duration: float) -> Iterable[Token]:
    for words, spans in _timed_words(text, spaced, result):
        if (tokens := _matched(text, words, spans)) is not None:
            return tokens
    sentences = result.get("sentence_info") or []
    words = [_closed(" ".join(str(each["text"]).split())) for each in sentences]
    spans = [(each["start"] / 1000, each["end"] / 1000) for each in sentences]
    whole = _matched(text, words, spans) or [Token(text, 0.0, duration)]
    return [part for token in whole if token.text for part in _split(token)]


def _timed_words(
    text: str, spaced: str, result: Mapping[str, Any]
) -> Iterator[tuple[list[str], list[Span]]]:
    """Give what may be the text's words with their times, likeliest first."""
    spans = [(start / 1000, end / 1000) for start, end in result.get("timestamp") or []]
    yield [_word(each) for each in result.get("words") or []], spans
    yield spaced.split(), spans
    pieces = display_pieces([Token(text, 0.0, 0.0)])
    yield [piece.text for piece in pieces if is_spoken(piece.text)], spans
    timed = result.get("timestamps") or []
    spans = [(float(each["start_time"]), float(each["end_time"])) for each in timed]
    yield [_word(each["token"]) for each in timed], spans


def _word(piece: str) -> str:
    """Take off the mark by which SentencePiece says that a word begins."""
    return piece.replace("▁", " ").strip()


def _matched(text: str, words: list[str], spans: list[Span]) -> list[Token] | None:
    """Cut ``text`` at its words, if these are they and each has a time.

    Punctuation that is no word goes with the word before it, white space with the one after it.
    """
    known = [(word, span) for word, span in zip(words, spans, strict=False) if word]
    if not known or len(words) != len(spans):
        return None
    borders, stop = [0], 0
    for word, _ in known:
        start = text.find(word, stop)
        between = text[stop:start]
        if start < 0 or is_spoken(between):
            return None
        if stop:
            borders.append(stop + between.find(" ") if " " in between else start)
        stop = start + len(word)
    if is_spoken(text[stop:]):
        return None
    return [
        Token(text[first:last], start, end)
        for (first, last), (_, (start, end)) in zip(
            pairwise([*borders, len(text)]), known, strict=True
        )
    ]


def _split(token: Token) -> list[Token]:
    """Divide a token into its words, which share its time evenly by their letters."""
    words: list[Token] = []
    before = ""
    for piece in display_pieces([token]):
        if is_spoken(piece.text):
            words.append(piece._replace(text=before + piece.text))
            before = ""
        elif words and not before and piece.text != " ":
            words[-1] = words[-1]._replace(text=words[-1].text + piece.text)
        else:
            before += piece.text
    if not words:
        return [token]
    words[-1] = words[-1]._replace(text=words[-1].text + before)
    return words


def _within(tokens: Iterable[Token], duration: float) -> Iterator[Token]:
    """Give the tokens with times that run neither backwards nor beyond the audio."""
    start = 0.0
    for token in tokens:
        start = min(max(start, token.start), duration)
        yield Token(token.text, start, min(max(start, token.end), duration))
