from __future__ import annotations

import pytest

from capswriter.settings import ClientConfig, DictationConfig, ServerConfig
from capswriter.settings.names import UNPREFIXED, every_variable, variables
from capswriter.settings.schema import CONFIGS

WRITTEN = {
    "HOST": ("host", "0.0.0.0", "0.0.0.0"),
    "PORT": ("port", "7000", 7000),
    "LOG_LEVEL": ("log_level", "DEBUG", "debug"),
    "MAX_CONNECTIONS": ("max_connections", "10", 10),
    "WS_TIMEOUT": ("ws_timeout", "60", 60.0),
    "OMP_NUM_THREADS": ("threads", "2", 2),
    "MKL_NUM_THREADS": ("threads", "3", 3),
    "TORCH_NUM_THREADS": ("threads", "4", 4),
    "MODEL_NAME": ("model", "whisper-base", "whisper-base"),
    "DEVICE": ("device", "cuda", "cuda"),
    "ASR_MAX_CONCURRENT": ("max_concurrent", "8", 8),
}


def test_the_table_above_holds_every_unprefixed_name():
    assert {name: key for name, (key, _, _) in WRITTEN.items()} == UNPREFIXED


@pytest.mark.parametrize("name", WRITTEN)
def test_dotenv_understands_the_unprefixed_name(place, name):
    key, written, meant = WRITTEN[name]
    place.dotenv(f"{name}={written}")
    effective = place.load()
    assert getattr(effective.value, key) == meant
    assert effective.origin[key] == f".env:1 {name}"


@pytest.mark.parametrize("name", WRITTEN)
def test_the_environment_does_not(place, name):
    effective = place.load(environment={name: WRITTEN[name][1]})
    assert effective.value == ServerConfig()


def test_the_unprefixed_names_are_the_server_s_only(place):
    place.dotenv("LOG_LEVEL=debug\n")
    assert place.load(ClientConfig).value.log_level == "info"


def test_in_dotenv_the_prefixed_name_counts_before_the_unprefixed(place):
    place.dotenv("CAPSWRITER_THREADS=5\nOMP_NUM_THREADS=2\n")
    assert place.load().value.threads == 5


def test_of_several_names_for_threads_the_first_given_counts(place):
    place.dotenv("TORCH_NUM_THREADS=4\nMKL_NUM_THREADS=3\nOMP_NUM_THREADS=\n")
    effective = place.load()
    assert effective.value.threads == 3
    assert effective.origin["threads"] == ".env:2 MKL_NUM_THREADS"


def test_no_variable_stands_for_two_keys():
    names = every_variable()
    assert len(names) == len(set(names)) == sum(len(config.model_fields) for config in CONFIGS)


@pytest.mark.parametrize("config", CONFIGS)
def test_every_variable_reaches_its_key(place, config):
    written = {
        "host": "h",
        "port": "1",
        "model": "m",
        "model_dir": "d",
        "device": "auto",
        "language": "en",
        "itn": "no",
        "spacing": "off",
        "script": "simplified",
        "log_level": "error",
        "server": "ws://other",
        "context": "c",
        "formats": "lrc",
        "output_dir": "o",
        "share_per_client": "0.7",
        "allow_anonymous": "yes",
        "log_format": "json",
        "allowed_origins": "https://a.example",
        "shortcuts": "f9:toggle",
        "keys": "none",
        "microphone": "on-demand",
        "output": "paste",
        "newlines": "space",
        "enter_after": "yes",
        "strip_final": "yes",
        "applications": '[{"process": "code", "output": "paste"}]',
        "follow_focus": "yes",
        "late": "type",
        "archive": "yes",
        "archive_recordings": "no",
        "sounds": "no",
        "tray": "no",
        "notifications": "no",
        "local": "yes",
        "volume": "0.7",
        "broadcast": "127.0.0.1:6017/plain",
        "udp_control": "127.0.0.1:6018",
        "history_days": "8",
    }
    if config is DictationConfig:
        written |= {"device": "yeti", "log_level": "debug"}
    for name, key in variables(config).items():
        effective = place.load(config, environment={name: written.get(key, "7")})
        assert getattr(effective.value, key) != config.model_fields[key].default
        assert effective.origin[key] == f"environment {name}"


def test_an_empty_value_counts_as_not_given(place):
    place.dotenv("PORT=\nCAPSWRITER_HOST=\nDEVICE\n")
    assert place.load(environment={"CAPSWRITER_PORT": ""}).value == ServerConfig()


def test_other_programs_lines_in_dotenv_are_ignored_without_a_word(place, caplog):
    place.dotenv("URL=postgres://\nWORKERS=no\nSERVER=x\nthis line is no setting\nPORT=7\n")
    effective = place.load()
    assert effective.value == ServerConfig(port=7)
    assert effective.origin["port"] == ".env:5 PORT"
    assert not caplog.records
    assert place.load(ClientConfig).value == ClientConfig()


def test_a_line_of_ours_that_makes_no_sense_is_refused(place):
    place.dotenv("\n# ours\nCAPSWRITER_PORT 6017\n")
    assert place.refusal() == ".env:3: 'CAPSWRITER_PORT 6017' is not allowed: NAME=value"


def test_a_dotenv_written_with_a_byte_order_mark_is_read(place):
    (place.directory / ".env").write_bytes(b"\xef\xbb\xbfPORT=7001\r\nHOST=::\r\n")
    assert place.load().value == ServerConfig(port=7001, host="::")


def test_a_dotenv_that_is_no_text_is_refused(place):
    (place.directory / ".env").write_bytes(b"PORT=\xff\xfe")
    assert place.refusal().startswith(".env: not readable as UTF-8 text")


def test_of_a_name_written_twice_the_last_line_counts(place):
    place.dotenv("PORT=1\n\n\nexport PORT='2'\n")
    effective = place.load()
    assert effective.value.port == 2
    assert effective.origin["port"] == ".env:4 PORT"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CAPSWRITER_PROT", "did you mean CAPSWRITER_PORT?"),
        ("CAPSWRITER_SERVER", "did you mean CAPSWRITER_CLIENT_SERVER?"),
        ("CAPSWRITER_SERVER_PORT", "CAPSWRITER_PORT"),
        ("CAPSWRITER_CLIENT_JOB", "did you mean CAPSWRITER_CLIENT_JOBS"),
        ("CAPSWRITER_ZZZZZZ", "allowed: CAPSWRITER_HOST, CAPSWRITER_PORT, "),
    ],
)
@pytest.mark.parametrize("config", CONFIGS)
def test_an_unknown_name_of_ours_is_refused_with_near_matches(place, config, name, hint):
    said = place.refusal(config, environment={name: "1"})
    assert said.startswith(f"environment {name} is not a setting; ")
    assert hint in said
    place.dotenv(f"A=b\n{name}=1\n")
    said = place.refusal(config)
    assert said.startswith(f".env:2 {name} is not a setting; ")
    assert hint in said


def test_wrong_values_name_the_variable_and_the_line(place):
    assert place.refusal(environment={"CAPSWRITER_PORT": "70000"}) == (
        "environment CAPSWRITER_PORT: '70000' is not allowed: 0 to 65535 (0: any free port)"
    )
    place.dotenv("\nMKL_NUM_THREADS=none\n")
    assert place.refusal() == (
        ".env:2 MKL_NUM_THREADS: 'none' is not allowed: a whole number from 1"
    )


def test_names_of_the_test_suite_are_no_mistakes(place):
    environment = {"CAPSWRITER_TEST_SPEECH": "1", "CAPSWRITERS": "2", "PATH": "/bin"}
    assert place.load(environment=environment).value == ServerConfig()


def test_dotenv_cannot_say_which_config_py(place):
    place.dotenv("CAPSWRITER_CONFIG=other.py")
    assert place.refusal().startswith(".env:1 CAPSWRITER_CONFIG is allowed in the environment only")
