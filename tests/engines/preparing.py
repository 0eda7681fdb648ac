"""Loads a model in a process of its own, and prints what it hears, for ``test_prepared``.

``python preparing.py DIRECTORY [LIMIT]``; no file may get larger than LIMIT bytes, as on a full
disk.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from pathlib import Path

from engines.paraformer.clips import clip

from capswriter.engines import Options, load

SECONDS, SEED = 1, 1


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    engine = load(Path(sys.argv[1]))
    print(json.dumps(engine.hear(clip(SECONDS, SEED), Options()).ids.tolist()))


if __name__ == "__main__":
    main()
