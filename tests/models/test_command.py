"""``capswriter models`` says what happened, and exits as scripts expect."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from capswriter.cli.models import command
from capswriter.models.store import ModelStore


@pytest.fixture
def store(tiny):
    return ModelStore(models=tiny.models)


@pytest.fixture
def models(store):
    return lambda *arguments: CliRunner().invoke(command, arguments, obj=store)


def capswriter(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "capswriter", "models", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )


def test_a_model_from_pull_to_remove(models, store):
    assert models("list").stdout.splitlines()[1].split() == [
        "tiny",
        "0",
        "MB",
        "en,",
        "zh",
        "no",
        "-",
    ]
    pulled = models("pull", "tiny")
    assert pulled.exit_code == 0
    assert pulled.stdout == ""
    assert pulled.stderr.splitlines() == [
        f"downloading tiny (0 MB) to {store.directory}",
        "tiny is ready",
    ]
    assert models("path", "tiny").output == f"{store.directory / 'tiny'}\n"
    assert models("list").stdout.split()[-2:] == ["yes", str(store.directory / "tiny")]
    assert models("verify").output == "tiny is sound\n"
    assert models("remove", "tiny").exit_code == 0
    assert models("verify").output == f"there is no model in {store.directory}\n"


def test_pulling_what_is_here_says_where(models, store):
    store.pull("tiny")
    assert models("pull", "tiny").output == f"tiny is in {store.directory / 'tiny'}\n"


@pytest.mark.parametrize("arguments", [["verify"], ["verify", "tiny"]])
def test_a_corrupt_model_is_listed_and_fails_verification(models, store, arguments):
    (store.pull("tiny") / "model.bin").write_bytes(b"short")
    assert "corrupt" in models("list").output
    result = models(*arguments)
    assert result.exit_code == 1
    assert "capswriter models pull tiny" in result.stderr
    assert models("pull", "tiny").exit_code == 0
    assert models(*arguments).exit_code == 0


def test_half_a_model_fails_verification(models, store):
    (store.pull("tiny") / "model.bin").unlink()
    assert models("verify").exit_code == 1
    assert "incomplete" in models("list").output


def test_the_bar_is_drawn_on_a_terminal(models, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes the error stream for a terminal
    result = models("pull", "tiny")
    assert "model.bin" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("action", ["path", "verify", "remove"])
def test_a_missing_model_is_one_line_without_a_traceback(action):
    result = capswriter(action, "whisper-base")
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("capswriter: whisper-base is not in ")


@pytest.mark.parametrize("arguments", [["pull"], ["path"], ["remove"], ["pull", "wisper"]])
def test_wrong_usage_exits_with_2(arguments):
    result = capswriter(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_a_machine_without_a_network_gets_one_line(web):
    result = capswriter("pull", "whisper-base", HF_ENDPOINT=web.url)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 2
    assert "cannot download whisper-base: 127.0.0.1: HTTP 404" in result.stderr
    assert "capswriter models verify whisper-base" in result.stderr


def test_list_shows_the_shipped_catalogue():
    result = capswriter("list")
    assert result.returncode == 0
    assert "whisper-base  148 MB  99" in result.stdout
