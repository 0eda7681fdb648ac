"""Where turns begin and end in a stream of audio: OpenAI's ``server_vad``, by a frame detector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.vad import FRAME
from capswriter.protocols.openai_session import Encoding
from capswriter.sessions import AudioFormat
from capswriter.sessions.intake import Intake

if TYPE_CHECKING:
    from capswriter.audio.hearing import FrameDetector
    from capswriter.protocols.openai_session import AudioFormat as WireFormat
    from capswriter.protocols.openai_session import TurnDetection

FORMATS = {
    Encoding.PCM: AudioFormat.S16LE,
    Encoding.ULAW: AudioFormat.ULAW,
    Encoding.ALAW: AudioFormat.ALAW,
}
"""What our rounds call OpenAI's encodings."""

SHORTEST_MS = 64
"""Milliseconds of speech that begin a turn: two frames. One may be a click."""

HYSTERESIS = 0.15
"""How far below the threshold speech goes on; Silero's own."""

LOWEST = 0.01
"""Probability below which nothing is speech, whatever the threshold."""

_MS = SAMPLE_RATE // 1000


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a turn begins or ends.

    Args:
        at: bytes of the stream before it.
        begins: whether a turn begins here.
    """

    at: int
    begins: bool


class TurnDetector:
    """Finds the turns of one stream; they do not depend on the blocks in which it is pushed.

    Args:
        frames: hears where speech is.
        audio_format: of the stream.
        turns: what makes a turn; its padding is the caller's business.
        speaking: whether the stream begins in the middle of a turn.
    """

    def __init__(
        self,
        frames: FrameDetector,
        audio_format: WireFormat,
        turns: TurnDetection,
        *,
        speaking: bool = False,
    ) -> None:
        self._frames = frames
        self._format = audio_format
        encoding = FORMATS[audio_format.encoding]
        self._intake = Intake(encoding, rate=audio_format.rate, longest=math.inf)
        self._threshold = turns.threshold
        self._pause = turns.silence_duration_ms * _MS
        self._speaking = speaking
        self._voiced = speaking  # the newest frame was speech
        self._judged = 0  # samples of 16 kHz, as all below
        self._voice_began = 0
        self._voice_ended = 0

    @property
    def judged(self) -> int:
        """Bytes of the stream of which it is known what they are."""
        return self._bytes(self._judged)

    def push(self, data: bytes) -> list[Edge]:
        """Take the next bytes; give the edges in what they complete. For a thread."""
        self._intake.write(data)
        edges: list[Edge] = []
        while len(samples := self._intake.take()[0]):
            for probability in self._frames.push(samples).tolist():
                edges += self._judge(probability)
        return edges

    def _judge(self, probability: float) -> list[Edge]:
        was_voiced, start = self._voiced, self._judged
        self._judged += FRAME
        needed = self._threshold - (HYSTERESIS if was_voiced else 0)
        self._voiced = probability >= max(needed, LOWEST)
        if self._voiced:
            if not was_voiced:
                self._voice_began = start
            self._voice_ended = self._judged
            long_enough = self._judged - self._voice_began >= SHORTEST_MS * _MS
            if long_enough and not self._speaking:
                self._speaking = True
                return [Edge(self._bytes(self._voice_began), begins=True)]
        elif self._speaking and self._judged - self._voice_ended >= self._pause:
            self._speaking = False
            return [Edge(self.judged, begins=False)]
        return []

    def _bytes(self, samples: int) -> int:
        return samples * self._format.rate // SAMPLE_RATE * self._format.width
