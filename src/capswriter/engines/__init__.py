"""Recognition engines behind one protocol: ``load(directory) -> Engine``."""

from capswriter.engines.base import Engine, EngineFailed, Options, Traits
from capswriter.engines.registry import load

__all__ = ["Engine", "EngineFailed", "Options", "Traits", "load"]
