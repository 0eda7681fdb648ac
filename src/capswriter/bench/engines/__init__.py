"""``scripts/bench-engines``: our engines on ONNX Runtime beside the libraries they replace."""
