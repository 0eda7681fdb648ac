"""Start the server with the ``config.py`` beside this file: ``capswriter serve``."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run ``capswriter serve`` with this program's arguments."""
    try:
        from capswriter.cli import main as capswriter  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sys.exit(f"start_server.py: {error}; run scripts/install first")
    arguments = sys.argv[1:]
    beside = Path(__file__).resolve().with_name("config.py")
    chosen = any(one.split("=")[0] == "--config" for one in arguments)
    if beside.is_file() and not chosen and not os.environ.get("CAPSWRITER_CONFIG"):
        arguments = ["--config", str(beside), *arguments]
    capswriter(["serve", *arguments])


if __name__ == "__main__":  # worker processes import this file again and must not start a server
    main()
