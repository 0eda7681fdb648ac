"""``capswriter doctor``: whether dictation can work on this computer, and what to mend."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capswriter.dictation.assembling import Parts
from capswriter.dictation.doctor import CHECKS, examine
from capswriter.settings import ClientConfig, DictationConfig, ServerConfig, load

if TYPE_CHECKING:
    from capswriter.dictation.doctor import Finding

FILE = click.Path(path_type=Path)


@click.command(short_help="Say whether dictation can work here, and what to mend.")
@click.option("--server", help="URL of the server (ws://127.0.0.1:6016).")
@click.option("--token", help="The server's token; better in CAPSWRITER_CLIENT_TOKEN.")
@click.option("--device", help="The microphone: a part of its name, or its number.")
@click.option("--key", "keys", multiple=True, help="Key of a shortcut; may be repeated.")
@click.option("--hotwords", type=FILE, help="The file of hotwords, instead of your own hot.txt.")
@click.option("--rules", type=FILE, help="The file of rules, instead of your own hot-rule.txt.")
@click.option("--config", "config_file", type=FILE, help="The config.py.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    server: str | None,
    token: str | None,
    device: str | None,
    keys: tuple[str, ...],
    hotwords: Path | None,
    rules: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> int:
    """Say whether dictation can work here, and what to mend; exits with 1 if something is.

    It goes by your settings and looks at the keyboard, the microphone, the server, its model,
    typing, your files of hotwords, rules and roles, and the folder of dictations. It takes a second
    or two, and changes nothing.
    """
    client = load(ClientConfig, {"server": server, "token": token}, config_file=config_file).value
    dictation = load(DictationConfig, {"device": device}, config_file=config_file)
    serving = load(ServerConfig, config_file=config_file).value
    given = {"keys": keys, "hotwords": hotwords, "rules": rules}
    needs = replace(
        Parts(dictation.value, client, dictation.config_file).needs(serving),
        **{key: value for key, value in given.items() if value},  # type: ignore[arg-type]
    )
    findings: list[Finding] = []
    for finding in examine(needs, CHECKS):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        click.echo(json.dumps(_document(findings), ensure_ascii=False, indent=2))
    status = 0 if all(finding.is_fine for finding in findings) else 1
    if any(finding.hangs for finding in findings):
        # What hangs would keep the libraries from ending, and us with them.
        sys.stdout.flush()
        os._exit(status)
    return status


def _print(finding: Finding) -> None:
    width = max(len(check.name) for check in CHECKS)
    word = click.style("fine", fg="green") if finding.is_fine else click.style("mend", fg="red")
    for line in finding.mend or (finding.says,):
        click.echo(f"{word}  {finding.check:<{width}}  {line}")


def _document(findings: list[Finding]) -> dict[str, object]:
    return {
        "fine": all(finding.is_fine for finding in findings),
        "checks": [
            {
                "check": finding.check,
                "fine": finding.is_fine,
                "says": finding.says,
                "mend": list(finding.mend),
            }
            for finding in findings
        ],
    }
