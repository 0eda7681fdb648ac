"""The report of a measurement, opened from the disk in a real browser that has no network."""

from __future__ import annotations

import pytest
from browser.chromium import chromium, visiting
from made_results import lifelike, result

from capswriter.bench.report import write_report


@pytest.fixture(scope="module")
def browser():
    driver = pytest.importorskip("playwright.sync_api")
    with driver.sync_playwright() as running, chromium(running) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    pytest.importorskip("matplotlib")
    return write_report(lifelike(), tmp_path_factory.mktemp("report")).as_uri()


@pytest.fixture(
    params=[
        {"viewport": {"width": 1200, "height": 900}},
        {"viewport": {"width": 390, "height": 844}},
        {"viewport": {"width": 1200, "height": 900}, "color_scheme": "dark"},
    ],
    ids=["wide", "phone", "dark"],
)
def visit(browser, page, request):
    with visiting(browser, page, offline=True, **request.param) as opened:
        yield opened
        assert [url for url in opened.asked if url != page and not url.startswith("data:")] == []
        assert opened.complaints == []


def test_it_opens_offline_fits_the_window_and_shows_its_pictures(visit):
    assert visit.title() == "One worker against several: whisper-base"
    assert visit.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sizes = visit.evaluate(
        "[...document.querySelectorAll('svg')].map((svg) => [svg.clientWidth, svg.clientHeight])"
    )
    assert len(sizes) == 5
    assert all(width > 300 and height > 100 for width, height in sizes)


def test_its_colours_can_be_read(visit):
    """Text of the page and of the pictures has a contrast of at least 4.5 (WCAG AA)."""
    ratios = visit.evaluate(
        """() => {
          const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => {
            const [x, y, z] = [r, g, b].map((v) => v / 255)
              .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * x + 0.7152 * y + 0.0722 * z;
          };
          const ground = (element) => {
            for (; element; element = element.parentElement) {
              const colour = numbers(getComputedStyle(element).backgroundColor);
              if (colour.length < 4 || colour[3] > 0) return light(colour);
            }
            return 1;
          };
          return [...document.querySelectorAll("h1,h2,h3,p,th,td,dt,dd,a,figcaption,svg text")]
            .map((element) => {
              const style = getComputedStyle(element);
              const colour = element.closest("svg") ? style.fill : style.color;
              const [a, b] = [light(numbers(colour)), ground(element)].sort((x, y) => y - x);
              return [(a + 0.05) / (b + 0.05), element.outerHTML.slice(0, 80)];
            });
        }"""
    )
    assert len(ratios) > 150
    assert [each for each in ratios if each[0] < 4.5] == []


def test_it_prints(browser, page, tmp_path):
    with visiting(browser, page, offline=True) as opened:
        opened.page.emulate_media(media="print", color_scheme="light")
        cut = opened.evaluate(
            """[...document.querySelectorAll('.scroll')]
              .filter((each) => getComputedStyle(each).overflowX !== 'visible').length"""
        )
        assert cut == 0
        printed = opened.page.pdf(format="A4")
        assert printed.startswith(b"%PDF")
        assert 3 <= printed.count(b"/Type /Page\n") <= 9
        assert opened.complaints == []


def test_series_differ_by_more_than_colour(browser, page):
    """Without colour (achromatopsia), lines differ by marker and dash, areas by hatch."""
    with visiting(browser, page, offline=True) as opened:
        protocol = opened.page.context.new_cdp_session(opened.page)
        protocol.send("Emulation.setEmulatedVisionDeficiency", {"type": "achromatopsia"})
        assert opened.page.screenshot().startswith(b"\x89PNG")
        dashes = opened.evaluate(
            """[...document.querySelectorAll('#waiting-for-the-text svg [id*=legend] path')]
              .map((path) => getComputedStyle(path).strokeDasharray)"""
        )
        assert len(set(dashes)) >= 3
        hatches = opened.evaluate(
            "document.querySelectorAll('#memory-and-processor pattern').length"
        )
        assert hatches >= 4


def test_a_result_with_holes_opens_too(browser, tmp_path):
    pytest.importorskip("matplotlib")
    uri = write_report(result(missing=("it was interrupted",)), tmp_path).as_uri()
    with visiting(browser, uri, offline=True) as opened:
        assert "It was interrupted." in opened.text("#what-is-missing")
        assert opened.complaints == []
