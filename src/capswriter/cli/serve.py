"""``capswriter serve``: start the recognition server."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capswriter.engines import funasr
from capswriter.errors import UsageError
from capswriter.logs import logging_to
from capswriter.models.store import ModelStore
from capswriter.settings import ServerConfig, load
from capswriter.trace import tracing_to

if TYPE_CHECKING:
    from capswriter.pool import EngineSpec

DEFAULT_MODEL = "whisper-base"
"""What ``auto`` takes, and what is downloaded where there is no model at all."""

PUNCTUATION = "punctuation"
"""The model that punctuates, in the catalogue."""

UNKNOWN_MODEL_MB = 500
"""Megabytes assumed for a worker with a model that the catalogue does not know."""


@click.command(short_help="Start the recognition server.")
@click.option("--host", help="Address to listen on (127.0.0.1: this computer only).")
@click.option("--port", help="TCP port (6016); 0 takes any free one.")
@click.option("--workers", help="Worker processes: a number, or auto.")
@click.option("--model", help="Name in the catalogue, a directory, or auto.")
@click.option("--punctuation", help="Model for models without punctuation: auto, off, a name …")
@click.option("--device", help="cpu, cuda or auto.")
@click.option("--itn/--no-itn", default=None, help="Write spoken numbers as numbers, or do not.")
@click.option(
    "--spacing/--no-spacing", default=None, help="Set spaces between Chinese and Latin, or do not."
)
@click.option("--script", help="Chinese characters: keep, simplified or traditional.")
@click.option("--token", help="What callers have to know; better in CAPSWRITER_TOKEN.")
@click.option("--token-file", help="A file that holds the token.")
@click.option(
    "--allow-anonymous",
    is_flag=True,
    default=None,
    help="Let other computers in without a token.",
)
@click.option("--tls-cert", help="Certificate chain (PEM), for wss:// and https://.")
@click.option("--tls-key", help="Its key (PEM), unless the certificate's file holds it.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="A config.py.")
@click.option("--log-level", help="debug, info, warning or error.")
@click.option("--log-file", help="A file for the log besides; it rotates at 10 MB, and 5 are kept.")
@click.option("--log-format", help="text or json (an object a line).")
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file for the times of each segment and utterance, for measurements.",
)
@click.option("--until-stdin-closes", is_flag=True, hidden=True)
def command(
    config_file: Path | None,
    trace: Path | None,
    *,
    until_stdin_closes: bool,
    **flags: str | bool | None,
) -> None:
    """Start the server and its workers; Ctrl-C ends them.

    One line on standard output tells when it is ready, and under which address.
    """
    config = load(ServerConfig, flags, config_file=config_file).value
    with (
        logging_to(level=config.log_level, file=config.log_file, style=config.log_format),
        tracing_to(trace),
    ):
        _serve(config, until_stdin_closes=until_stdin_closes)


def _serve(config: ServerConfig, *, until_stdin_closes: bool) -> None:
    from capswriter.pool.sizing import choose_workers, measure  # noqa: PLC0415
    from capswriter.server.exposure import check_exposure  # noqa: PLC0415
    from capswriter.server.run import serve  # noqa: PLC0415  # slow to import

    check_exposure(config)  # before a model is downloaded
    if config.model_dir is not None:  # workers keep there what they prepare
        os.environ["CAPSWRITER_MODEL_DIR"] = str(config.model_dir)
    chosen = choose_model(config)
    workers, reason = choose_workers(measure(), memory_mb=chosen.memory_mb)
    if isinstance(config.workers, int):
        workers = config.workers
    else:
        logging.getLogger("capswriter").info("%s", reason)
    serve(
        config,
        chosen.spec(config),
        workers=workers,
        worker_mb=chosen.memory_mb,
        model=chosen.name,
        announce=click.echo,
        until_stdin_closes=until_stdin_closes,
    )


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model that is installed and sound.

    Args:
        name: what to call it.
        directory: where it is, or what FunASR calls it.
        memory_mb: megabytes that a worker with it takes.
        punctuation: directory of a model that punctuates.
    """

    name: str
    directory: Path
    memory_mb: int
    punctuation: Path | None = None

    def spec(self, config: ServerConfig) -> EngineSpec:
        """Say what workers load."""
        from capswriter.engines.registry import imports_of  # noqa: PLC0415
        from capswriter.pool import EngineSpec  # noqa: PLC0415

        return EngineSpec(
            self.directory,
            threads=config.threads,
            device=config.device,
            punctuation=self.punctuation,
            modules=imports_of(self.directory),
        )


def choose_model(config: ServerConfig) -> ChosenModel:
    """Find the model that the settings ask for.

    With ``auto`` and no model at all, the default one is downloaded, visibly.

    Raises:
        UsageError: there is no such model or directory.
        ModelMissing, ModelCorrupt, DownloadFailed: and the message says what to do.
    """
    store = ModelStore(config.model_dir)
    name = config.model
    if funasr.wants(name):
        return ChosenModel(name, Path(name), UNKNOWN_MODEL_MB, _punctuation(store, config))
    if name == "auto":
        installed = [each for each in store.installed() if store.models[each].recognises]
        name = DEFAULT_MODEL if DEFAULT_MODEL in installed or not installed else installed[0]
        if not installed:
            from capswriter.cli.models import pull_visibly  # noqa: PLC0415

            pull_visibly(store, name)
    spec = store.models.get(name)
    if spec is not None and not spec.recognises:
        raise UsageError(f"--model: {name} recognises no speech; see: capswriter models list")
    directory = store.resolve(name)
    known = (directory.name, UNKNOWN_MODEL_MB) if spec is None else (name, spec.memory_mb)
    return ChosenModel(known[0], directory, known[1], _punctuation(store, config))


def _punctuation(store: ModelStore, config: ServerConfig) -> Path | None:
    """Find the model that punctuates for models that do not."""
    name = config.punctuation
    if name == "auto":
        return store.path(PUNCTUATION) if PUNCTUATION in store.installed() else None
    return None if name == "off" else store.resolve(name)
