"""``capswriter transcribe``, run as a user runs it, against servers on real sockets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from client.emulated import (
    V1_0,
    V2,
    Failing,
    Short,
    Silent,
    Speechless,
    V2x,
    make_truncated,
    make_wav,
    serving_in_thread,
)

from capswriter.cli.transcribe import expanded

ROOT = Path(__file__).parents[2]
TIMES = r" s in \d+\.\d s \(\d+\.\dx\)"


@pytest.fixture
def environment(tmp_path):
    clean = {name: value for name, value in os.environ.items() if "CAPSWRITER" not in name}
    return clean | {"XDG_CONFIG_HOME": str(tmp_path / "nothing"), "PYTHONUTF8": "1"}


@pytest.fixture
def command(tmp_path, environment):
    """Run the command in a directory of its own."""

    def command(*arguments, program=("-W", "error", "-m", "capswriter", "transcribe"), **more):
        return subprocess.run(
            [sys.executable, *program, *map(str, arguments)],
            cwd=tmp_path,
            env=environment | more,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return command


@pytest.fixture
def wav(tmp_path):
    return lambda name, seconds=4: make_wav(tmp_path / name, seconds)


@pytest.fixture
def ours():
    with serving_in_thread(V2()) as url:
        yield url


def test_text_subtitles_and_json_are_written_beside_the_file(command, wav, tmp_path, ours):
    wav("a.wav", 12.5)
    done = command("a.wav", "--server", ours)
    assert (done.returncode, done.stdout) == (0, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("a.wav: 12.5 s in ")
    assert line.endswith("x) -> a.txt, a.srt, a.json")
    assert (tmp_path / "a.txt").read_text() == "Hello, world.\n"
    assert (tmp_path / "a.srt").read_text().startswith("1\n00:00:00,000 --> ")
    assert json.loads((tmp_path / "a.json").read_text())["duration"] == 12.5


def test_formats_directory_and_several_files(command, wav, tmp_path, ours):
    wav("a.wav"), wav("a.ogg.wav"), wav("b.wav")
    done = command(
        "a.wav", "a.ogg.wav", "b.wav", "--server", ours, "--format", "vtt,lrc",
        "--output-dir", "out/deep", "--jobs", "3",
    )  # fmt: skip
    assert done.returncode == 0
    written = {path.name for path in (tmp_path / "out" / "deep").iterdir()}
    stems = ("a", "a.ogg", "b")
    assert written == {f"{stem}.{each}" for stem in stems for each in ("lrc", "vtt")}
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize("emulated", [V2x(), V1_0()])
def test_old_servers_are_served_too(command, wav, tmp_path, emulated):
    wav("a.wav", 100)
    with serving_in_thread(emulated) as url:
        done = command("a.wav", "--server", url)
    assert done.returncode == 0
    assert (tmp_path / "a.txt").read_text() in {"Hello, world.\n", "你好。\n"}


def test_a_file_that_fails_stops_no_other(command, wav, tmp_path, ours):
    wav("a.wav"), wav("z.wav")
    (tmp_path / "text.txt").write_text("no audio")
    (tmp_path / "folder").mkdir()
    done = command("a.wav", "missing.mp3", "text.txt", "folder", "z.wav", "--server", ours)
    assert done.returncode == 1
    assert (tmp_path / "a.txt").exists()
    assert (tmp_path / "z.srt").exists()
    failed = [line for line in done.stderr.splitlines() if line.startswith("capswriter: ")]
    assert failed[:2] == [
        "capswriter: missing.mp3: there is no such file",
        "capswriter: folder: this is a directory; name the files in it",
    ]
    assert failed[2].startswith("capswriter: text.txt: ")
    assert len(failed) == 3
    assert not (tmp_path / "text.srt").exists()
    assert (tmp_path / "text.txt").read_text() == "no audio"


def test_what_is_left_of_a_damaged_file_is_written_and_the_status_is_1(command, tmp_path, ours):
    make_truncated(tmp_path / "a.flac", 20, kept=0.5)
    done = command("a.flac", "--server", ours)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("capswriter: a.flac: the file is damaged or incomplete: ")
    assert line.endswith(" s of 20.0 s could be decoded -> a.txt, a.srt, a.json")
    assert (tmp_path / "a.txt").read_text() == "Hello, world.\n"


def test_a_server_that_loses_the_end_is_caught(command, wav, tmp_path):
    wav("a.wav", 60)
    with serving_in_thread(Short()) as url:
        done = command("a.wav", "--server", url)
    assert done.returncode == 1
    assert done.stderr == (
        "capswriter: a.wav: the server covered 50.0 s of 60.0 s -> a.txt, a.srt, a.json\n"
    )
    assert (tmp_path / "a.txt").exists()


def test_a_file_without_speech_is_no_failure(command, wav, tmp_path):
    wav("a.wav", 12)
    with serving_in_thread(Speechless()) as url:
        done = command("a.wav", "--server", url)
    assert done.returncode == 0
    assert done.stderr == "a.wav: no speech in 12.0 s of audio -> a.txt, a.srt, a.json\n"
    assert (tmp_path / "a.txt").read_text() == ""


def test_an_error_of_the_server_is_one_line(command, wav):
    wav("a.wav")
    emulated = Failing(code="audio_too_long", message="at most 1 s", retryable=False)
    with serving_in_thread(emulated) as url:
        done = command("a.wav", "--server", url)
    assert (done.returncode, done.stderr) == (
        1,
        "capswriter: a.wav: the server: at most 1 s\n",
    )


def test_a_silent_server_is_one_line(command, wav):
    wav("a.wav")
    with serving_in_thread(Silent()) as url:
        done = command("a.wav", "--server", url, "--timeout", "0.5")
    assert done.returncode == 1
    assert done.stderr == (
        "capswriter: a.wav: the server said nothing for 0.5 s; "
        "if it is only slow, raise --timeout\n"
    )


def test_stdout_gets_the_first_format_in_the_order_given_and_no_file_is_written(
    command, wav, tmp_path
):
    class Echo(V2):
        async def final(self, socket, frame, covered):
            words = (f"{covered:g}",)
            await self.reply(socket, frame, covered, words, is_final=True)

    wav("long.wav", 400), wav("b.wav", 2), wav("c.wav", 1)
    with serving_in_thread(Echo()) as url:
        done = command(
            "long.wav", "b.wav", "missing.wav", "c.wav", "--server", url, "--stdout", "--jobs", "3"
        )
    assert (done.returncode, done.stdout) == (1, "400\n2\n1\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.wav", "c.wav", "long.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_reader_that_goes_away_ends_the_work_quietly(wav, tmp_path, environment, ours):
    wav("a.wav"), wav("b.wav")
    arguments = ["--stdout", "--server", ours, "--jobs", "1", "a.wav", "b.wav"]
    with subprocess.Popen(
        [sys.executable, "-m", "capswriter", "transcribe", *arguments],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 1
    assert said.count("\n") == 1
    assert said.startswith("a.wav: 4.0 s in ")


def test_no_server_is_one_line_that_says_what_to_do(command, wav):
    wav("a.wav")
    done = command("a.wav", "--server", "ws://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "capswriter: no server answers at ws://127.0.0.1:1; "
        "start one with 'capswriter serve', or use --local\n"
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_wss_is_spoken_with_servers_whose_certificate_is_trusted(command, wav, tmp_path):
    wav("a.wav")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with serving_in_thread(V2(), ssl=context) as url:
        refused = command("a.wav", "--server", url)
        trusted = command("a.wav", "--server", url, SSL_CERT_FILE=str(tmp_path / "cert.pem"))
    assert (refused.returncode, refused.stderr.splitlines()) == (
        1,
        [f"capswriter: the certificate of the server at {url} is not trusted"],
    )
    assert trusted.returncode == 0


def test_a_place_that_cannot_be_written_is_found_before_anything_is_sent(command, wav, tmp_path):
    wav("a.wav")
    (tmp_path / "file").touch()
    done = command("a.wav", "--output-dir", "file", "--server", "ws://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("capswriter: a.wav: cannot write file: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing argument 'FILE...'"),
        (("a", "--format", "doc"), "--formats: 'doc' is not allowed: one or more of txt, srt"),
        (("a", "--jobs", "0"), "--jobs: '0' is not allowed: a whole number from 1"),
        (("a", "--server", "http://x"), "--server: 'http://x' is not allowed: ws://host:port or"),
        (("a", "--timeout", "x"), "--timeout: 'x' is not allowed: a number of seconds above 0"),
        (("a", "--workers", "2"), "--workers and --model are for the server that --local starts"),
        (("a", "--local", "--server", "ws://x"), "--local starts a server of its own; leave out"),
        (("a", "--stdout", "--output-dir", "x"), "--stdout writes no files; leave out --output"),
        (("a", "--nonsense"), "No such option"),
    ],
)
def test_wrong_usage_is_exit_status_2(command, arguments, said):
    done = command(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_config_py_environment_and_levels_count(command, wav, tmp_path, ours):
    wav("a.wav")
    config = tmp_path / "mine.py"
    config.write_text(
        "from capswriter.settings import *\n"
        f"client = ClientConfig(server={ours!r}, formats=('lrc',))\nserver = ServerConfig()\n"
    )
    done = command("a.wav", "--config", "mine.py", CAPSWRITER_CLIENT_LOG_LEVEL="warning")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a.lrc").exists()


def test_start_client_py_does_the_same(command, wav, tmp_path, ours):
    wav("a.wav")
    done = command("a.wav", "--server", ours, program=(str(ROOT / "start_client.py"),))
    assert done.returncode == 0
    assert (tmp_path / "a.json").exists()


def test_patterns_are_expanded_where_the_shell_does_not(tmp_path, monkeypatch):
    for name in ("b.wav", "a.wav", "c[1].wav"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert expanded(["*.wav"], patterns=False) == [Path("*.wav")]
    assert expanded(["?.wav", "c[1]*", "x*"], patterns=True) == [
        Path("a.wav"),
        Path("b.wav"),
        Path("c[1].wav"),
        Path("x*"),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_ends_quietly_with_130_and_keeps_what_is_done(wav, tmp_path, environment):
    class OnceThenSilent(V2):
        async def final(self, socket, frame, covered):
            if covered < 10:
                await super().final(socket, frame, covered)

    wav("a.wav", 4), wav("b.wav", 20)
    with serving_in_thread(OnceThenSilent()) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "capswriter", "transcribe", "a.wav", "b.wav", "--server", url],
            cwd=tmp_path,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = process.stderr.readline()
        assert line.startswith("a.wav: 4.0 s in ")
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=20)
    assert (process.returncode, rest.strip()) == (130, "")
    assert time.monotonic() - began < 5
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.json",
        "a.srt",
        "a.txt",
        "a.wav",
        "b.wav",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX's")
def test_a_terminal_gets_a_bar_in_seconds_of_audio(wav, tmp_path, environment):
    import pty

    class Slow(V2):
        async def final(self, socket, frame, covered):
            import asyncio

            await self.reply(socket, frame, covered / 2)
            await asyncio.sleep(1)
            await super().final(socket, frame, covered)

    wav("a.wav", 90)
    parent, child = pty.openpty()
    with (
        serving_in_thread(Slow()) as url,
        subprocess.Popen(
            [sys.executable, "-m", "capswriter", "transcribe", "a.wav", "--server", url],
            cwd=tmp_path,
            env=environment | {"COLUMNS": "100", "TERM": "xterm"},
            stderr=child,
        ) as process,
    ):
        os.close(child)
        printed = b""
        while chunk := _read(parent):
            printed += chunk
    os.close(parent)
    text = printed.decode()
    assert process.returncode == 0
    assert "0:45/1:30" in text
    assert " left" in text
    assert "a.wav: 90.0 s in " in text


def _read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux's way to say that the other end is closed
        return b""


MEASURED = (
    "import sys\n"
    "from pathlib import Path\n"
    "from capswriter.cli import main\n"
    "try:\n    main(['transcribe', *sys.argv[1:]])\n"
    "finally:\n    print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("old", [False, True])
def test_memory_does_not_grow_with_the_length_of_the_file(command, wav, old):
    wav("short.wav", 90), wav("long.wav", 3600)
    peaks = []
    for name in ("short.wav", "long.wav"):
        with serving_in_thread(V1_0() if old else V2()) as url:
            done = command(name, "--server", url, program=("-c", MEASURED))
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 20


@pytest.mark.model
def test_local_does_without_a_server(command, tmp_path):
    done = command(ROOT / "ref_codes" / "samples" / "01.mp3", "--output-dir", ".", "--local",
                   "--workers", "1")  # fmt: skip
    assert done.returncode == 0
    assert (tmp_path / "01.txt").read_text().startswith("Dictation is an old idea.\n")
    assert len(done.stderr.splitlines()) == 1


def test_local_passes_on_what_the_server_says_of_its_flags(command, wav):
    wav("a.wav")
    done = command("a.wav", "--local", "--workers", "x")
    assert done.returncode == 2
    assert done.stderr == (
        "capswriter: --workers: 'x' is not allowed: a whole number from 1, or auto\n"
    )
