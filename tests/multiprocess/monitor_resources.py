"""Watch memory and processor of a running server: ``--interval 0.5 --log my_test.csv``.

The options are those of ``capswriter monitor``.
"""

from __future__ import annotations

import sys

from launch import capswriter

if __name__ == "__main__":
    sys.exit(capswriter("monitor", *sys.argv[1:]))
