"""Transcribe files with the ``config.py`` beside this file: ``capswriter transcribe``."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run ``capswriter transcribe`` with this program's arguments; without any, explain them."""
    try:
        from capswriter.cli import main as capswriter  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sys.exit(f"start_client.py: {error}; run scripts/install first")
    arguments = sys.argv[1:] or ["--help"]
    beside = Path(__file__).resolve().with_name("config.py")
    chosen = any(one.split("=")[0] == "--config" for one in arguments)
    if beside.is_file() and not chosen and not os.environ.get("CAPSWRITER_CONFIG"):
        arguments = ["--config", str(beside), *arguments]
    capswriter(["transcribe", *arguments])


if __name__ == "__main__":
    main()
