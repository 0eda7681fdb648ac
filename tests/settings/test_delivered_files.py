"""``config.py``, ``.env.example`` and the two starters, as they lie in the repository."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from capswriter.settings import ClientConfig, DictationConfig, ServerConfig, load
from capswriter.settings.names import UNPREFIXED, every_variable
from capswriter.settings.schema import CONFIGS

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "config.py").read_text(encoding="utf-8")
STARTERS = {"start_server.py": "serve", "start_client.py": "transcribe"}


@pytest.mark.parametrize("config", CONFIGS)
def test_config_py_holds_every_key_commented_with_its_default(config, tmp_path):
    effective = load(config, config_file=ROOT / "config.py", environment={}, directory=tmp_path)
    assert effective.value == config()
    assert effective.value.model_fields_set == set(config.model_fields)
    lines = SOURCE.splitlines()
    [call] = [
        node
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == config.__name__
    ]
    assert [keyword.arg for keyword in call.keywords] == list(config.model_fields)
    for keyword in call.keywords:
        assert lines[keyword.lineno - 2].strip().startswith("# "), keyword.arg


def test_env_example_names_every_variable_commented(place):
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert all(not line or line.startswith("#") for line in text.splitlines())
    wanted = [*every_variable(), *UNPREFIXED]
    switched_on = [line[2:] for line in text.splitlines() if line[2:].split("=")[0] in wanted]
    settings = [line for line in switched_on if "=" in line]
    assert [line.split("=")[0] for line in settings] == wanted
    place.dotenv("\n".join(settings))
    assert place.load().value == ServerConfig()
    assert place.load(ClientConfig).value == ClientConfig()
    assert place.load(DictationConfig).value == DictationConfig()


def start(starter, *arguments, **environment):
    """Run a starter over a stand-in for the command line that prints what it is asked to do."""
    code = (
        "import runpy, sys, types\n"
        "cli = types.ModuleType('capswriter.cli'); cli.main = print\n"
        "sys.modules['capswriter.cli'] = cli\n"
        f"sys.argv = [{starter!r}, *{list(arguments)!r}]\n"
        f"runpy.run_path({str(ROOT / starter)!r}, run_name='__main__')\n"
    )
    clean = {name: value for name, value in os.environ.items() if name != "CAPSWRITER_CONFIG"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ast.literal_eval(done.stdout)


@pytest.mark.parametrize(("starter", "subcommand"), STARTERS.items())
def test_a_starter_names_the_config_beside_it_unless_the_user_names_one(starter, subcommand):
    beside = ["--config", str(ROOT / "config.py")]
    assert start(starter, "a.wav") == [subcommand, *beside, "a.wav"]
    assert start(starter, "--config", "my.py") == [subcommand, "--config", "my.py"]
    assert start(starter, "--config=my.py") == [subcommand, "--config=my.py"]
    assert start(starter, "a.wav", CAPSWRITER_CONFIG="my.py") == [subcommand, "a.wav"]


def test_the_client_s_starter_without_arguments_dictates():
    beside = ["--config", str(ROOT / "config.py")]
    assert start("start_client.py") == ["dictate", *beside]
    assert start("start_server.py") == ["serve", *beside]


@pytest.mark.parametrize("starter", STARTERS)
def test_a_starter_without_the_package_says_what_to_do(starter):
    done = subprocess.run(
        [sys.executable, "-I", "-S", ROOT / starter],  # -S: no site-packages
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"{starter}: No module named 'capswriter'; run scripts/install first\n"


@pytest.mark.parametrize("starter", STARTERS)
def test_a_worker_that_imports_a_starter_starts_nothing(starter):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import runpy, sys\n"
                f"runpy.run_path({str(ROOT / starter)!r}, run_name='__mp_main__')\n"
                "print([name for name in sys.modules if name.startswith('capswriter.')])"
            ),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"
