"""What a Chinese numeral is worth, and how it is written in digits."""
# ruff: noqa: RUF001  # the round zero is a numeral here

from __future__ import annotations

import re

DIGITS = "零〇幺一二两三四五六七八九"
NUMERALS = DIGITS + "十百千万亿"

_VALUES = {char: place for place, char in enumerate("零一二三四五六七八九")}
_VALUES |= {"〇": 0, "幺": 1, "两": 2}
_UNITS = {"": 1, "十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}

_D = "[一二两三四五六七八九]"
_SECTION = re.compile(
    rf"(?:(?P<k>{_D})千)?(?:零?(?P<h>{_D})百)?(?:零?(?P<ten>{_D}?)(?P<t>十))?(?P<o>零?{_D})?"
)
_NUMBER = re.compile(
    r"(?:(?P<yi>[^万亿]+)(?P<y>亿))?(?:零?(?P<wan>[^零万亿][^万亿]*)(?P<w>万))?(?P<rest>[^万亿]*)"
)
_ABOUT = re.compile(
    rf"(?P<head>(?:[^万亿]*[十百千万亿])?)(?P<low>{_D})(?P<high>{_D})"
    r"(?P<unit>[十百千]?)(?P<great>万亿|[万亿]?)"
)


def digits(numeral: str) -> str | None:
    """Read a numeral digit by digit: 二零二四 is 2024; None where a character is no such digit."""
    if "两" in numeral or not set(numeral) <= _VALUES.keys():
        return None
    return "".join(str(_VALUES[char]) for char in numeral)


def value(numeral: str) -> int | None:
    """Read a whole number: 两千零八 is 2008, 一万二 is 12000; None where it is not well formed."""
    parts = _parts(numeral)
    if parts is None:
        return None
    hundred_millions, ten_thousands, rest = parts
    return hundred_millions * _UNITS["亿"] + ten_thousands * _UNITS["万"] + rest


def written(numeral: str) -> str | None:
    """Write a whole number; 万 and 亿 stay where nothing smaller follows.

    三万五千 is 35000, 三百万 is 300万, 十四亿三千万 is 14亿3000万.
    """
    for great in ("万亿", "亿亿", "万万"):
        if numeral.endswith(great):
            head = value(numeral.removesuffix(great)) if great == "万亿" else None
            return f"{head}{great}" if head else None
    parts = _parts(numeral)
    if parts is None:
        return None
    hundred_millions, ten_thousands, rest = parts
    if rest or not (hundred_millions or ten_thousands):
        return str(value(numeral))
    above = f"{hundred_millions}亿" if hundred_millions else ""
    return above + (f"{ten_thousands}万" if ten_thousands else "")


def about(numeral: str) -> str | None:
    """Write an approximate number as the range it means: 三五百 is 300~500, 两三万 is 2~3万.

    Only neighbours and 三五 are such; two digits without any unit (五六 days) are none.
    """
    match = _ABOUT.fullmatch(numeral)
    if not match:
        return None
    head, low, high, unit, great = match.group("head", "low", "high", "unit", "great")
    if not is_about(low + high) or not (head or unit or great):
        return None
    ends = [value(head + digit + unit) for digit in (low, high)]
    return None if None in ends else f"{ends[0]}~{ends[1]}{great}"


def is_about(pair: str) -> bool:
    """Whether two digits after each other mean about so many: 五六, 三五."""
    return pair == "三五" or _VALUES[pair[1]] == _VALUES[pair[0]] + 1


def _parts(numeral: str) -> tuple[int, int, int] | None:
    """How many 亿, how many 万, and what is below."""
    match = _NUMBER.fullmatch(numeral)
    if not match or not numeral:
        return None
    sections = {name: _section(match[name] or "") for name in ("yi", "wan", "rest")}
    yi, wan, rest = sections.values()
    if yi is None or wan is None or rest is None or (match["y"] and not yi):
        return None
    if len(match["rest"]) == 1:  # 一万二, 一亿二
        if match["w"]:
            rest *= 1000
        elif match["y"]:
            wan, rest = rest * 1000, 0
    return yi, wan, rest


def _section(numeral: str) -> int | None:
    """Read a number below 10,000; the last digit of 三千五 counts hundreds."""
    if numeral in {"零", "〇"}:
        return 0
    match = _SECTION.fullmatch(numeral)
    if not match:
        return None
    thousands, hundreds, ones = (
        _VALUES.get((match[name] or "")[-1:], 0) for name in ("k", "h", "o")
    )
    tens = _VALUES.get(match["ten"], 1) if match["t"] else 0
    if ones and not tens and (thousands or hundreds) and "零" not in (match["o"] or ""):
        ones *= 10 if hundreds else 100
    return thousands * 1000 + hundreds * 100 + tens * 10 + ones
