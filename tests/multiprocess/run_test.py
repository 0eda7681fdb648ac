"""Is a second worker worth its memory on this machine? One command, no question asked.

``python tests/multiprocess/run_test.py`` installs what is missing, and ends with a table, a
verdict, a report, and an exit status: 0 for yes.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

MODES = {
    "compare": "1 worker against WORKERS, beside bare processes and a shared queue",
    "multiprocess": "WORKERS workers alone",
    "baseline": "1 worker alone",
}


def main() -> int:
    from launch import LOGS, MODEL, capswriter, pull  # pytest looks at this file, too

    parser = argparse.ArgumentParser(
        description="Tell whether more workers are worth their memory on this machine."
    )
    told = "; ".join(f"{mode}: {what}" for mode, what in MODES.items())
    parser.add_argument("--mode", choices=MODES, default="compare", help=told)
    parser.add_argument("--workers", type=int, default=2, help="how many (2)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured (2)")
    parser.add_argument("--files", nargs="+", type=Path, default=[], help="recordings, or folders")
    parser.add_argument("--model", default=MODEL, help=f"a name, or a model's directory ({MODEL})")
    parser.add_argument("--out", type=Path, help="folder for the result (a new one in logs)")
    options = parser.parse_args()
    if options.workers < 2 and options.mode != "baseline":
        parser.error("--workers is 2 at least, but for --mode baseline")
    workers = {
        "compare": f"1,{options.workers}",
        "multiprocess": str(options.workers),
        "baseline": "1",
    }[options.mode]
    alone = [] if options.mode == "compare" else ["--no-bare", "--no-queue"]
    out = options.out or LOGS / f"{datetime.now().astimezone():%Y-%m-%d-%H%M%S}-{options.mode}"
    asked = ["--workers", workers, "--rounds", str(options.rounds), "--model", options.model]
    pull(options.model)
    return capswriter("bench", "compare", *asked, *alone, "--out", out.resolve(), *options.files)


if __name__ == "__main__":
    sys.exit(main())
