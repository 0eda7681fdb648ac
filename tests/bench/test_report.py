"""The report of results whose figures are known, and of such as have holes."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from made_results import comparison, lifelike, machine, recordings, result, run, stages, usage
from rich.console import Console

from capswriter.bench.report import markdown, sections, terminal, write_report
from capswriter.bench.report.sources import SOURCES
from capswriter.bench.tables import Table

RESULTS = {
    "comparison": comparison(),
    "lifelike": lifelike(rounds=1),
    "one run": result(run(workers=2, seconds=10), kind="run"),
    "peers": result(
        run("bare", 1, 10.0), run("peer", 1, 20.0, name="faster-whisper"), kind="peers"
    ),
    "overhead": result(run(stages=(stages(), stages(2))), kind="overhead"),
    "no runs": result(missing=("the model is missing",)),
    "interrupted": result(
        run(), run(workers=2, seconds=1.0, samples=(), spans=(), usage=(), error="interrupted")
    ),
    "no spans": result(run(spans=()), run(workers=2, seconds=10, spans=())),
    "no usage": result(run(usage=()), run(workers=2, seconds=10, usage=())),
    "one moment": result(run(usage=usage(20, 1)[:2])),
    "one sample": result(run(samples=run().samples[:1], spans=run().spans[:1]), kind="run"),
    "only errors": result(
        run(samples=tuple(s.model_copy(update={"text": None, "error": "x"}) for s in run().samples))
    ),
    "nothing expected": result(run(), recordings=recordings(expected=None)),
    "no load": result(run(), machine=machine(load=None, flags=(), packages={})),
}


class Page(HTMLParser):
    """What a page is made of; tags that are not closed in order are refused."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def said(told) -> str:
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(terminal(told))
    return captured.get()


@pytest.fixture(params=RESULTS, ids=lambda name: name.replace(" ", "-"))
def any_result(request):
    return RESULTS[request.param]


def test_every_result_can_be_told_on_a_page_in_a_terminal_and_in_markdown(any_result, tmp_path):
    text = write_report(any_result, tmp_path / "new" / "folder").read_text(encoding="utf-8")
    page = Page(text)
    assert page.all("html") == [{"lang": "en"}]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        assert link["href"].removeprefix("#") in ids
    assert all(cell.get("scope") in {"row", "col"} for cell in page.all("th"))
    pictures = [each for each in page.all("div") if each.get("role") == "img"]
    assert len(pictures) == len(page.all("svg")) == len(list(tmp_path.rglob("*.png")))
    assert all(picture["aria-label"] for picture in pictures)
    for section in sections(any_result):
        assert f"## {section.title}\n" in markdown(any_result)
        assert section.title in said(any_result)


def test_nothing_on_the_page_is_from_elsewhere(tmp_path):
    text = write_report(comparison(), tmp_path).read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert not re.search(r"""(src|href)=["'](?!#|data:,)|@import|url\((?!#)""", text)


def test_all_three_show_the_same_figures(tmp_path):
    told = comparison()
    text = write_report(told, tmp_path).read_text(encoding="utf-8")
    for form in (text, markdown(told), said(told)):
        for figure in ("1.90", "1.80 – 2.00", "95 %", "3.80", "2.10 GB", "1.91"):
            assert figure in form


def test_every_column_of_figures_says_where_they_come_from():
    words = {"arrangement", "condition", "state", "detail", "worker", "program", "stage"}
    words |= {"memory", "recording", "what", "value"}
    headers = {
        name
        for told in RESULTS.values()
        for section in sections(told)
        for part in section.parts
        if isinstance(part, Table)
        for name in part.header
    }
    assert headers - words == set(SOURCES)


@pytest.mark.parametrize(
    ("name", "pictures"),
    [
        ("comparison", {"memory", "processor", "speed-up", "time-line", "waiting"}),
        ("no usage", {"speed-up", "time-line", "waiting"}),
        ("no spans", {"memory", "processor", "speed-up", "waiting"}),
        ("peers", {"waiting"}),
        ("overhead", {"memory", "processor", "stages", "time-line", "waiting"}),
        ("no runs", set()),
    ],
)
def test_there_are_pictures_of_what_there_is(name, pictures, tmp_path):
    write_report(RESULTS[name], tmp_path)
    assert {path.stem for path in tmp_path.glob("*.png")} == pictures


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("no runs", "The model is missing."),
        ("no runs", "There are no runs."),
        ("interrupted", "Server, 2 workers, round 1, ended early: interrupted."),
        ("interrupted", "Not measured: the bare limit."),
        ("no usage", "Not measured: memory and processor (usage)."),
        ("no spans", "Not measured: what each worker did when (spans)."),
        ("nothing expected", "No text is expected of: 01.mp3, 02.mp3, 03.mp3, 04.mp3."),
    ],
)
def test_what_is_missing_is_named(name, line):
    text = markdown(RESULTS[name])
    assert line in text[text.index("## What is missing") :]


def test_a_whole_comparison_misses_nothing():
    assert "What is missing" not in markdown(comparison())


def test_names_cannot_break_the_page_the_table_or_the_terminal(tmp_path):
    evil = "<script>|[red]&\"'.mp3"
    renamed = tuple(each.model_copy(update={"name": evil}) for each in recordings()[:1])
    told = comparison(recordings=renamed, model=evil, command=evil)
    text = write_report(told, tmp_path).read_text(encoding="utf-8")
    assert "<script" not in text
    Page(text)
    assert evil in said(told)
    assert evil.replace("|", r"\|") in markdown(told)


# ---- the command


@pytest.fixture
def report(tmp_path):
    def report(*arguments, before=""):
        main = "import sys; from capswriter.cli import main; "
        return subprocess.run(
            [
                *(sys.executable, "-W", "error", "-c", f"{before}{main}main(sys.argv[1:])"),
                *("bench", "report", *map(str, arguments)),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={"PYTHONUTF8": "1", "PATH": "", "HOME": str(tmp_path), "COLUMNS": "120"},
            timeout=60,
            check=False,
        )

    return report


def test_the_command_makes_a_page_beside_the_result_and_prints_where(report, tmp_path):
    comparison().save(tmp_path / "mine.json")
    done = report("mine.json")
    assert (done.returncode, done.stdout.strip()) == (0, "mine-report/report.html")
    assert (tmp_path / "mine-report" / "report.html").is_file()
    done = report("mine.json", "--out", tmp_path / "other")
    assert done.stdout.strip() == str(tmp_path / "other" / "report.html")


@pytest.mark.parametrize("form", ["terminal", "markdown"])
def test_the_command_prints_tables_and_needs_no_matplotlib_for_them(report, tmp_path, form):
    comparison().save(tmp_path / "mine.json")
    done = report("mine.json", "--format", form, before=HIDDEN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 workers: feasible. Every condition is met." in done.stdout


HIDDEN = "import sys; sys.modules['matplotlib'] = None; "


def test_without_matplotlib_it_says_in_one_line_what_to_install(report, tmp_path):
    comparison().save(tmp_path / "mine.json")
    done = report("mine.json", before=HIDDEN)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("run: pip install 'capswriter-server[bench]'\n")
    assert done.stderr.count("\n") == 1


def test_errors_are_one_line(report, tmp_path):
    (tmp_path / "bad.json").write_text("{}")
    comparison().save(tmp_path / "mine.json")
    for arguments in (["none.json"], ["bad.json"], ["mine.json", "--out", "bad.json/x"]):
        done = report(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("capswriter: ")
