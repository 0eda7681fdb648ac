"""How many of the listed phrases come out right: ``python tests/itn_score.py [wetext]``.

Without an argument it scores our own rules, with ``wetext`` or ``cn2an`` that library, if it is
installed. The first list was there before anything was built, the second was written afterwards.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent / "text"
LISTS = {"chosen before": "itn_phrases.toml", "held out": "itn_held_out.toml"}
LENGTHS = (3_200, 12_800)


def phrases(name: str) -> list[dict[str, Any]]:
    """The phrases of one list."""
    document = tomllib.loads((HERE / LISTS[name]).read_text(encoding="utf-8"))
    return document["phrases"]


def writer(name: str) -> Callable[[str], str]:
    """What turns spoken into written text."""
    if name == "wetext":
        from wetext import Normalizer

        chinese, english = (Normalizer(lang=lang, operator="itn") for lang in ("zh", "en"))
        return lambda text: (english if text.isascii() else chinese).normalize(text)
    if name == "cn2an":
        import cn2an

        return lambda text: cn2an.transform(text, "cn2an")
    from capswriter.text.itn import normalised

    return normalised


def main(name: str) -> None:
    began = time.perf_counter()
    write = writer(name)
    write("二十三")
    print(f"{name}: imported and loaded in {1e3 * (time.perf_counter() - began):.0f} ms")
    for title in LISTS:
        right, times = 0, []
        for phrase in phrases(title):
            began = time.perf_counter()
            text = write(phrase["spoken"])
            times.append(time.perf_counter() - began)
            # Our own conventions are fixed; a library may have others.
            accepted = [phrase["written"], *(phrase.get("also", []) if name != "ours" else [])]
            right += text in accepted
            if text not in accepted:
                print(f"  {phrase['spoken']} -> {text}, not {phrase['written']}")
        print(f"{title}: {right} of {len(times)}, median {1e3 * median(times):.3f} ms a phrase")
    for length in LENGTHS:
        text = "他今年二十三岁，" * (length // 8)
        began = time.perf_counter()
        write(text)
        print(f"{length} characters at once: {time.perf_counter() - began:.3f} s")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "ours")
