"""CapsWriter Server: offline speech recognition for computers without a GPU."""

__version__ = "0.1.0"
