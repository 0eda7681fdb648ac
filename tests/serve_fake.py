"""The real server with an engine of the tests: LOADER DIRECTORY [KEY=VALUE …] --port PORT.

Keys are the server's settings, ``patience_…`` for each field of ``Patience``, and ``trace``.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    # Here, because every worker imports the main module, and has no use for these.
    from capswriter.logs import logging_to
    from capswriter.pool import EngineSpec, Patience
    from capswriter.server.run import serve
    from capswriter.settings import ServerConfig, load
    from capswriter.trace import tracing_to

    loader, directory, *rest = sys.argv[1:]
    flags = dict(each.split("=", 1) for each in rest if "=" in each)
    workers = int(flags.pop("workers", 2))
    trace = Path(flags.pop("trace")) if "trace" in flags else None
    names = [name for name in flags if name.startswith("patience_")]
    patience = Patience(
        **{name.removeprefix("patience_"): float(flags.pop(name)) for name in names}
    )
    config = load(ServerConfig, {**flags, "port": rest[rest.index("--port") + 1]}).value
    spec = EngineSpec(Path(directory), loader=loader, modules=(loader.partition(":")[0],))
    with (
        logging_to(level=config.log_level, file=config.log_file, style=config.log_format),
        tracing_to(trace),
    ):
        serve(
            config,
            spec,
            workers=workers,
            model="fake",
            announce=lambda line: print(line, flush=True),
            patience=patience,
            until_stdin_closes="--until-stdin-closes" in rest,
        )


if __name__ == "__main__":
    main()
