"""Spoken Chinese numbers to written ones: which numerals become digits, by what is around them.

What was said stays said: 下午三点半 becomes 下午3点半, not 15:30. Only 百分之, 分之, 比, 负 and the
点 of a decimal have signs of their own. A single digit stays a word (三个人) unless it belongs to a
measure, a date, a time or a range.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from capswriter.text.chinese_numerals import (
    DIGITS,
    NUMERALS,
    about,
    digits,
    is_about,
    value,
    written,
)
from capswriter.text.edits import Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIMPLIFIED = str.maketrans(
    "兩萬億點塊號後鐘鍾幾個數來餘雙週禮農曆陰臘歲間層樓頁條張輛種倍項隻負國慶運動級這節氣為",
    "两万亿点块号后钟钟几个数来余双周礼农历阴腊岁间层楼页条张辆种倍项只负国庆运动级这节气为",
)

# Fixed expressions that would be taken for numbers. Those of single digits alone (一心一意) and
# those with no digit before the unit (千万别, 百分百, 万一) need no entry.
_KEPT = """
一点一点 一五一十 七七八八 三六九等 一二九运动 九一八事变 一二一
一千零一夜 五十步笑百步 三十而立 四十不惑 五十知天命 五十而知天命 六十花甲 七十古来稀
三十六计 七十二变 七十二行 三百六十行 十八般 十八罗汉 十三陵 十三香 二十四节气 二十四孝
十万八千里 十万火急 十万个为什么 十年如一日 十年寒窗 十年磨一剑 十年树木 十月怀胎 十天半个月
十天半月 十月革命 三十年河东 三十年河西 双十一 双十二 十八大 十九大 二十大
""".split()  # noqa: SIM905  # easier to read and to extend than a list of strings

_N = f"[{NUMERALS}]"
_D = f"[{DIGITS}]"
_1TO9 = "[一二三四五六七八九]"
_START = rf"(?<!{_N})"
_SPOKEN = rf"{_N}+(?:点{_D}+)?"
_HOUR = rf"(?:二十[一二三四]?|十{_1TO9}?|[零两]|{_1TO9})"
_MINUTES = rf"(?:[二三四五]?十{_1TO9}?)"
_DAYTIME = (
    "(?<=早上|上午|中午|下午|晚上|凌晨|傍晚|夜里|半夜|清晨|早晨|今早|今晚|明早|明晚|昨晚|每晚|当晚)"
)
_AFTER_ONE = "起些下定直边共般旦切样"
"""What makes a word with 一, so that 一 is no number: 一起, 一些."""
_COUNTED = "个位名只条张次斤件人块"
"""What follows a number of things."""
_MORE_OR_LESS = frozenset("早晚快慢大小多少高低好坏远近长短有差这那强弱轻重宜贵懂会再深浅厚薄松紧")
"""After these, 一点 means a little."""
_MEASURES = (
    "公里|千米|分米|厘米|毫米|微米|纳米|公斤|千克|毫克|公顷|毫升|平方|立方|平米|摄氏度|华氏度|赫兹|千瓦"
    "|美元|欧元|英镑|日元|港币|港元|人民币|块钱|元(?![素旦首宵件老凶气月帅])|米(?![饭粒线粉面])"
)
_TEN_OF = frozenset(
    "个年天月人次分秒小块元公里米岁名位条点万倍周期页章号日斤度层楼台辆件张本只篇家种多余来"
)
"""What 十 counts: elsewhere it means wholly, or a cross (十分, 十足, 十字)."""

_RULES = {
    "kept": "|".join(
        [
            f"(?:{'|'.join(_KEPT)})(?!{_N})",
            rf"二百五(?![{NUMERALS}{_COUNTED}元米页公])",
            r"十二分(?=[的地小愿满高])",
            rf"{_START}十一(?=假期|长假|黄金周|国庆|期间|放假)",
            rf"(?:农历|阴历)(?:{_N}{{1,3}}月|[闰正腊冬]月)?初?{_N}{{1,3}}",
            rf"(?:[正腊冬]月|大年)初?{_N}{{1,3}}|初{_N}{{1,2}}",
            rf"(?:星期|礼拜|(?<![{NUMERALS}每半个])周)[一二三四五六]",
        ]
    ),
    "percent": (
        rf"(?P<of>[百千])分之(?P<under>负?)(?P<share>{_SPOKEN})(?![几{NUMERALS}])"
        rf"(?:(?P<to>[到至])(?P<share2>{_SPOKEN})(?![年月日号个天点倍{NUMERALS}]|分之))?"
    ),
    "fraction": rf"{_START}(?P<below>{_N}+)分之(?P<above>{_N}+)",
    "era": rf"{_START}(?P<pair>{_D}{{2}})(?=年|后(?![来面天边方期悔续])|级(?![别台]))",
    "date": rf"{_START}(?P<month>十[一二]?|{_1TO9})月(?P<day>{_N}{{1,3}}(?=[日号]))?",
    "numbered": rf"{_START}(?P<name>{_N}{{1,9}})(?=号(?![召称角啕令]))",
    "version": rf"(?<=[A-Za-z])(?P<major>{_D})点(?P<minor>十{_1TO9}?)(?!{_N})",
    "hours": rf"{_START}(?P<from>{_HOUR})点?半?[到至](?P<until>{_HOUR})点",
    "time": (
        rf"{_START}(?P<hour>{_HOUR})点(?!十分)(?P<minute>{_MINUTES}|零{_1TO9}(?=分))(?!{_N})"
        rf"(?:分(?P<second>{_N}+)(?=秒))?"
    ),
    "clock": (
        rf"{_DAYTIME}(?P<hour2>{_HOUR})点"
        rf"(?:(?P<minute2>{_MINUTES}|{_D}(?=分))(?!{_N})|(?={_D}[{_COUNTED}])|(?!{_N}))"
        rf"|{_START}(?P<hour3>{_HOUR})点"
        r"(?=钟|半(?!天)|整(?![理个体合])|[一三]刻|左右|[之以]前|[之以]后)"
    ),
    "decimal": (
        rf"(?P<minus>(?<![胜自担肩抱])负)?{_START}(?P<whole>{_N}+)点"
        rf"(?P<decimals>{_D}+(?:点{_D}+)*)(?![几点十百千{DIGITS}])"
    ),
    "ratio": (
        rf"{_START}(?P<left>{_N}{{1,4}})比(?P<right>{_N}{{1,4}})"
        rf"(?![年月天个大小多少高低好强快慢更贵{NUMERALS}])"
    ),
    "mixed": (
        rf"{_START}(?P<large>{_N}+)[块度米](?P<small>{_1TO9}{{1,2}})"
        rf"(?![{NUMERALS}{_AFTER_ONE}{_COUNTED}片瓶包盒杯碗份公千平天年月点度米花香谷金指官星电方])"
    ),
    "range": (
        rf"{_START}(?<![周期拜第])(?P<low>{_N}+)"
        r"(?:公里|公斤|小时|分钟|[个年天岁月日号米块元斤倍])?[到至]"
        rf"(?P<high>{_N}+)(?![点几{NUMERALS}]|分(?!钟))"
    ),
    "measure": rf"{_START}(?P<measured>{_D})(?={_MEASURES})",
    "negative": rf"(?<![胜自担肩抱])负(?P<amount>{_N}+)(?=[度分]|[^\w]|$)",
    "plain": rf"{_START}(?P<numeral>{_N}+)(?![几{NUMERALS}])",
}
_PATTERN = re.compile("|".join(f"(?P<{name}>{rule})" for name, rule in _RULES.items()))
_NUMERAL = re.compile(_N)

# Only these groups are replaced, so that 年, 月, 点 and the like keep their own tokens.
_IN_PARTS = {
    "date": ("month", "day"),
    "numbered": ("name",),
    "time": ("hour", "minute", "second"),
    "clock": ("hour2", "minute2", "hour3"),
    "hours": ("from", "until"),
    "mixed": ("large", "small"),
    "range": ("low", "high"),
    "measure": ("measured",),
}


def chinese_edits(sentence: str) -> Iterator[Edit]:
    """Find the numbers of a sentence in either script; the edits come in order."""
    plain = sentence.translate(_SIMPLIFIED)
    if not _NUMERAL.search(plain):
        return
    is_traditional = "萬" in sentence or "億" in sentence
    for match in _PATTERN.finditer(plain):
        for edit in _edits(match):
            text = edit.text
            if is_traditional:
                text = text.replace("万", "萬").replace("亿", "億")
            yield Edit(edit.first, edit.stop, text)


def _edits(match: re.Match[str]) -> list[Edit]:
    rule = match.lastgroup or ""
    if rule in _IN_PARTS:
        groups = [group for group in _IN_PARTS[rule] if match[group]]
        texts = [_read(match[group]) for group in groups]
        return [
            Edit(*match.span(group), text)
            for group, text in zip(groups, texts, strict=True)
            if text is not None and None not in texts  # else it is not what it seems
        ]
    text = _WRITERS[rule](match) if rule in _WRITERS else None
    return [] if text is None else [Edit(*match.span(), text)]


def _read(numeral: str) -> str | None:
    """Write any numeral, also a single digit; the minutes 零五 are 05."""
    if numeral[0] in "零〇":
        return digits(numeral)
    return written(numeral) or digits(numeral)


def _spoken(number: str) -> str | None:
    """Write a whole number or a decimal without 万 and 亿; 三点十一点四 has two points."""
    if number == "百":
        return "100"
    whole, *decimals = number.split("点")
    exact = value(whole)
    parts = [digits(whole) if exact is None else str(exact), *map(digits, decimals)]
    known = [part for part in parts if part is not None]
    return ".".join(known) if len(known) == len(parts) else None


def _percent(match: re.Match[str]) -> str | None:
    sign = ("-" if match["under"] else "", "%" if match["of"] == "百" else "‰")
    shares = [_spoken(share) for share in match.group("share", "share2") if share]
    if None in shares:
        return None
    return (match["to"] or "").join(f"{sign[0]}{share}{sign[1]}" for share in shares)


def _fraction(match: re.Match[str]) -> str | None:
    above, below = value(match["above"]), value(match["below"])
    return f"{above}/{below}" if above and below else None


def _era(match: re.Match[str]) -> str | None:
    is_amount = not match.string.startswith("后", match.end()) and is_about(match["pair"])
    return None if is_amount else digits(match["pair"])  # 五六年 is how long it took


def _version(match: re.Match[str]) -> str | None:
    return f"{digits(match['major'])}.{value(match['minor'])}"


def _decimal(match: re.Match[str]) -> str | None:
    whole, decimals = match.group("whole", "decimals")
    before = match.string[match.start() - 1 : match.start()]
    after = match.string[match.end() : match.end() + 1] or " "
    if whole == "一" and (
        before in _MORE_OR_LESS or (len(decimals) == 1 and after in "位名人只条张")
    ):
        return None  # 早一点三个人到了
    if decimals[-1] == "一" and after in _AFTER_ONE:
        return None  # 三点一起走
    text = _spoken(f"{whole}点{decimals}")
    return f"-{text}" if text and match["minus"] else text


def _ratio(match: re.Match[str]) -> str | None:
    left, right = value(match["left"]), value(match["right"])
    return None if left is None or right is None else f"{left}:{right}"


def _negative(match: re.Match[str]) -> str | None:
    text = _read(match["amount"])
    return text and f"-{text}"


def _plain(match: re.Match[str]) -> str | None:
    numeral = match["numeral"]
    before = match.string[: match.start()][-1:]
    after = match.string[match.end() : match.end() + 2]
    if numeral[0] == "十" and before and before in "几数":
        return None
    if len(numeral) == 1 and numeral != "十":
        return None  # 三个人
    if numeral == "十":
        is_wholly = after[:1] == "分" and after != "分钟"
        return "10" if before == "第" or (after[:1] in _TEN_OF and not is_wholly) else None
    in_digits = digits(numeral)
    if in_digits is None:
        return written(numeral) or about(numeral)
    if len(numeral) <= len("五六"):  # 五六天, 三五成群, 七零八落
        return in_digits if "幺" in numeral else None
    is_counting = len(numeral) == len("一二三") and is_about(numeral[:2]) and is_about(numeral[1:])
    return None if is_counting else in_digits


_WRITERS: dict[str, Callable[[re.Match[str]], str | None]] = {
    "percent": _percent,
    "fraction": _fraction,
    "era": _era,
    "version": _version,
    "decimal": _decimal,
    "ratio": _ratio,
    "negative": _negative,
    "plain": _plain,
}
