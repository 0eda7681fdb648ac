"""How many hotwords come out right, and what they cost: ``python tests/hotword_score.py``.

Every list is scored with its own hotwords, and with 5,000 more of them loaded.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from capswriter.dictation.text.corrections import Corrections

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent / "dictation" / "text"
CASES = tomllib.loads((HERE / "hotword_cases.toml").read_text(encoding="utf-8"))
HELD_OUT = tomllib.loads((HERE / "hotword_held_out.toml").read_text(encoding="utf-8"))

_SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章云苏潘葛范彭郎"
)
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰涛明超霞平刚桂英华慧建国文辉玲志宇浩欣怡梓涵子轩雨泽思彤俊逸晨曦佳琪"
)
_PLACES = (
    "华东|华南|中原|江南|北方|西部|长江|黄河|泰山|昆仑|东海|南岭|天山|渤海|金陵|"
    "燕京|岭南|巴蜀|关中|塞北"
)
_FIELDS = (
    "电子|科技|股份|药业|能源|证券|材料|软件|生物|重工|通信|环保|食品|传媒|物流|"
    "化学|医疗|智能|控股|农业"
)
_HEADS = "Kor|Vel|Tar|Bri|Zen|Lum|Quo|Nex|Pra|Syn|Dax|Fen|Gal|Hyp|Jor|Myr|Oxi|Rav|Sol|Tri"
_MIDDLES = ["a", "e", "i", "o", "u", "an", "or", "ix", "el", "um"]
_TAILS = ["dex", "lytics", "flow", "base", "ware", "scope", "mind", "forge", "grid", "link"]


@dataclass(frozen=True)
class Figures:
    """How many cases there are, how many were right, and which not: name, text, expected, got."""

    cases: dict[str, int]
    right: dict[str, int]
    wrong: list[tuple[str, str, str, str]]


def many_hotwords(count: int = 5000) -> list[str]:
    """Hotwords as users have them by the thousand: people, companies, products; always the same."""
    chance = random.Random(5)
    places, fields = _PLACES.split("|"), _FIELDS.split("|")
    words: dict[str, None] = {}
    while len(words) < count:
        kind = chance.random()
        if kind < 0.1:
            word = chance.choice(_SURNAMES) + chance.choice(_GIVEN)
        elif kind < 0.5:
            word = chance.choice(_SURNAMES) + "".join(chance.choices(_GIVEN, k=2))
        elif kind < 0.65:
            word = (
                chance.choice(places) + "".join(chance.choices(_GIVEN, k=1)) + chance.choice(fields)
            )
        elif kind < 0.8:
            word = "".join(chance.choices(_GIVEN, k=2)) + chance.choice(fields)
        else:
            word = (
                chance.choice(_HEADS.split("|")) + chance.choice(_MIDDLES) + chance.choice(_TAILS)
            )
        words[word] = None
    return list(words)


def corrections_of(folder: Path, further: list[str]) -> Corrections:
    path = folder / "hot.txt"
    path.write_text(CASES["hotwords"] + "\n".join(further), encoding="utf-8")
    return Corrections(path, None)


def figures_of(corrections: Corrections) -> Figures:
    pairs = {
        "chinese": CASES["chinese"],
        "english": CASES["english"],
        "unchanged": [[text, text] for text in CASES["unchanged"]],
        "changed, held out": HELD_OUT["changed"],
        "unchanged, held out": [[text, text] for text in HELD_OUT["unchanged"]],
    }
    right, wrong = dict.fromkeys(pairs, 0), []
    for name, cases in pairs.items():
        for text, expected in cases:
            got = corrections.apply(text)
            if got == expected:
                right[name] += 1
            else:
                wrong.append((name, text, expected, got))
    return Figures({name: len(cases) for name, cases in pairs.items()}, right, wrong)


def sentences(count: int = 400) -> list[str]:
    """Texts of 10 to 60 characters, made of the cases' own."""
    chance = random.Random(7)
    parts = [text for name in ("chinese", "english") for text, _ in CASES[name]]
    parts += CASES["unchanged"]
    made = []
    for _ in range(count):
        wanted, text = chance.randint(10, 60), ""
        while len(text) < wanted:
            text += chance.choice(parts) + "，"
        made.append(text[:wanted])
    return made


def seconds_each(corrections: Corrections) -> list[float]:
    spent = []
    for text in sentences():
        begun = time.perf_counter()
        corrections.apply(text)
        spent.append(time.perf_counter() - begun)
    return sorted(spent)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        for further in ([], many_hotwords()):
            begun = time.perf_counter()
            corrections = corrections_of(Path(name), further)
            corrections.apply("预热 warm up")
            loaded = time.perf_counter() - begun
            figures = figures_of(corrections)
            spent = seconds_each(corrections)
            print(f"further hotwords {len(further):,}: loaded in {loaded * 1000:.0f} ms")
            for kind, right in figures.right.items():
                print(f"  {kind:19}  right {right:3} of {figures.cases[kind]}")
            for case in figures.wrong:
                print("  wrong:", " | ".join(case))
            median, high = statistics.median(spent), spent[int(0.95 * len(spent))]
            print(
                f"  a sentence: p50 {median * 1000:.2f} ms, p95 {high * 1000:.2f} ms,"
                f" longest {spent[-1] * 1000:.2f} ms"
            )


if __name__ == "__main__":
    main()
