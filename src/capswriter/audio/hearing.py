"""Where somebody speaks in a stream, found out only where it matters.

Of a recording, most need not be judged. Whether a pause of three seconds has ended a segment is
settled by one voice in them; and where there is one, it is in the loudest frame. So the loudest
frame of each second is judged first, those of all seconds that have come in one run. Loudness
says where to listen, the network what is heard there; that nobody speaks, it has to say of every
frame. Who listens to somebody who speaks has everything judged, as it comes.

A detector has a memory. Of 954 seconds of nine recordings, the loudest frame was speech in 921; set
down three frames before it, as ``GLANCE`` does, the detector missed 22 of them, set down eight
before it 8, and heard speech in none of the others. Of the frames that follow ``WARM_UP`` frames,
1.0 % get another label than in one run, and 6.5 % without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from capswriter.audio.vad import FRAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from capswriter.audio import Samples

SPEECH_FROM = 0.5
"""Probability from which a frame is speech; Silero's own default."""

SPEECH_UNTIL = 0.35
"""Probability under which speech is over; between the two, a frame is what the last one was."""

DOUBT = 0.25
"""Probability from which a frame is speech for a detector that was set down anew.

Some of what it would be surer of, had it heard the rest, it hardly hears: a word after a pause in a
bad recording. Of 23,343 frames of speech it misses 0.2 % then, all within half a second of others,
and 0.6 % with the usual thresholds.
"""

WARM_UP = 31
"""Frames that a detector hears before one that it is to judge: a second.

With a quarter of it, one of 61 phrases ended 64 ms earlier than in one run, and another recording
got another last word by that; with a second, none ends more than a frame earlier.
"""

STRETCH = 16
"""Frames that are judged at a time where it is silent: half a second."""

SECOND = 32
"""Frames of which the loudest is judged first: few pauses between words are as long."""

GLANCE = 4
"""Frames that a detector hears for such a judgement; the last of them is judged."""

QUIET = 1 / 16
"""Part of the power of the loudest frames under which one may be a pause: 12 dB."""

_SILENT, _SPOKEN, _UNKNOWN = b"\0", b"\1", b"\2"


class FrameDetector(Protocol):
    """Gives the probability of speech, in [0, 1], for each ``FRAME`` samples of a stream."""

    def push(self, samples: Samples, /, *, last: bool = False) -> Samples:
        """Take the next samples; give the probabilities of the frames they complete.

        With the last ones, a frame that is not full is judged too.
        """
        ...

    def restart(self) -> None:
        """Forget what was heard: what follows is from somewhere else."""
        ...

    def glance(self, stretches: Samples, /) -> Samples:
        """Judge stretches of sound, each as if silence had gone before it.

        Args:
            stretches: float32[p, FRAME n].

        Returns:
            float32[p, n].
        """
        ...


class Hearing:
    """The end of a stream that is still needed, and who speaks in it.

    Frames are numbered from the beginning of the stream.

    Args:
        detector: of one stream.
        pause: frames of silence that somebody asks for; longer ones are asked for, too.
    """

    def __init__(self, detector: FrameDetector, *, pause: int = 2 * SECOND) -> None:
        self._detector = detector
        self._stride = min(pause // 2, SECOND)  # two loudest frames are less than a pause apart
        self._tape = bytearray()  # float32 samples of the frames from ``_base`` on
        self._labels = bytearray()  # of the same frames
        self._base = 0
        self._glanced = 0  # frames of whole strides, the loudest of which have been judged
        self._next = 0  # the frame that the detector would judge next
        self._thresholds = SPEECH_FROM, SPEECH_UNTIL
        self._speaking = False  # before it
        self._ended = False

    @property
    def total(self) -> int:
        """How many samples have come."""
        return self._base * FRAME + len(self._tape) // 4

    @property
    def frames(self) -> int:
        """How many frames have come; the last counts when it is full, or has ended the stream."""
        return self._base + len(self._labels)

    def push(self, samples: Samples) -> None:
        """Take the next samples: float32[n], mono, 16 kHz."""
        self._tape.extend(np.ascontiguousarray(samples, np.float32).view(np.uint8))
        self._labels.extend(_UNKNOWN * (self.total // FRAME - self.frames))

    def end(self) -> None:
        """Tell that nothing follows; ending twice is harmless."""
        self._ended = True
        self._labels.extend(_UNKNOWN * (-(-self.total // FRAME) - self.frames))

    def read(self, start: int, end: int) -> Samples:
        """Copy samples."""
        first = start - self._base * FRAME
        samples: Samples = np.frombuffer(self._tape, np.float32, end - start, 4 * first).copy()
        return samples

    def drop(self, until: int) -> None:
        """Let go of the frames before that of a sample."""
        frames = until // FRAME - self._base
        del self._tape[: 4 * FRAME * frames]
        del self._labels[:frames]
        self._base += frames

    def judge(self, first: int, until: int) -> None:
        """Judge the frames among these that have not been, and what lies between them."""
        base = self._base
        within = self._place(first), self._place(until)
        first = base + self._labels.find(_UNKNOWN, *within)
        if first < base:
            return
        until = base + self._labels.rfind(_UNKNOWN, *within) + 1
        if first != self._next:
            self._detector.restart()
            self._next = max(first - WARM_UP, base)
            self._thresholds = DOUBT, DOUBT
        samples = self.read(self._next * FRAME, min(until * FRAME, self.total))
        last = until * FRAME > self.total
        speech_from, speech_until = self._thresholds
        for probability in self._detector.push(samples, last=last).tolist():
            if probability >= speech_from:
                self._speaking = True
            elif probability < speech_until:
                self._speaking = False
            if self._next >= first and self._labels[self._next - base] == _UNKNOWN[0]:
                self._labels[self._next - base] = self._speaking
            self._next += 1

    def glance(self, first: int, until: int) -> None:
        """Judge the loudest of these frames, and of each stride after the first of them."""
        whole, stride = self.total // FRAME, self._stride
        windows = [(first, until)] if first < until <= whole else []
        begin = max(self._glanced, first)
        while (end := (begin // stride + 1) * stride) <= whole or (self._ended and begin < whole):
            windows.append((begin, min(end, whole)))
            begin = windows[-1][1]
        self._glanced = begin
        loudness = self._loudness(first, whole)
        loudest = {
            start + int(loudness[start - first : end - first].argmax()) for start, end in windows
        }
        unknown = [each for each in loudest if self._labels[each - self._base] == _UNKNOWN[0]]
        if unknown:
            self._judge_apart(sorted(unknown))

    def judged(self, first: int) -> int:
        """Find the first frame, from one on, that has not been judged."""
        at = self._labels.find(_UNKNOWN, self._place(first))
        return self.frames if at < 0 else self._base + at

    def spoken(self, first: int, until: int) -> int | None:
        """Find the first frame known to be speech; None where there is none."""
        at = self._labels.find(_SPOKEN, self._place(first), self._place(until))
        return None if at < 0 else self._base + at

    def first_speech(self, first: int) -> tuple[int, bool]:
        """Look for speech from a frame on.

        Returns:
            The first frame of speech, and True; else the frame up to which there is none. The last
            frames are judged when they are a stretch, or nothing follows them.
        """
        while True:
            until = self.judged(first)
            if (found := self.spoken(first, until)) is not None:
                return found, True
            known = self.spoken(until, self.frames)
            rest = 0 if self._ended else (self.frames - until) % STRETCH
            end = self.frames - rest if known is None else known
            if end == until:
                return until, False
            self.judge(until, end)

    def last_speech(self, first: int, until: int) -> int | None:
        """Find the last of these frames that is speech; None where none is."""
        self.judge(first, until)
        return self._last_known(first, until)

    def some_speech(self, first: int, until: int) -> int | None:
        """Find one of these frames that is speech, rather late; None where none is."""
        found = self._last_known(first, until)
        if found is None:
            self.glance(first, until)
            found = self._last_known(first, until)
        return self.last_speech(first, until) if found is None else found

    def quiet(self, first: int, until: int) -> list[tuple[int, int]]:
        """List the runs of quiet frames: of each its first sample and the sample after its last."""
        loudness = self._loudness(first, until)
        loudest = np.maximum.reduceat(loudness, range(0, until - first, SECOND))
        is_quiet = loudness < QUIET * np.median(loudest)
        edges = np.flatnonzero(np.diff(is_quiet, prepend=False, append=False)) + first
        return [(start, end) for start, end in (edges.reshape(-1, 2) * FRAME).tolist()]

    def pauses(self, first: int, until: int) -> list[tuple[int, int]]:
        """List the runs of silence among frames that have been judged.

        Args:
            first: as if somebody had spoken before it.
            until: the frame after the last.

        Returns:
            Of each run its first sample and the sample after its last.
        """
        found = []
        base, labels = self._base, self._labels
        at, until = self._place(first), self._place(until)
        while 0 <= at < until and (start := labels.find(_SILENT, at, until)) >= 0:
            at = labels.find(_SPOKEN, start, until)
            end = until if at < 0 else at
            found.append(((base + start) * FRAME, (base + end) * FRAME))
        return found

    def _judge_apart(self, frames: Sequence[int]) -> None:
        """Judge single frames in one run, as far as there is no doubt."""
        stretches = np.zeros((len(frames), GLANCE * FRAME), np.float32)
        for stretch, frame in zip(stretches, frames, strict=True):
            start = max(frame + 1 - GLANCE, self._base) * FRAME
            sound = self.read(start, (frame + 1) * FRAME)
            stretch[-len(sound) :] = sound
        probabilities = self._detector.glance(stretches)[:, -1].tolist()
        for frame, probability in zip(frames, probabilities, strict=True):
            if not DOUBT <= probability < SPEECH_FROM:
                self._labels[frame - self._base] = probability >= SPEECH_FROM

    def _loudness(self, first: int, until: int) -> Samples:
        """Sum the squares of each frame's samples."""
        offset, count = 4 * FRAME * (first - self._base), max(until - first, 0)
        sound = np.frombuffer(self._tape, np.float32, FRAME * count, offset).reshape(count, FRAME)
        loudness: Samples = np.einsum("ij,ij->i", sound, sound)
        return loudness

    def _last_known(self, first: int, until: int) -> int | None:
        at = self._labels.rfind(_SPOKEN, self._place(first), self._place(until))
        return None if at < 0 else self._base + at

    def _place(self, frame: int) -> int:
        """Find the place of a frame's label; the first for a frame that has been let go."""
        return max(frame - self._base, 0)
