"""The settings of server, client and dictation: their keys, and where each value came from."""

from capswriter.settings.loader import Effective, load
from capswriter.settings.schema import ClientConfig, DictationConfig, ServerConfig

__all__ = ["ClientConfig", "DictationConfig", "Effective", "ServerConfig", "load"]
