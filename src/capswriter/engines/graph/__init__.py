"""ONNX graphs: opened with the settings that suit many workers on few cores."""

from capswriter.engines.graph.session import open_graph

__all__ = ["open_graph"]
