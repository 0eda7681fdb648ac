"""Dictate, or transcribe files, with the ``config.py`` beside this file."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run ``capswriter transcribe`` with this program's arguments; without any, dictate."""
    try:
        from capswriter.cli import main as capswriter  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sys.exit(f"start_client.py: {error}; run scripts/install first")
    arguments = sys.argv[1:]
    subcommand = "transcribe" if arguments else "dictate"
    beside = Path(__file__).resolve().with_name("config.py")
    chosen = any(one.split("=")[0] == "--config" for one in arguments)
    if beside.is_file() and not chosen and not os.environ.get("CAPSWRITER_CONFIG"):
        arguments = ["--config", str(beside), *arguments]
    capswriter([subcommand, *arguments])


if __name__ == "__main__":
    main()
