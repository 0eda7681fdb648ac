"""ONNX graphs: opened with the settings that suit many workers on few cores, and prepared."""

from capswriter.engines.graph.session import Feed, open_graph

__all__ = ["Feed", "open_graph"]
