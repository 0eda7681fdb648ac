"""``capswriter status``: what a running server is doing, as a table."""

from __future__ import annotations

import json
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import click
import httpx
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from capswriter.client.errors import NoServer, Refused
from capswriter.settings import ClientConfig, load

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE = 5.0
"""Seconds that a server has to answer."""

MIB = 2**20
COLOURS = {"healthy": "green", "starting": "yellow", "degraded": "red", "draining": "yellow"}
WORKER_COLUMNS = ("worker", "pid", "state", "rss MiB", "pss MiB", "cpu %", "tasks", "busy s")


@click.command(short_help="Show what a running server is doing.")
@click.option("--server", help="URL of the server (ws://127.0.0.1:6016).")
@click.option("--token", help="The server's token; better in CAPSWRITER_CLIENT_TOKEN.")
@click.option("--watch", is_flag=True, help="Show it again and again, until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    help="Seconds between, with --watch.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the server's numbers as JSON.")
def command(
    *, server: str | None, token: str | None, watch: bool, interval: float, as_json: bool
) -> None:
    """Show what a running server is doing; exits with 1 when none answers."""
    config = load(ClientConfig, {"server": server, "token": token}).value
    with _Server(config.server, config.token) as asked:
        if not watch:
            _print(asked.stats(), as_json=as_json)
            return
        try:
            if as_json:
                while True:
                    click.echo(json.dumps(asked.stats(), ensure_ascii=False))
                    time.sleep(interval)
            with Live(status_table(asked.stats()), auto_refresh=False) as live:
                while True:
                    time.sleep(interval)
                    live.update(status_table(asked.stats()), refresh=True)
        except KeyboardInterrupt:  # the way to end it
            return


class _Server(httpx.Client):
    """A server that is asked for its numbers."""

    def __init__(self, url: str, token: str | None) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "wss"
        scheme = "https" if secure else "http"
        self._page = urlunsplit((scheme, parts.netloc, "/stats", "", ""))
        self._name = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        super().__init__(
            timeout=PATIENCE,
            trust_env=False,
            verify=ssl.create_default_context() if secure else True,
            headers={"Authorization": f"Bearer {token}"} if token else None,
        )

    def stats(self) -> Mapping[str, Any]:
        """Ask.

        Raises:
            NoServer: nobody answers.
            Refused: it wants a token, or is no server that tells.
        """
        try:
            reply = self.get(self._page)
        except httpx.HTTPError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                text = f"the certificate of the server at {self._name} is not trusted"
                raise Refused(text) from error
            raise NoServer(
                f"no server answers at {self._name}; start one with 'capswriter serve', "
                "or name another with --server"
            ) from error
        if reply.status_code in {403, 421}:  # its words say what to do
            raise Refused(f"the server at {self._name} refuses: {' '.join(reply.text.split())}")
        if reply.status_code == 401:  # noqa: PLR2004
            raise Refused(
                f"the server at {self._name} wants its token: "
                "give --token, or set CAPSWRITER_CLIENT_TOKEN"
            )
        try:
            told = reply.json() if reply.is_success else None
        except ValueError:
            told = None
        if not (isinstance(told, dict) and "workers" in told):
            raise Refused(
                f"what answers at {self._name} is no CapsWriter Server that tells how it is"
            )
        return told


def _print(stats: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(stats, ensure_ascii=False, indent=2))
    else:
        Console().print(status_table(stats))


def status_table(stats: Mapping[str, Any]) -> Group:
    """Lay the numbers of ``/stats`` out for a terminal."""
    return Group(_heading(stats), _tasks(stats), _latencies(stats), _workers(stats))


def _heading(stats: Mapping[str, Any]) -> Text:
    front, lag = stats["front"], stats["event_loop_lag_ms"]
    return Text.assemble(
        (stats["status"], COLOURS.get(stats["status"], "")),
        f"  {stats['model']}, version {stats['version']}, ",
        f"up {_duration(stats['uptime_seconds'])}, ",
        f"{stats['active_connections']} of {stats['max_connections']} connections\n",
        f"front: pid {front['pid']}, {_mib(front['rss_bytes'])} MiB, ",
        f"{_said(front['cpu_percent'])} % of a core, {_said(front['open_files'])} open files\n",
        (f"no worker is ready: {stats['trouble']}\n" if stats["trouble"] else "", "red"),
        f"event loop: late by {lag['p50']:.1f} ms, at worst {lag['max']:.1f} ms",
    )


def _tasks(stats: Mapping[str, Any]) -> Text:
    deaths = ", ".join(f"{cause} {count}" for cause, count in stats["deaths"].items())
    return Text(
        f"segments: {stats['active_tasks']} of {stats['max_concurrent']} at work, "
        f"{stats['queued_tasks']} wait ({stats['queued_seconds']:.0f} s), "
        f"files: {stats['backlog_seconds']:.0f} s to do, pace {stats['pace']:.1f}\n"
        f"done {stats['completed']}, failed {stats['failed']}, retried {stats['retried']}, "
        f"refused {stats['rejected']}; workers replaced {stats['worker_restarts']}"
        + (f" ({deaths})" if deaths else "")
    )


def _latencies(stats: Mapping[str, Any]) -> Table | Text:
    table = Table("seconds", title_justify="left")
    for kind in ("wait", "total"):
        for percentile in ("p50", "p95", "p99"):
            table.add_column(f"{kind} {percentile}", justify="right")
    latency = stats["latency"]
    for name in latency["wait_seconds"]:
        waits, totals = latency["wait_seconds"][name], latency["total_seconds"][name]
        if waits["count"]:
            cells = [each[p] for each in (waits, totals) for p in ("p50", "p95", "p99")]
            table.add_row(name, *(f"{cell:.2f}" for cell in cells))
    return table if table.row_count else Text("no segment has been recognised yet")


def _workers(stats: Mapping[str, Any]) -> Table:
    table = Table()
    for column in WORKER_COLUMNS:
        table.add_column(column, justify="left" if column == "state" else "right")
    for row in stats["workers"]:
        table.add_row(
            str(row["number"]),
            _said(row["pid"]),
            row["state"],
            _mib(row["rss_bytes"]),
            _mib(row["pss_bytes"]),
            _said(row["cpu_percent"]),
            str(row["tasks"]),
            f"{row['busy_seconds']:.1f}",
        )
    return table


def _said(value: object) -> str:
    return "-" if value is None else str(value)


def _mib(size: int | None) -> str:
    return "-" if size is None else f"{size / MIB:.0f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
