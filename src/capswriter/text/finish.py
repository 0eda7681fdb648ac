"""The last hand on a transcript: numbers, script and spaces, each token with its time.

Work goes sentence by sentence, so that its time is linear in the length of the text and no single
step holds the interpreter lock for long.
"""
# ruff: noqa: RUF001  # Chinese punctuation and numerals are meant

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from capswriter.text.edits import Edit, apply
from capswriter.text.itn import LANGUAGES, number_edits
from capswriter.text.script import Script, script_edits
from capswriter.text.spacing import needs_space, space_edits
from capswriter.transcript import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

CHINESE = frozenset({"zh", "yue", ""})
"""Languages whose script can be converted; the last is for text whose language nobody knows."""

UNSPACED = frozenset({"ja", "ko"})
"""Languages with rules of their own for spaces."""

LONGEST_SENTENCE = 400
"""Characters after which a text without punctuation is cut, where no number is."""

PARAGRAPH = 1000
"""Characters that are worked on together, to the next border of a sentence or phrase."""

LONGEST_PARAGRAPH = 4000
"""Characters after which they are cut wherever it may be."""

_CONTEXT = 8
"""Characters before a border that tell whether it may be cut."""

_FEW_KANA = 0.05
"""The share of kana among CJK characters above which a text is taken for Japanese."""

_SENTENCE_ENDS = "。！？!?；;\n"
_SENTENCE = re.compile(f"[^{_SENTENCE_ENDS}]+[{_SENTENCE_ENDS}]*|[{_SENTENCE_ENDS}]+")
_SAFE_CUT = re.compile(
    r"(?<=[，、：的了我你他们这那])(?![A-Za-z零〇幺一二两兩三四五六七八九十百千万萬亿億点點分比负])"
    r"|(?<=[.,])(?= )|(?<= of| to| in| is| it)(?= )|(?<= the| you| was)(?= )"
)
_KANA = re.compile("[\u3041-\u309f\u30a1-\u30fa\uff66-\uff9f]")
_HAN = re.compile("[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Finishing:
    """What is to be done to a text.

    Args:
        itn: whether spoken numbers become written ones.
        spacing: whether Chinese characters and Latin letters get a space between them.
        script: of Chinese text.
    """

    itn: bool = True
    spacing: bool = True
    script: Script = "keep"


@dataclass(frozen=True, slots=True)
class Passage:
    """Tokens in one language.

    Args:
        language: ISO 639-1 code, or ``"yue"``; empty where unknown.
        tokens: in order.
    """

    language: str
    tokens: tuple[Token, ...]


def finish(passages: Iterable[Passage], finishing: Finishing) -> tuple[Token, ...]:
    """Finish a text, for threads: three hours of speech take some seconds.

    Japanese and Korean stay as they are, also where no language is given but there are kana.

    Args:
        passages: in order; neighbours in the same language are finished as one text.
        finishing: what to do.

    Returns:
        All tokens in order; their starts never decrease, and tokens without a change are the same.
    """
    tokens: list[Token] = []
    language = ""
    for passage in _joined(passages):
        if tokens and finishing.spacing and UNSPACED.isdisjoint({language, passage.language}):
            first = passage.tokens[0]
            if needs_space(tokens[-1].text, first.text):
                spaced = Token(" " + first.text, first.start, first.end)
                passage = replace(passage, tokens=(spaced, *passage.tokens[1:]))  # noqa: PLW2901
        tokens += _finished(passage, finishing)
        language = passage.language
    return tuple(tokens)


def _joined(passages: Iterable[Passage]) -> list[Passage]:
    """Join neighbours in the same language, so that nothing is missed between them."""
    joined: list[tuple[str, list[Token]]] = []
    for passage in passages:
        if joined and joined[-1][0] == passage.language:
            joined[-1][1].extend(passage.tokens)
        elif passage.tokens:
            joined.append((passage.language, list(passage.tokens)))
    return [Passage(language, tuple(tokens)) for language, tokens in joined]


def _finished(passage: Passage, finishing: Finishing) -> Iterator[Token]:
    steps = list(_steps(passage, finishing))
    for paragraph in _paragraphs(passage.tokens):
        tokens: Sequence[Token] = paragraph
        for find in steps:
            text = "".join(token.text for token in tokens)
            edits: list[Edit] = []
            for place, sentence in _sentences(text):
                if not _is_japanese(sentence):
                    edits += [edit.moved(place) for edit in find(sentence)]
            tokens = apply(tokens, edits)
        yield from tokens


def _steps(passage: Passage, finishing: Finishing) -> Iterator[Callable[[str], Iterable[Edit]]]:
    language = passage.language
    if not language and _is_japanese("".join(token.text for token in passage.tokens)):
        return
    if finishing.itn and language in LANGUAGES:
        yield number_edits
    if finishing.script != "keep" and language in CHINESE:
        yield partial(script_edits, script=finishing.script)
    if finishing.spacing and language not in UNSPACED:
        yield space_edits


def _paragraphs(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """Take tokens together up to the first good place to cut after ``PARAGRAPH`` characters."""
    paragraph: list[Token] = []
    length = 0
    before = ""
    for token in tokens:
        is_long = length >= PARAGRAPH and _may_cut(before, token.text)
        if is_long or length >= LONGEST_PARAGRAPH:
            yield paragraph
            paragraph, length = [], 0
        paragraph.append(token)
        length += len(token.text)
        before = (before + token.text)[-_CONTEXT:]
    yield paragraph


def _may_cut(before: str, after: str) -> bool:
    text = before + after[:1]
    return before[-1:] in _SENTENCE_ENDS or bool(_SAFE_CUT.match(text, len(before)))


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    """Cut a text into sentences, and those that are too long where no number is."""
    for match in _SENTENCE.finditer(text):
        place, stop = match.span()
        while stop - place > LONGEST_SENTENCE:
            end = place + LONGEST_SENTENCE
            cuts = [
                cut.end() for cut in _SAFE_CUT.finditer(text, place + LONGEST_SENTENCE // 2, end)
            ]
            cut = cuts[-1] if cuts else end
            yield place, text[place:cut]
            place = cut
        yield place, text[place:stop]


def _is_japanese(text: str) -> bool:
    kana = len(_KANA.findall(text))
    return kana > _FEW_KANA * (kana + len(_HAN.findall(text))) if kana else False
