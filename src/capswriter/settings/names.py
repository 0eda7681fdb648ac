"""The names settings have in the environment and in ``.env``.

The server's keys are ``CAPSWRITER_<KEY>``, the client's ``CAPSWRITER_CLIENT_<KEY>``, those of
dictation ``CAPSWRITER_DICTATION_<KEY>``; one name has one meaning, and a key has one name. No key
of the server may start with ``client_`` or ``dictation_`` for that to hold.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from capswriter.settings.schema import CONFIGS

if TYPE_CHECKING:
    from capswriter.settings.schema import Config

PREFIX = "CAPSWRITER_"
CONFIG_VARIABLE = "CAPSWRITER_CONFIG"
"""The path of ``config.py``; in the environment only, since ``.env`` is found beside that file."""
TEST_PREFIX = "CAPSWRITER_TEST_"
"""Names of the test suite's own; they are no settings and no mistakes."""

UNPREFIXED = MappingProxyType(
    {
        "HOST": "host",
        "PORT": "port",
        "LOG_LEVEL": "log_level",
        "MAX_CONNECTIONS": "max_connections",
        "WS_TIMEOUT": "ws_timeout",
        "OMP_NUM_THREADS": "threads",
        "MKL_NUM_THREADS": "threads",
        "TORCH_NUM_THREADS": "threads",
        "MODEL_NAME": "model",
        "DEVICE": "device",
        "ASR_MAX_CONCURRENT": "max_concurrent",
    }
)
"""Names that ``.env`` alone may use for keys of the server; of two for one key the earlier wins."""


def variables(config: type[Config]) -> dict[str, str]:
    """Name the environment variable of each key: ``{"CAPSWRITER_PORT": "port", ...}``."""
    return {f"{config.prefix}{key.upper()}": key for key in config.model_fields}


def every_variable() -> list[str]:
    """List the environment variables of all sections, in the order of their keys."""
    return [name for config in CONFIGS for name in variables(config)]
