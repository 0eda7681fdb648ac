r"""Rules as they stand in ``hot-rule.txt``: one ``pattern = replacement`` a line.

The format is CapsWriter's: the first ``=`` with white space on both sides parts them, white space
around either is dropped, and ``\s`` in a replacement is a space.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 0.1
"""Seconds a rule may take for one text; it takes microseconds unless its pattern explodes."""

MOST_REPEATS = 10_000
"""The largest product of a pattern's repeat counts; ``{1000}`` in ``{1000}`` fills the memory."""

LONGEST_GROWTH = 20
"""How many times its own length, and a thousand characters, a text may become by the rules."""

_BORDER = re.compile(r"\s=(?:\s|$)")
_REPEATS = re.compile(r"(?<!\\)\{(\d*)(?:,(\d*))?\}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line that could be read.

    Attributes:
        line: its number in the file.
        pattern: a compiled pattern of the module ``regex``.
    """

    line: int
    pattern: Any
    replacement: str


@dataclass(slots=True)
class RuleFile:
    """The rules of a file, and what in it cannot be used: line number and reason."""

    rules: list[Rule] = field(default_factory=list)
    broken: list[tuple[int, str]] = field(default_factory=list)

    def apply(self, text: str) -> str:
        """Apply every rule in the order of the file.

        A rule that exceeds its time, or cannot be carried out, is put aside and joins ``broken``.
        """
        longest = LONGEST_GROWTH * len(text) + 1000
        for rule in tuple(self.rules):
            try:
                changed: str = rule.pattern.sub(rule.replacement, text, timeout=LIMIT)
                if len(changed) > longest:
                    self._put_aside(rule, "its replacement makes the text too long")
                    continue
            except TimeoutError:
                self._put_aside(rule, f"the pattern took over {LIMIT:g} s: simplify its repeats")
            except (_error_type(), IndexError, MemoryError, RecursionError) as error:
                self._put_aside(rule, f"the replacement cannot be used: {error}")
            else:
                text = changed
        return text

    def _put_aside(self, rule: Rule, reason: str) -> None:
        self.rules.remove(rule)
        self.broken.append((rule.line, reason))


def parse_rules(lines: Iterable[str]) -> RuleFile:
    """Read the lines of ``hot-rule.txt``; a line that cannot be used costs itself alone.

    Raises:
        ImportError: the package regex is not installed, and there is a rule.
    """
    file = RuleFile()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = [part.strip() for part in _BORDER.split(line)]
        if len(parts) != 2 or not parts[0]:  # noqa: PLR2004
            file.broken.append((number, "a rule is written: pattern = replacement"))
            continue
        pattern, replacement = parts[0], parts[1].replace(r"\s", " ")
        try:
            file.rules.append(Rule(number, _compiled(pattern, replacement), replacement))
        except (_error_type(), IndexError, ValueError, RecursionError) as error:
            file.broken.append((number, f"the rule cannot be used: {error}"))
    return file


def _compiled(pattern: str, replacement: str) -> Any:
    import regex  # noqa: PLC0415  # an extra: loaded when there are rules

    if _repeats(pattern) > MOST_REPEATS:
        raise ValueError(f"it repeats more than {MOST_REPEATS:,} times")
    compiled = regex.compile(pattern)
    # With an empty alternative it matches anything, so that a wrong replacement shows now.
    regex.compile(f"{pattern}\n|" if "(?x" in pattern else f"{pattern}|").sub(replacement, "")
    return compiled


def _repeats(pattern: str) -> int:
    product = 1
    for least, most in _REPEATS.findall(pattern):
        product *= max(int(least or 0), int(most or 0), 1)
    return product


def _error_type() -> type[Exception]:
    import regex  # noqa: PLC0415

    error: type[Exception] = regex.error
    return error
