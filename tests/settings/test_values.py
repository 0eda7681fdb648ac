from __future__ import annotations

from pathlib import Path

import pytest

from capswriter.settings import ClientConfig, DictationConfig, ServerConfig
from capswriter.settings.application import Application
from capswriter.settings.refusal import allowed
from capswriter.settings.schema import CONFIGS

GOOD = [
    (ServerConfig, "port", "0", 0),
    (ServerConfig, "port", 65535, 65535),
    (ServerConfig, "workers", "4", 4),
    (ServerConfig, "workers", " Auto ", "auto"),
    (ServerConfig, "threads", "2", 2),
    (ServerConfig, "max_concurrent", "3", 3),
    (ServerConfig, "max_concurrent", None, None),
    (ServerConfig, "model_dir", "/models", Path("/models")),
    (ServerConfig, "model_dir", "~/models", Path.home() / "models"),
    (ServerConfig, "model", "~/models/base", str(Path.home() / "models" / "base")),
    (ServerConfig, "device", "CUDA", "cuda"),
    (ServerConfig, "language", "zh-CN", "zh-CN"),
    (ServerConfig, "itn", "false", False),
    (ServerConfig, "spacing", "0", False),
    (ServerConfig, "script", " Traditional ", "traditional"),
    (ServerConfig, "ws_timeout", "0", 0.0),
    (ServerConfig, "max_audio_hours", "0.5", 0.5),
    (ServerConfig, "log_level", "WARNING", "warning"),
    (ServerConfig, "host", " ::1 ", "::1"),
    (ClientConfig, "server", "wss://example.org/asr", "wss://example.org/asr"),
    (ClientConfig, "formats", "TXT, json,", ("txt", "json")),
    (ClientConfig, "formats", ["vtt", "vtt", "lrc"], ("vtt", "lrc")),
    (ClientConfig, "timeout", "1.5", 1.5),
    (ClientConfig, "context", "", ""),
    (DictationConfig, "shortcuts", "F9:Toggle, caps_lock", ("f9:toggle", "caps_lock")),
    (DictationConfig, "device", 3, "3"),
    (DictationConfig, "history_days", None, None),
    (DictationConfig, "broadcast", "127.0.0.1:6017", ("127.0.0.1:6017",)),
    (
        DictationConfig,
        "applications",
        '[{"process": "code", "output": "paste"}]',
        (Application(process="code", output="paste"),),
    ),
]
BAD = [
    (ServerConfig, "port", -1, "0 to 65535"),
    (ServerConfig, "port", "http", "0 to 65535"),
    (ServerConfig, "port", True, "0 to 65535"),
    (ServerConfig, "workers", 0, "from 1, or auto"),
    (ServerConfig, "workers", "many", "from 1, or auto"),
    (ServerConfig, "threads", 1.5, "a whole number from 1"),
    (ServerConfig, "max_concurrent", 0, "from 1, or None"),
    (ServerConfig, "max_connections", 0, "a whole number from 1"),
    (ServerConfig, "max_frame_mb", "big", "a whole number from 1"),
    (ServerConfig, "max_audio_hours", 0, "hours above 0"),
    (ServerConfig, "ws_timeout", -1, "seconds from 0"),
    (ServerConfig, "ws_timeout", "nan", "seconds from 0"),
    (ServerConfig, "device", "mps", "cpu, cuda or auto"),
    (ServerConfig, "language", "Chinese", "language code"),
    (ServerConfig, "itn", "perhaps", "True or False"),
    (ServerConfig, "script", "hant", "keep, simplified or traditional"),
    (ServerConfig, "host", " ", "a host name"),
    (ServerConfig, "model", "", "a name of the catalogue"),
    (ServerConfig, "model_dir", 3, "a directory"),
    (ServerConfig, "model_dir", "~nobody-of-this-name/models", "a directory"),
    (ServerConfig, "log_level", "trace", "debug, info, warning or error"),
    (ClientConfig, "server", "http://127.0.0.1:6016", "ws://host:port or wss://host:port"),
    (ClientConfig, "server", "ws://", "ws://host:port"),
    (ClientConfig, "server", "ws://host:port", "ws://host:port"),
    (ClientConfig, "server", "ws://[::1:6016", "ws://host:port"),
    (ClientConfig, "formats", "txt,doc", "one or more of txt, srt, vtt, lrc and json"),
    (ClientConfig, "formats", ",", "one or more of"),
    (ClientConfig, "formats", 5, "one or more of"),
    (ClientConfig, "formats", [["txt"]], "one or more of"),
    (ClientConfig, "jobs", 0, "a whole number from 1"),
    (ClientConfig, "timeout", 0, "seconds above 0"),
    (ClientConfig, "timeout", "inf", "seconds above 0"),
    (ClientConfig, "context", 5, "text"),
    (DictationConfig, "shortcuts", "f9:twice", "f9:toggle"),
    (DictationConfig, "shortcuts", ",", "f9:toggle"),
    (DictationConfig, "pre_roll", -1, "seconds from 0 to 60"),
    (DictationConfig, "volume", 2, "from 0 to 1"),
    (DictationConfig, "applications", "{", "in variables as JSON"),
    (DictationConfig, "applications", [{"output": "paste"}], "rules such as"),
    (DictationConfig, "udp_control", "6018", "host:port"),
    (DictationConfig, "broadcast", "a:b", "host:port"),
]


@pytest.mark.parametrize(("config", "key", "written", "meant"), GOOD)
def test_a_value_is_understood(config, key, written, meant):
    assert getattr(config(**{key: written}), key) == meant


@pytest.mark.parametrize(("config", "key", "value", "words"), BAD)
def test_a_wrong_value_is_answered_with_what_is_allowed(place, config, key, value, words):
    said = place.refusal(config, {key: value})
    assert said.startswith(f"--{key.replace('_', '-')}: ")
    assert " is not allowed: " in said
    assert words in said


def test_a_long_wrong_value_is_cut(place):
    assert len(place.refusal(flags={"port": "9" * 5000})) < 200


@pytest.mark.parametrize("config", CONFIGS)
def test_every_key_says_what_it_means_and_what_is_allowed(config):
    for key, field in config.model_fields.items():
        assert field.description, key
        assert allowed(config, key), key
