"""``capswriter models`` says what happened, and exits as scripts expect; ``serve`` finds models."""

import os
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from capswriter.cli.models import command
from capswriter.cli.serve import choose_model
from capswriter.errors import UsageError
from capswriter.models import catalogue
from capswriter.models.errors import DownloadFailed, ModelCorrupt
from capswriter.models.store import ModelStore
from capswriter.settings import ServerConfig

NOWHERE = "http://127.0.0.1:9"


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


def listed(models):
    """The columns of the one model that is listed."""
    header, row = models("list").stdout.splitlines()
    assert header.split() == ["name", "engine", "size", "languages", "installed", "description"]
    return re.split("  +", row)


def test_a_model_from_pull_to_remove(models, store):
    assert listed(models) == ["tiny", "none", "0 MB", "en, zh", "no", "a test"]
    pulled = models("pull", "tiny")
    assert pulled.exit_code == 0
    assert pulled.stdout == ""
    assert pulled.stderr.splitlines() == [
        f"downloading tiny (0 MB) to {store.directory}",
        "tiny is ready",
    ]
    assert models("path", "tiny").output == f"{store.directory / 'tiny'}\n"
    assert listed(models) == ["tiny", "none", "0 MB", "en, zh", "yes", "a test"]
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


def test_a_model_whose_size_is_only_told_by_its_hub(scoped):
    store = ModelStore(models=scoped.models)

    def models(*arguments):
        return CliRunner().invoke(command, arguments, obj=store)

    assert listed(models) == ["scoped", "none", "~3 MB", "zh", "no", "a test"]
    pulled = models("pull", "scoped")
    assert pulled.stderr.splitlines()[0] == f"downloading scoped (~3 MB) to {store.directory}"
    assert models("verify", "scoped").output == "scoped is sound\n"
    assert listed(models)[4] == "yes"
    (store.directory / "scoped" / "config.yaml").write_bytes(b"?")
    assert listed(models)[4] == "corrupt"
    assert models("verify").exit_code == 1
    assert models("remove", "scoped").exit_code == 0
    assert listed(models)[4] == "no"


def test_list_shows_the_shipped_catalogue():
    result = capswriter("list")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(catalogue.load())
    assert re.match("whisper-base  +whisper  +148 MB  +99  +no  +99 languages", lines[1])
    assert re.match("sensevoice-small  +sensevoice  +242 MB  .*  recommended", lines[2])


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    return lambda model: ServerConfig(model=model, model_dir=tmp_path / "models")


def put_there(directory, name):
    for file in catalogue.find(name).files:
        (directory / name).mkdir(parents=True, exist_ok=True)
        (directory / name / file.path).write_bytes(b"not the published bytes")


def test_the_server_takes_a_directory_for_a_model(settings, tmp_path):
    chosen = choose_model(settings(str(tmp_path)))
    assert (chosen.name, chosen.directory) == (tmp_path.name, tmp_path)


def test_the_server_takes_no_model_that_recognises_nothing(web, settings, tmp_path):
    put_there(tmp_path / "models", "punctuation")
    with pytest.raises(UsageError, match="punctuation recognises no speech"):
        choose_model(settings("punctuation"))
    with pytest.raises(DownloadFailed, match="cannot download whisper-base"):
        choose_model(settings("auto"))
    put_there(tmp_path / "models", "paraformer-small")
    with pytest.raises(ModelCorrupt, match="paraformer-small is corrupt"):
        choose_model(settings("auto"))


@pytest.mark.parametrize("model", ["./nowhere", "wisper"])
def test_the_server_says_that_there_is_no_such_model(model, tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "capswriter", "serve", "--model", model],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("capswriter: there is no ")
    assert len(result.stderr.splitlines()) == 1
