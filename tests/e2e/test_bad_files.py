"""Files that are none, through the real client and server: a line each, and the others are done."""

from __future__ import annotations

import subprocess
import sys
import wave

import av
import media
import numpy as np
import pytest

from capswriter.audio import SAMPLE_RATE

pytestmark = pytest.mark.model


@pytest.fixture
def folder(tmp_path, first):
    """One file of each kind of fault, and a good one."""
    speech = first[: 20 * SAMPLE_RATE]
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "renamed.mp3").write_text("This is a text.\n" * 50)
    whole = media.write(tmp_path / "whole.mp4", speech, SAMPLE_RATE, "aac").read_bytes()
    (tmp_path / "no_index.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "whole.mp4").unlink()
    early = {"movflags": "faststart"}
    path = media.write(tmp_path / "cut.mp4", speech, SAMPLE_RATE, "aac", options=early)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with av.open(str(tmp_path / "mute.mp4"), "w") as container:
        picture = container.add_stream("mpeg4", rate=10)
        picture.width = picture.height = 64
        black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux([*picture.encode(black), *picture.encode(None)])
    for name, samples in (("short.wav", speech[:160]), ("good.wav", speech)):
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return tmp_path


def test_each_bad_file_is_one_line_and_the_good_one_is_done(folder, server):
    names = sorted(path.name for path in folder.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "capswriter", "transcribe", "--server", server.url, *names, "gone"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    lines = {line.removeprefix("capswriter: ").split(":")[0]: line for line in
             done.stderr.splitlines()}  # fmt: skip
    assert len(lines) == len(done.stderr.splitlines()) == len(names) + 1
    assert "the file is empty" in lines["empty.mp3"]
    assert "not an audio or video file" in lines["renamed.mp3"]
    assert "not an audio or video file" in lines["no_index.mp4"]
    assert "s of 20.0 s could be decoded" in lines["cut.mp4"]
    assert "there is no audio in it" in lines["mute.mp4"]
    assert "no speech in 0.0 s" in lines["short.wav"]
    assert "no such file" in lines["gone"]
    assert (folder / "good.txt").read_text().startswith("Dictation is an old idea.")
    assert (folder / "cut.txt").read_text().startswith("Dictation is an old idea.")
    assert not (folder / "renamed.txt").exists()
