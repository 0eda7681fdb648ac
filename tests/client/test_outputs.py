"""Names, contents and wholeness of the files that are written."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from capswriter.client.outputs import plan, prepare, rendered, write
from capswriter.errors import UserError
from capswriter.transcript import Token, Transcript

FORMATS = ("txt", "srt")


def names(*sources, output_dir=None, formats=FORMATS):
    targets = plan([Path(each) for each in sources], formats, output_dir)
    return [str(target.path("txt")) for target in targets]


def names_in(directory):
    return sorted(path.name for path in directory.iterdir())


def test_results_lie_beside_their_file():
    assert names("a.mp3", "talks/b.c.wav", "d") == ["a.txt", "talks/b.c.txt", "d.txt"]


def test_or_in_the_directory_named():
    assert names("x/a.mp3", "b.mp3", output_dir=Path("out")) == ["out/a.txt", "out/b.txt"]


def test_files_of_one_stem_keep_their_whole_names():
    assert names("a.mp3", "a.wav", "b.wav") == ["a.mp3.txt", "a.wav.txt", "b.txt"]
    assert names("x/a.mp3", "y/a.mp3") == ["x/a.txt", "y/a.txt"]


def test_case_and_composition_do_not_make_names_different():
    assert names("A.mp3", "a.wav") == ["A.mp3.txt", "a.wav.txt"]
    assert names("\u00e9.mp3", "e\u0301.wav") == ["\u00e9.mp3.txt", "e\u0301.wav.txt"]


def test_equal_whole_names_are_numbered():
    out = Path("o")
    assert names("x/a.mp3", "y/a.mp3", "z/a.mp3", output_dir=out) == [
        "o/a.mp3.txt",
        "o/a.mp3-2.txt",
        "o/a.mp3-3.txt",
    ]


def test_a_longer_name_never_takes_another_file_s():
    assert names("a.mp3", "a.wav", "a.mp3.ogg") == ["a.mp3-2.txt", "a.wav.txt", "a.mp3.txt"]


def test_no_result_replaces_a_file_that_was_given():
    assert names("a.mp3", "a.srt") == ["a.mp3.txt", "a.srt.txt"]
    assert names("a.mp3", "b/../a.txt", "a.mp3.txt")[0] == "a.mp3-2.txt"


def test_a_file_that_is_given_twice_is_taken_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert names("a.mp3", "./a.mp3", str(tmp_path / "a.mp3"), "b.mp3") == ["a.txt", "b.txt"]


def test_every_format_is_written_from_one_transcript():
    tokens = (Token("Hi", 1.0, 1.4), Token(" 世界", 1.5, 2.0), Token("。", 2.0, 2.0))
    transcript = Transcript("Hi 世界。", "zh", tokens)
    txt, srt, vtt, lrc, as_json = rendered(
        transcript, ("txt", "srt", "vtt", "lrc", "json"), duration=3.0
    )
    assert txt.decode() == "Hi 世界。\n"
    assert srt.decode() == "1\n00:00:01,000 --> 00:00:02,000\nHi 世界。\n\n"
    assert vtt.decode() == "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHi 世界。\n\n"
    assert lrc.decode() == "[00:01.00]Hi 世界。\n"
    assert json.loads(as_json)["duration"] == 3.0


def test_no_speech_gives_empty_files():
    assert rendered(Transcript(""), ("txt", "srt"), duration=3.0) == [b"", b""]


def test_a_file_is_replaced_as_a_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    write(path, b"neu\n")
    assert path.read_bytes() == b"neu\n"
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_a_file_has_the_mode_that_the_user_s_mask_gives(tmp_path):
    before = os.umask(0o022)
    try:
        write(tmp_path / "a.txt", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_what_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(UserError, match=r"^cannot write .*a\.txt: .*; name another place with "):
        write(tmp_path / "a.txt", b"x")
    assert names_in(tmp_path) == ["a.txt"]


def test_a_directory_is_made_and_tried(tmp_path):
    prepare(tmp_path / "new" / "deep")
    assert names_in(tmp_path / "new" / "deep") == []
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^cannot write .*file: .* with --output-dir$"):
        prepare(tmp_path / "file")
