"""Decoding: every usual format, and everything that can be wrong with a file."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from media import decoded, tone, write

from capswriter.audio import SAMPLE_RATE
from capswriter.audio.decode import BLOCK, AudioFile, DecodeFailed

LOSSLESS, LOSSY = 0.01, 0.08

FORMATS = [
    ("a.wav", "pcm_u8", 16_000, "mono", LOSSLESS),
    ("a.wav", "pcm_s16le", 8_000, "mono", LOSSLESS),
    ("a.wav", "pcm_s16le", 16_000, "mono", LOSSLESS),
    ("a.wav", "pcm_s16le", 44_100, "stereo", LOSSLESS),
    ("a.wav", "pcm_s24le", 48_000, "stereo", LOSSLESS),
    ("a.wav", "pcm_s32le", 48_000, "mono", LOSSLESS),
    ("a.wav", "pcm_f32le", 44_100, "stereo", LOSSLESS),
    ("a.wav", "pcm_s16le", 48_000, "5.1", LOSSLESS),
    ("a.flac", "flac", 44_100, "stereo", LOSSLESS),
    ("a.flac", "flac", 48_000, "5.1", LOSSLESS),
    ("a.mp3", "libmp3lame", 44_100, "stereo", LOSSY),
    ("a.mp3", "libmp3lame", 8_000, "mono", LOSSY),
    ("a.ogg", "libopus", 48_000, "stereo", LOSSY),
    ("a.opus", "libopus", 16_000, "mono", LOSSY),
    ("a.webm", "libopus", 48_000, "mono", LOSSY),
    ("a.m4a", "aac", 44_100, "stereo", LOSSY),
    ("a.mp4", "aac", 48_000, "5.1", LOSSY),
    ("a.mkv", "pcm_s16le", 44_100, "mono", LOSSLESS),
]


def level(samples: np.ndarray) -> float:
    """The amplitude of a sine with the same power."""
    return float(np.sqrt(2 * np.mean(np.square(samples, dtype=np.float64))))


def loudest_hertz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(samples)


def seconds(samples: np.ndarray) -> float:
    return len(samples) / SAMPLE_RATE


@pytest.fixture
def three_seconds(tmp_path: Path) -> np.ndarray:
    return tone(440, 3.0, 48_000)


@pytest.mark.parametrize("made", FORMATS, ids=lambda made: "-".join(map(str, made[:4])))
def test_a_tone_keeps_its_pitch_level_and_length(tmp_path, made):
    name, codec, rate, layout, tolerance = made
    path = write(tmp_path / name, tone(440, 3.0, rate), rate, codec, layout=layout)
    samples, failure = decoded(path)
    assert failure is None
    assert samples.dtype == np.float32
    assert seconds(samples) == pytest.approx(3.0, abs=0.1 if tolerance == LOSSY else 0.001)
    middle = samples[SAMPLE_RATE // 2 : -SAMPLE_RATE // 2]
    assert loudest_hertz(middle) == pytest.approx(440, abs=1)
    assert level(middle) == pytest.approx(0.5, rel=tolerance)


@pytest.mark.parametrize("layout", ["stereo", "5.1"])
def test_loud_channels_do_not_add_up_beyond_full_scale(tmp_path, layout):
    signal = tone(440, 1.0, 48_000, level=1.0)
    samples, _ = decoded(write(tmp_path / "a.wav", signal, 48_000, "pcm_f32le", layout=layout))
    assert np.abs(samples).max() == pytest.approx(1.0, abs=1e-3)


def test_a_tone_that_16_khz_cannot_hold_does_not_come_back_as_another(tmp_path):
    signal = tone(10_000, 3.0, 48_000)
    samples, _ = decoded(write(tmp_path / "a.wav", signal, 48_000, "pcm_f32le"))
    assert level(samples[SAMPLE_RATE : 2 * SAMPLE_RATE]) < 0.5 * 10 ** (-60 / 20)


def test_blocks_are_about_a_second(tmp_path, three_seconds):
    with AudioFile(write(tmp_path / "a.flac", three_seconds, 48_000, "flac")) as file:
        lengths = [len(block) for block in file.blocks()]
    assert all(BLOCK <= length <= 1.2 * BLOCK for length in lengths[:-1])
    assert sum(lengths) == 3 * SAMPLE_RATE


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm"])
def test_a_video_gives_its_sound_even_if_that_ends_long_before_the_picture(tmp_path, name):
    codec = "aac" if name == "a.mp4" else "libopus"
    signal = tone(440, 2.0, 48_000)
    samples, failure = decoded(write(tmp_path / name, signal, 48_000, codec, video=6.0))
    assert failure is None
    assert seconds(samples) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm"])
def test_sound_that_starts_late_comes_after_silence(tmp_path, name):
    codec = "aac" if name == "a.mp4" else "libopus"
    signal = tone(440, 2.0, 48_000)
    path = write(tmp_path / name, signal, 48_000, codec, video=4.0, delay=1.5)
    samples, failure = decoded(path)
    assert failure is None
    assert np.abs(samples[: round(1.4 * SAMPLE_RATE)]).max() < 0.01
    assert level(samples[round(1.6 * SAMPLE_RATE) : 3 * SAMPLE_RATE]) == pytest.approx(0.5, rel=0.1)
    assert seconds(samples) == pytest.approx(3.5, abs=0.1)


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "pcm_s16le"), ("a.mka", "flac")])
def test_sound_that_is_missing_in_between_comes_as_silence(tmp_path, name, codec):
    path = write(tmp_path / name, tone(440, 4.0, 16_000), 16_000, codec, gap=(2.0, 3.0))
    samples, failure = decoded(path)
    assert failure is None
    assert seconds(samples) == pytest.approx(7.0, abs=0.1)
    loud = [level(samples[int(at * 16_000) :][:8_000]) for at in (0.5, 1.4, 2.6, 4.0, 5.3, 6.4)]
    assert loud == pytest.approx([0.5, 0.5, 0.0, 0.0, 0.5, 0.5], abs=0.03)


class Pipe(io.RawIOBase):
    """Bytes that can only be read once, a few at a time, like those of a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._content.read(min(size, 1000) if size > 0 else 1000)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.wav", "pcm_s16le"),
        ("a.flac", "flac"),
        ("a.mp3", "libmp3lame"),
        ("a.ogg", "libopus"),
        ("a.webm", "libopus"),
    ],
)
def test_what_cannot_be_sought_gives_the_same_samples(tmp_path, three_seconds, name, codec):
    path = write(tmp_path / name, three_seconds, 48_000, codec)
    expected, _ = decoded(path)
    samples, failure = decoded(Pipe(path.read_bytes()))
    assert failure is None
    assert len(samples) == pytest.approx(len(expected), abs=20)  # mp3 pads its last frame
    shorter = slice(min(len(samples), len(expected)) - 200)
    np.testing.assert_allclose(samples[shorter], expected[shorter], atol=1e-5)


def test_a_file_object_is_read_from_where_it_stands(tmp_path, three_seconds):
    content = write(tmp_path / "a.flac", three_seconds, 48_000, "flac").read_bytes()
    samples, failure = decoded(io.BytesIO(content))
    assert (len(samples), failure) == (3 * SAMPLE_RATE, None)


def test_a_colon_in_a_name_is_no_protocol(tmp_path, monkeypatch, three_seconds):
    write(tmp_path / "a.wav", three_seconds, 48_000, "pcm_s16le").rename(tmp_path / "12:30.wav")
    monkeypatch.chdir(tmp_path)
    samples, failure = decoded(Path("12:30.wav"))
    assert (len(samples), failure) == (3 * SAMPLE_RATE, None)


@pytest.mark.parametrize("as_path", [False, True])
def test_a_session_description_opens_no_socket(tmp_path, as_path):
    text = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
    (tmp_path / "a.sdp").write_text(text)
    _, failure = decoded(tmp_path / "a.sdp" if as_path else io.BytesIO(text.encode()))
    assert "not an audio or video file" in failure


# Damage.


def cut_off(path: Path, part: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: round(len(content) * part)])
    return path


def test_an_mp4_without_its_end_is_unreadable(tmp_path, three_seconds):
    path = cut_off(write(tmp_path / "a.m4a", three_seconds, 48_000, "aac"), 0.6)
    samples, failure = decoded(path)
    assert len(samples) == 0
    assert failure.startswith("a.m4a: not an audio or video file")


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [("a.m4a", "aac", {"movflags": "faststart"}), ("a.flac", "flac", {}), ("a.mka", "flac", {})],
)
def test_a_file_that_breaks_off_gives_what_is_there_and_then_says_so(
    tmp_path, name, codec, options
):
    noise = np.random.default_rng(1).normal(0, 0.1, 10 * 48_000).astype(np.float32)
    path = cut_off(write(tmp_path / name, noise, 48_000, codec, options=options), 0.6)
    samples, failure = decoded(path)
    assert 4.5 < seconds(samples) < 7.0
    assert failure.startswith(f"{name}: the file is damaged or incomplete: ")
    assert f"{seconds(samples):.1f} s of 10.0 s" in failure


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.mp3", "libmp3lame"), ("a.ogg", "libopus")]
)
def test_formats_that_promise_no_length_give_what_is_there(tmp_path, name, codec):
    path = cut_off(write(tmp_path / name, tone(440, 10.0, 48_000), 48_000, codec), 0.6)
    samples, _ = decoded(path)
    assert 4.5 < seconds(samples) < 7.0


def test_a_wav_that_was_streamed_and_states_no_length_is_whole(tmp_path, three_seconds):
    path = write(tmp_path / "a.wav", three_seconds, 48_000, "pcm_s16le")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = content[4:8] = b"\xff\xff\xff\xff"
    for source in (io.BytesIO(content), Pipe(bytes(content))):
        samples, failure = decoded(source)
        assert (len(samples), failure) == (3 * SAMPLE_RATE, None)


def test_garbage_in_the_middle_costs_only_itself(tmp_path):
    path = write(tmp_path / "a.mp3", tone(440, 10.0, 44_100), 44_100, "libmp3lame")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = np.random.default_rng(1).bytes(2000)
    path.write_bytes(content)
    samples, failure = decoded(path)
    assert failure is None
    assert seconds(samples) == pytest.approx(10.0, abs=0.5)
    assert loudest_hertz(samples[-2 * SAMPLE_RATE :]) == pytest.approx(440, abs=1)


def no_media(folder: Path) -> dict[str, Path]:
    (folder / "empty.wav").touch()
    (folder / "text.mp3").write_text("Dictation is an old idea.\n" * 100)
    (folder / "noise.ogg").write_bytes(np.random.default_rng(1).bytes(50_000))
    (folder / "header.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVE")
    (folder / "directory").mkdir()
    return {path.name: path for path in [*folder.iterdir(), folder / "missing.wav"]}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty.wav", "the file is empty"),
        ("text.mp3", "not an audio or video file"),
        ("noise.ogg", "not an audio or video file"),
        ("header.wav", "not an audio or video file"),
        ("directory", "this is a directory"),
        ("missing.wav", "there is no such file"),
    ],
)
def test_what_is_no_media_file_is_refused_in_one_line(tmp_path, name, reason):
    with pytest.raises(DecodeFailed) as refusal:
        AudioFile(no_media(tmp_path)[name])
    assert str(refusal.value).startswith(f"{name}: {reason}")
    assert "\n" not in str(refusal.value)


def test_a_video_without_sound_is_refused(tmp_path):
    path = write(tmp_path / "a.mp4", tone(440, 1.0, 48_000), 48_000, "aac", video=1.0)
    import av

    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mp4"), "w") as silent:
        stream = silent.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                silent.mux(packet)
    assert decoded(tmp_path / "b.mp4")[1] == "b.mp4: there is no audio in it"


@pytest.mark.parametrize("content", [b"", b"\x00" * 5000, b"hello"])
def test_bytes_that_are_no_media_are_refused_by_the_name_they_were_given(content):
    with pytest.raises(DecodeFailed, match=r"^take 3: not an audio or video file \([^\n]*\)$"):
        AudioFile(io.BytesIO(content), name="take 3")


def test_a_wav_without_samples_has_no_sound(tmp_path):
    path = write(tmp_path / "a.wav", tone(440, 0.1, 16_000), 16_000, "pcm_s16le")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"data") + 4] + bytes(4))
    samples, failure = decoded(path)
    assert len(samples) == 0
    assert failure.startswith("a.wav: ")


MEASURE = """
import sys, resource
from pathlib import Path
from capswriter.audio.decode import AudioFile
with AudioFile(Path(sys.argv[1])) as file:
    blocks = file.blocks()
    samples = len(next(blocks))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    samples += sum(map(len, blocks))
print(samples, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_an_hour_takes_no_more_memory_than_a_second(tmp_path):
    path = tmp_path / "hour.wav"
    size = 3600 * SAMPLE_RATE * 2
    header = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = (
        np.array([1, 1], "<u2").tobytes()
        + np.array([SAMPLE_RATE, SAMPLE_RATE * 2], "<u4").tobytes()
    )
    header += form + np.array([2, 16], "<u2").tobytes() + b"data" + size.to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + size)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, check=True, text=True
    )
    samples, kibibytes = map(int, done.stdout.split())
    assert samples == 3600 * SAMPLE_RATE
    assert kibibytes < 30 * 1024
