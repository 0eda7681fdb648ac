"""``capswriter bench compare`` with an engine of the tests: DIRECTORY OUT [KEY=NUMBER …]."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parent


def fake_subject(directory: Path, loader: str = "fake_engine:load"):
    from capswriter.bench.subject import Subject

    @dataclass(frozen=True)
    class Fake(Subject):
        def serve(self, *, workers: int, trace: Path) -> list[str]:
            asked = (f"workers={workers}", f"trace={trace}", "--port", "0")
            return [str(TESTS / "serve_fake.py"), self.loader, self.model, *asked]

    return Fake("fake", str(directory), loader)


def front():
    """Find the server that this process has started last."""
    import psutil

    children = psutil.Process().children()
    servers = [each for each in children if "serve_fake.py" in " ".join(each.cmdline())]
    return max(servers, key=psutil.Process.create_time)


@contextmanager
def killing(find, *, when):
    """Kill what ``find`` gives as soon as ``when`` gives something true."""

    def kill():
        ends = time.monotonic() + 60
        while not when():
            if time.monotonic() > ends:
                return
            time.sleep(0.02)
        find().kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        killer.join()


def main() -> int:
    from capswriter.bench.arrangements import Load
    from capswriter.bench.compare import Comparison
    from capswriter.bench.draft import place_for
    from capswriter.bench.material import read
    from capswriter.cli.bench.compare import conduct

    directory, out, *rest = sys.argv[1:]
    given = {"passes": 1, "rounds": 1} | {
        key: int(value) for key, value in (each.split("=") for each in rest)
    }
    recordings = TESTS.parent / "ref_codes" / "samples"
    materials, missing = read(
        [recordings / "01.mp3", recordings / "missing.mp3"][: given.get("files", 1)]
    )
    load = Load(materials, passes=given["passes"], clients=4, interval=0.1)
    subject = fake_subject(Path(directory))
    wanted = Comparison(subject, (1, 2), load, given["rounds"])
    return conduct(wanted, place_for("compare", Path(out)), missing)


if __name__ == "__main__":
    from capswriter.cli import guarded

    sys.exit(guarded(main))
