from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from capswriter.settings import ClientConfig, ServerConfig

SOURCES = ["flag", "environment", "dotenv", "config.py"]
"""From the one that counts most to the one that counts least."""
ORIGINS = {
    "flag": "--port",
    "environment": "environment CAPSWRITER_PORT",
    "dotenv": ".env:2 CAPSWRITER_PORT",
    "config.py": "config.py:3",
}
PORTS = {"flag": 1001, "environment": 1002, "dotenv": 1003, "config.py": 1004}


@pytest.mark.parametrize(
    "given", [some for count in range(5) for some in combinations(SOURCES, count)], ids=str
)
def test_flag_environment_dotenv_config_default_in_this_order(place, given):
    port = PORTS["config.py"] if "config.py" in given else None
    place.config(f"server = ServerConfig(\n{f'port={port}' if port else ''}\n)")
    if "dotenv" in given:
        place.dotenv("# ours\nCAPSWRITER_PORT=1003\n")
    effective = place.load(
        flags={"port": 1001 if "flag" in given else None},
        environment={"CAPSWRITER_PORT": "1002"} if "environment" in given else {},
    )
    winner = next((source for source in SOURCES if source in given), None)
    assert effective.value.port == (PORTS[winner] if winner else 6016)
    assert effective.origin["port"] == (ORIGINS[winner] if winner else "default")
    assert effective.origin["host"] == "default"


def test_sources_are_merged_key_by_key(place):
    place.config("client = ClientConfig(jobs=5, context='names')")
    place.dotenv("CAPSWRITER_CLIENT_JOBS=6")
    effective = place.load(ClientConfig, {"formats": "vtt, LRC"})
    assert effective.value == ClientConfig(jobs=6, context="names", formats=("vtt", "lrc"))
    assert effective.origin["formats"] == "--formats"
    assert effective.origin["context"] == "config.py:2"
    assert set(effective.origin) == set(ClientConfig.model_fields)


def test_nothing_anywhere_gives_the_defaults(place):
    effective = place.load()
    assert effective.value == ServerConfig()
    assert set(effective.origin.values()) == {"default"}
    assert effective.config_file is None
    assert effective.env_file is None


@pytest.mark.parametrize("absent", [None, ()])
def test_a_flag_that_was_not_given_changes_nothing(place, absent):
    assert place.load(ClientConfig, {"formats": absent}).origin["formats"] == "default"


def test_the_keys_of_server_and_client_with_one_name_stay_apart(place):
    environment = {"CAPSWRITER_LOG_LEVEL": "error", "CAPSWRITER_CLIENT_LOG_LEVEL": "debug"}
    assert place.load(ServerConfig, environment=environment).value.log_level == "error"
    assert place.load(ClientConfig, environment=environment).value.log_level == "debug"


def test_settings_cannot_be_changed(place):
    effective = place.load()
    with pytest.raises(ValueError, match="frozen"):
        effective.value.port = 1
    with pytest.raises(TypeError):
        effective.origin["port"] = "nowhere"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"port": 70000}, "--port: 70000 is not allowed: 0 to 65535 (0: any free port)"),
        (
            {"log_level": "loud"},
            "--log-level: 'loud' is not allowed: debug, info, warning or error",
        ),
        ({"prot": 1}, "--prot is not a setting; did you mean port?"),
    ],
)
def test_a_wrong_flag_is_named(place, flags, said):
    assert place.refusal(flags=flags) == said


def test_a_value_out_of_place_is_refused_from_config_even_when_a_flag_would_hide_it(place):
    place.config("server = ServerConfig(port=70000)")
    assert place.refusal(flags={"port": 1}).startswith("config.py:2: port: 70000 is not allowed")


def test_dotenv_beside_the_config_counts_before_the_one_in_the_working_directory(place, tmp_path):
    elsewhere = place.config("server = ServerConfig()", tmp_path / "elsewhere" / "config.py")
    here = place.dotenv("PORT=1")
    assert place.load(config_file=elsewhere).env_file == here
    beside = elsewhere.with_name(".env")
    beside.write_text("PORT=2")
    effective = place.load(config_file=elsewhere)
    assert effective.value.port == 2
    assert effective.env_file == beside
    assert effective.origin["port"] == f"{beside}:1 PORT"


def test_the_working_directory_is_the_process_s_own_by_default(place, monkeypatch):
    from capswriter.settings import load

    place.dotenv("PORT=7")
    monkeypatch.chdir(place.directory)
    assert load(ServerConfig, environment={}).value.port == 7
    assert load(ServerConfig, environment={}).env_file == Path.cwd() / ".env"
