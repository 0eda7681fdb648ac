"""The settings of the server and the client: their keys, and where each value came from."""

from capswriter.settings.loader import Effective, load
from capswriter.settings.schema import ClientConfig, ServerConfig

__all__ = ["ClientConfig", "Effective", "ServerConfig", "load"]
