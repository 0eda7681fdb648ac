"""``capswriter config``, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from capswriter.settings import ClientConfig, DictationConfig, ServerConfig


@pytest.fixture
def run(tmp_path):
    def run(*arguments, directory=tmp_path, **environment):
        clean = {n: v for n, v in os.environ.items() if not n.startswith("CAPSWRITER_")}
        clean |= {"XDG_CONFIG_HOME": str(tmp_path / "nothing"), "PYTHONUTF8": "1"}
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "capswriter", "config", *arguments],
            cwd=directory,
            env=clean | environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return run


def test_it_prints_every_key_its_value_and_where_it_came_from(run, tmp_path):
    (tmp_path / ".env").write_text("PORT=7000\n")
    done = run(CAPSWRITER_CLIENT_CONTEXT="中文 [b]", CAPSWRITER_WORKERS="3")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert f".env: {tmp_path / '.env'}" in rows
    assert "config.py: none" in rows
    assert "port 7000 .env:1 PORT" in rows
    assert "workers 3 environment CAPSWRITER_WORKERS" in rows
    assert "context 中文 [b] environment CAPSWRITER_CLIENT_CONTEXT" in rows
    assert "formats txt,srt,json default" in rows
    assert "model_dir none default" in rows
    server, client, dictation = map(rows.index, ("server", "client", "dictation"))
    assert [row.split()[0] for row in rows[server + 2 : client - 1]] == [*ServerConfig.model_fields]
    named = [row.split()[0] for row in rows[client + 2 : dictation - 1]]
    assert named == [*ClientConfig.model_fields]
    assert [row.split()[0] for row in rows[dictation + 2 :]] == [*DictationConfig.model_fields]


def test_columns_are_aligned(run):
    lines = [line for line in run().stdout.splitlines() if line.startswith("  ")]
    where = lines[0].index("where from")
    assert {line[where:] for line in lines} == {"where from", "default"}


def test_json_holds_the_same(run, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from capswriter.settings import *\n"
        "server = ServerConfig(threads=2)\n"
        "client = ClientConfig(output_dir='out')\n"
    )
    done = run("--json", "--config", "mine.py", CAPSWRITER_CLIENT_FORMATS="srt,lrc")
    document = json.loads(done.stdout)
    assert document["config_file"] == str(path)
    assert document["env_file"] is None
    assert document["server"]["threads"] == {"value": 2, "origin": "mine.py:2"}
    assert document["client"]["output_dir"] == {"value": "out", "origin": "mine.py:3"}
    assert document["client"]["formats"]["value"] == ["srt", "lrc"]
    assert list(document["server"]) == list(ServerConfig.model_fields)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"CAPSWRITER_PORT": "70000"},
            "environment CAPSWRITER_PORT: '70000' is not allowed: 0 to 65535 (0: any free port)",
        ),
        (
            {"CAPSWRITER_CLIENT_SERVER": "http://x"},
            (
                "environment CAPSWRITER_CLIENT_SERVER: 'http://x' is not allowed: "
                "ws://host:port or wss://host:port"
            ),
        ),
        (
            {"CAPSWRITER_PROT": "1"},
            "environment CAPSWRITER_PROT is not a setting; did you mean CAPSWRITER_PORT?",
        ),
    ],
)
def test_a_wrong_variable_is_one_line_and_exit_status_2(run, environment, said):
    done = run(**environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"capswriter: {said}\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "server = ServerConfig(prot=1)\n",
            "config.py:2: prot is not a setting; did you mean port?",
        ),
        ("server = ServerConfig(\n", "config.py:2: SyntaxError: '(' was never closed"),
        (
            "server = ServerConfig()\n",
            "config.py: client is missing; allowed: client = ClientConfig(...)",
        ),
    ],
)
def test_a_wrong_config_py_is_one_line_and_exit_status_2(run, tmp_path, source, said):
    (tmp_path / "config.py").write_text(
        f"from capswriter.settings import ClientConfig, ServerConfig\n{source}"
    )
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"capswriter: {said}\n"


def test_a_missing_config_is_one_line_and_exit_status_2(run):
    done = run("--config", "missing.py")
    assert done.returncode == 2
    assert done.stderr == (
        "capswriter: --config: missing.py is not allowed: the path of a config.py\n"
    )


def test_another_project_s_config_py_is_never_run(run, tmp_path):
    (tmp_path / "config.py").write_text("open('executed', 'w').close()\nraise SystemExit(9)\n")
    done = run()
    assert done.returncode == 0
    assert not (tmp_path / "executed").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX's")
def test_a_terminal_gets_tables(tmp_path):
    import pty

    parent, child = pty.openpty()
    environment = {n: v for n, v in os.environ.items() if not n.startswith("CAPSWRITER_")}
    environment |= {
        "XDG_CONFIG_HOME": str(tmp_path),
        "COLUMNS": "100",
        "TERM": "xterm",
        "CAPSWRITER_CLIENT_CONTEXT": "[b]bold",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "capswriter", "config"],
        cwd=tmp_path,
        env=environment,
        stdout=child,
    ) as process:
        os.close(child)
        printed = b""
        while chunk := _read(parent):
            printed += chunk
    os.close(parent)
    text = printed.decode()
    assert process.returncode == 0
    assert "│ port " in text
    assert "│ [b]bold " in text


def _read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux's way to say that the other end is closed
        return b""
