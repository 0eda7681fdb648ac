"""Hotwords, as the contextual Paraformer listens for them.

A second network makes a vector of each; the decoder attends to them. The reference for the numbers
is funasr-onnx's ``ContextualParaformer``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import onnxruntime as ort

BETWEEN = re.compile(r"[\s,，、]+")

LONGEST = 10
"""Tokens of a hotword that the network was exported for."""

NONE_OF_THEM = 1
"""The token ``<s>``, which always stands last: the decoder may attend to no hotword."""

UNKNOWN = "<unk>"


class Hotwords:
    """Makes the ``bias_embed`` of a network.

    Args:
        graph: makes vectors of tokens, int32[n, 10] to float32[10, n, width].
        vocabulary: the tokens by their ids.
    """

    def __init__(self, graph: ort.InferenceSession, vocabulary: Sequence[str]) -> None:
        self._graph = graph
        self._ids = {token: index for index, token in enumerate(vocabulary)}
        self._unknown = self._ids.get(UNKNOWN, len(vocabulary) - 1)
        self._latest: tuple[str, npt.NDArray[np.float32]] | None = None

    def embedded(self, prompt: str) -> npt.NDArray[np.float32]:
        """Make the vectors of the words in ``prompt``.

        Args:
            prompt: words between white space and commas. Each is heard as its characters, and as
                its first ten where there are more.

        Returns:
            float32[1, words + 1, width].
        """
        if self._latest is None or self._latest[0] != prompt:
            self._latest = (prompt, self._embedded(prompt))
        return self._latest[1]

    def tokens(self, prompt: str) -> list[list[int]]:
        """Look up the characters of each word; the last row stands for none of them."""
        words = [word.lower()[:LONGEST] for word in BETWEEN.split(prompt) if word]
        rows = [[self._ids.get(character, self._unknown) for character in word] for word in words]
        return [*rows, [NONE_OF_THEM]]

    def _embedded(self, prompt: str) -> npt.NDArray[np.float32]:
        rows = self.tokens(prompt)
        padded = np.zeros((len(rows), LONGEST), np.int32)
        for row, tokens in zip(padded, rows, strict=True):
            row[: len(tokens)] = tokens
        ends = np.array([len(tokens) - 1 for tokens in rows], np.int32)
        names = [declared.name for declared in self._graph.get_inputs()]
        inputs = dict(zip(names, (padded, ends), strict=False))
        (states,) = self._graph.run(None, inputs)
        # What the recurrent network has read at the end of a word is the word's vector.
        vectors: npt.NDArray[np.float32] = states[ends, np.arange(len(rows))]
        return vectors[None]
