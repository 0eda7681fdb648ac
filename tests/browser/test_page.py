"""The page at ``/test``, in a real browser that hears a recording, against real servers."""

from __future__ import annotations

import base64
import re
import socket
import subprocess
import sys
import wave
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from browser.chromium import chromium, visiting
from media import write
from recordings import samples_of
from servers import TESTS, serving_fake
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from capswriter.audio import SAMPLE_RATE
from capswriter.server.page import FILES, FOLDER

TOKEN = "s3cr3t"
SENTENCE = "dictation is an old idea"
WORDS = re.compile(r"w\d+( w\d+)*")
"""What the fake engine makes of speech."""


@pytest.fixture(scope="module")
def recording(samples, tmp_path_factory) -> Path:
    """8 s of speech as a WAV."""
    speech = samples_of(samples / "01.mp3")[: 8 * SAMPLE_RATE]
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(speech * 32_767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def playwright():
    driver = pytest.importorskip("playwright.sync_api")
    with driver.sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright, recording):
    with chromium(playwright, microphone=recording) as running:
        yield running


@pytest.fixture(scope="module")
def fake():
    """A server whose engine answers at once."""
    with serving_fake(workers=1) as running:
        yield running


@pytest.fixture
def visit(browser, fake):
    """The page of the fake server; it must ask for nothing elsewhere and complain of nothing."""
    with visiting(browser, fake.http + "/test") as opened:
        opened.wait("#link.open")
        yield opened
        ours = (fake.http + "/", fake.url + "/", "blob:")
        assert [url for url in opened.asked if not url.startswith(ours)] == []
        assert opened.complaints == []


def final(visit, nth: int = 1) -> str:
    """Wait for so many texts; give the newest."""
    visit.page.locator("#list .latency").nth(nth - 1).wait_for(timeout=60_000)
    return visit.text("#list > li:first-child > .text")


def say_something(visit, seconds: float = 2.5) -> None:
    visit.locator("#talk").hover()
    visit.mouse.down()
    visit.wait_for_timeout(1000 * seconds)
    visit.mouse.up()


def drop(visit, name: str, content: bytes) -> None:
    visit.evaluate(
        """([name, content]) => {
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], name));
          for (const kind of ["dragenter", "dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(kind,
              { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        [name, base64.b64encode(content).decode()],
    )


# ---- what is served


def test_the_page_is_let_in_without_a_token_and_nothing_else_by_it():
    with serving_fake(token=TOKEN, workers=1) as server:
        with httpx.Client(base_url=server.http) as http:
            assert {"/test", "/test/page.js", "/test/worklet.js", "/test/page.css"} <= set(FILES)
            for path, file in FILES.items():
                reply = http.get(path)
                assert (path, reply.status_code, reply.content) == (path, 200, file.read_bytes())
                policy = reply.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert "http" not in policy
                again = http.get(path, headers={"If-None-Match": reply.headers["ETag"]})
                assert (again.status_code, again.content) == (304, b"")
                evil = {"Origin": "https://evil.example"}
                assert http.get(path, headers=evil).status_code == 403
                assert http.get(path, headers={"Host": "evil.example"}).status_code == 421
            for path in ("/test/", "/test/page.html", "/test/..%2fpage.py", "/test/x", "/stats"):
                assert http.get(path).status_code == 401
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url + "/test")
        assert refused.value.response.status_code == 401


def test_the_page_is_small_and_says_everything_in_both_tongues():
    assert sum(file.stat().st_size for file in FILES.values()) < 80_000
    words = (FOLDER / "words.js").read_text(encoding="utf-8")
    english, chinese = (
        re.findall(r"(?m)(?:^  |\", )(\w+): (?=[\"(])", part)
        for part in words.split("const TONGUES")[0].split("const CHINESE")
    )
    assert english == chinese
    assert len(english) > 60
    said = set(english)
    for file in FILES.values():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), file
        assert set(re.findall(r'data-(?:word|label)="(\w+)"', text)) <= said, file


# ---- talking


@pytest.mark.model
def test_what_is_said_while_the_button_is_held_appears_with_its_times(browser, server):
    with visiting(browser, server.http + "/test") as visit:
        visit.wait("#link.open")
        visit.locator("#talk").hover()
        visit.mouse.down()
        visit.wait("#state", "Listening")
        visit.wait(".open .partial")
        assert re.search(r"\d:\d\d\.\d – \d:\d\d\.\d", visit.text(".open .meta .span"))
        levels = []
        for _ in range(30):
            visit.wait_for_timeout(100)
            levels.append(int(visit.locator("#level").get_attribute("aria-valuenow")))
        assert max(levels) > -60
        visit.mouse.up()
        assert SENTENCE in final(visit).lower()
        assert visit.text("#announce") == visit.text("#list .text")
        measured = float(re.search(r"[\d.]+", visit.text(".latency"))[0])
        served = float(re.search(r"[\d.]+", visit.text(".served"))[0])
        assert 0 < served <= measured < 60
        visit.locator("summary").click()
        assert SENTENCE in visit.text("details li >> nth=0").lower()
        assert visit.text("#state") == "Ready"
        assert visit.complaints == []


def test_the_space_bar_talks_and_neither_scrolls_nor_disturbs_other_controls(visit):
    visit.set_viewport_size({"width": 400, "height": 400})
    visit.keyboard.down("Space")
    visit.wait("#state", "Listening")
    for _ in range(5):
        visit.keyboard.down("Space")  # as a key that is held repeats
        visit.wait_for_timeout(400)
    visit.keyboard.up("Space")
    assert WORDS.fullmatch(final(visit))
    assert visit.evaluate("scrollY") == 0
    for control in ("#language", "#clear"):
        visit.locator(control).focus()
        visit.keyboard.press("Space")
        visit.wait_for_timeout(300)
        assert visit.text("#talk-name") == "Talk"
        visit.keyboard.press("Escape")
    assert visit.locator("#list > li").count() == 0  # the space bar has pressed Clear


def test_a_short_press_keeps_it_on_and_so_does_a_click_without_a_pointer(visit):
    visit.locator("#talk").click()
    visit.wait("#state", "Press again to stop")
    visit.wait_for_timeout(2000)
    visit.locator("#talk").click()
    assert WORDS.fullmatch(final(visit))
    visit.evaluate("document.getElementById('talk').click()")  # as a screen reader does
    visit.wait("#state", "Press again to stop")
    assert visit.locator("#talk").get_attribute("aria-pressed") == "true"
    visit.wait_for_timeout(2000)
    visit.evaluate("document.getElementById('talk').click()")
    assert WORDS.fullmatch(final(visit, 2))


def test_escape_takes_a_round_back_and_the_next_one_is_whole(visit):
    visit.locator("#talk").hover()
    visit.mouse.down()
    visit.wait("#state", "Listening")
    visit.wait_for_timeout(1000)
    visit.keyboard.press("Escape")
    visit.wait("#state", "Cancelled")
    visit.mouse.up()
    assert visit.has("#empty:visible")
    say_something(visit)
    assert WORDS.fullmatch(final(visit))
    assert visit.locator("#list > li").count() == 1
    assert not visit.has("#notice:visible")


def test_texts_are_copied_and_cleared(browser, fake):
    context = browser.new_context(locale="en-GB", permissions=["clipboard-read", "clipboard-write"])
    with visiting(browser, fake.http + "/test", context=context) as visit:
        visit.wait("#link.open")
        say_something(visit)
        first = final(visit)
        say_something(visit)
        second = final(visit, 2)
        visit.locator("#list .copy").first.click()
        visit.wait(".copy", "Copied")
        assert visit.evaluate("navigator.clipboard.readText()") == second
        visit.locator("#copy-all").click()
        visit.wait("#copy-all", "Copied")
        assert visit.evaluate("navigator.clipboard.readText()") == f"{first}\n{second}"
        visit.locator("#clear").click()
        assert visit.has("#empty:visible")
        assert not visit.has("#clear:visible")


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_sound_at_any_rate_is_sent_at_16_khz_without_aliases(visit, rate):
    heard = visit.evaluate(
        """async (rate) => {
          globalThis.sampleRate = rate;
          globalThis.AudioWorkletProcessor = class { port = { postMessage() {} }; };
          let Recorder;
          globalThis.registerProcessor = (_, found) => { Recorder = found; };
          await import("/test/worklet.js");
          return [1000, 3000, 9500].map((hertz) => {
            const recorder = new Recorder();
            const got = [];
            recorder.port.postMessage = (chunk) => chunk && got.push(...new Int16Array(chunk));
            recorder.port.onmessage({ data: "start" });
            for (let at = 0; at < rate; at += 128) {
              const block = Float32Array.from({ length: 128 }, (_, n) =>
                0.5 * Math.sin((2 * Math.PI * hertz * (at + n)) / rate));
              recorder.process([[block]]);
            }
            recorder.port.onmessage({ data: "stop" });
            return got;
          });
        }""",
        rate,
    )
    low, middle, high = (np.array(each) / 32_767 for each in heard)
    for tone in (low, middle):
        assert abs(len(tone) / SAMPLE_RATE - 1) < 0.02
        loudness = np.sqrt(2 * np.mean(tone[1000:15_000] ** 2))
        assert abs(20 * np.log10(loudness / 0.5)) < 0.1
    if rate > 2 * 9500:
        assert np.max(np.abs(high[1000:15_000])) < 0.0002  # it would be heard as 6.5 kHz


# ---- files


@pytest.mark.model
def test_a_dropped_file_is_written_down(browser, server, recording):
    with visiting(browser, server.http + "/test") as visit:
        visit.wait("#link.open")
        drop(visit, "speech.wav", recording.read_bytes())
        assert SENTENCE in final(visit).lower()
        assert "speech.wav" in visit.text("#list .meta")
        assert "after the last byte" in visit.text(".latency")
        assert not visit.has("#dropping:visible")
        assert visit.complaints == []


def test_a_file_that_only_the_server_can_decode_is_sent_as_it_is(visit, recording, tmp_path):
    path = tmp_path / "old.wav"
    write(path, samples_of(recording), SAMPLE_RATE, "adpcm_ms")
    visit.set_input_files("#file", path)
    assert WORDS.fullmatch(final(visit))
    assert '"format":"wav"' in visit.said[1]


def test_what_is_no_recording_is_told_apart(visit, recording):
    drop(visit, "notes.txt", b"buy milk")
    visit.wait(".failed [role=alert]", "notes.txt is no recording that can be read")
    drop(visit, "broken.mp3", b"buy milk" * 100)
    visit.wait(".failed [role=alert]", "The server says")
    drop(visit, "speech.wav", recording.read_bytes())
    assert WORDS.fullmatch(final(visit))


# ---- without a microphone


@pytest.mark.parametrize(
    ("has", "message"),
    [(True, "does not let this page use the microphone"), (False, "No microphone was found")],
)
def test_why_there_is_no_microphone_is_said(playwright, fake, recording, has, message):
    options = {"microphone": recording, "allow": False} if has else {}
    with (
        chromium(playwright, **options) as running,
        visiting(running, fake.http + "/test") as visit,
    ):
        visit.wait("#link.open")
        visit.locator("#talk").click()
        visit.wait("#notice", message)
        assert visit.text("#state") == "Ready"
        drop(visit, "speech.wav", recording.read_bytes())
        assert WORDS.fullmatch(final(visit))
        assert visit.complaints == []


def test_a_page_without_https_says_what_to_do_and_takes_files(browser, recording):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but its own")
        address = asking.getsockname()[0]
    with serving_fake(workers=1, host="0.0.0.0", allow_anonymous=True) as server:
        url = server.http.replace("0.0.0.0", address) + "/test"
        with visiting(browser, url) as visit:
            visit.wait("#link.open")
            assert not visit.evaluate("isSecureContext")
            visit.wait("#notice", "--tls-cert")
            assert visit.locator("#talk").get_attribute("aria-disabled") == "true"
            visit.keyboard.press("Space")
            drop(visit, "speech.wav", recording.read_bytes())
            assert WORDS.fullmatch(final(visit))
            visit.locator("#list .copy").click()
            visit.wait(".copy", "Copied")


# ---- the token


def test_a_token_is_asked_for_and_stays_in_the_tab(browser):
    with (
        serving_fake(token=TOKEN, workers=1) as server,
        visiting(browser, server.http + "/test") as visit,
    ):
        visit.wait("#token-form")
        assert visit.evaluate("document.activeElement.id") == "token"
        visit.keyboard.type("wrong one")  # with a space, which is no press
        visit.keyboard.press("Enter")
        visit.wait("#notice", "not the token of this server")
        visit.keyboard.type(TOKEN)
        visit.keyboard.press("Enter")
        visit.wait("#link.open")
        assert not visit.has("#token-form:visible")
        visit.wait("#facts dd", "fake")  # the model, which only those with the token are told
        say_something(visit)
        assert WORDS.fullmatch(final(visit))
        visit.reload()
        visit.wait("#link.open")
        assert TOKEN not in visit.evaluate("JSON.stringify(localStorage) + document.cookie")
        with visiting(browser, f"{server.http}/test#token={TOKEN}") as other:
            other.wait("#link.open")
            assert other.url == f"{server.http}/test"
    assert not [line for line in server.log if TOKEN in line]


# ---- a server that goes away


@contextmanager
def fake_at(port: int):
    """Serve on a port until it is killed."""
    arguments = ["fake_engine:load", "/nowhere", "workers=1", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, TESTS / "serve_fake.py", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout.readline().startswith("ready: ")
        yield process
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


def test_a_killed_server_is_told_of_waited_for_and_the_recording_kept(browser):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ExitStack() as stack:
        process = stack.enter_context(fake_at(port))
        visit = stack.enter_context(visiting(browser, f"http://127.0.0.1:{port}/test"))
        visit.wait("#link.open")
        visit.locator("#talk").hover()
        visit.mouse.down()
        visit.wait("#state", "Listening")
        visit.wait_for_timeout(2500)
        process.kill()
        visit.wait(".failed", "lost while you were talking")
        visit.mouse.up()
        visit.wait("#link.away", "again in")
        visit.wait("#notice", "cannot be reached")
        pauses = set()
        for _ in range(20):
            pauses.update(re.findall(r"again in (\d+) s", visit.text("#link")))
            visit.wait_for_timeout(200)
        assert len(pauses) > 1  # they grow
        stack.enter_context(fake_at(port))
        visit.wait("#link.open", seconds=40)
        assert not visit.has("#notice:visible")
        visit.locator(".failed button").click()
        assert WORDS.fullmatch(final(visit))
        assert not visit.has(".failed")
        say_something(visit)
        assert WORDS.fullmatch(final(visit, 2))


def test_a_full_server_is_said_to_be_full_until_there_is_room(browser):
    with (
        serving_fake(workers=1, max_connections=1) as server,
        connect(server.url + "/ws/asr") as taken,
        visiting(browser, server.http) as visit,
    ):
        taken.send('{"type":"ping"}')
        assert "pong" in taken.recv(10)
        visit.goto(server.http + "/test")
        visit.wait("#link.full", "No free connection")
        visit.wait("#notice", "All connections of the server are taken")
        taken.close()
        visit.locator("#notice-act").click()
        visit.wait("#link.open")
        assert not visit.has("#notice:visible")


# ---- for everybody


def test_every_control_has_a_name_and_the_keyboard_reaches_it_in_order(visit):
    say_something(visit)
    final(visit)
    tree = visit.context.new_cdp_session(visit.page).send("Accessibility.getFullAXTree")
    controls = {"button", "textbox", "combobox", "meter", "DisclosureTriangle", "heading", "region"}
    for node in tree["nodes"]:
        if node.get("role", {}).get("value") in controls and not node.get("ignored"):
            assert node.get("name", {}).get("value"), node
    roles = [node.get("role", {}).get("value") for node in tree["nodes"]]
    assert {"main", "banner", "complementary", "status", "meter", "list"} <= set(roles)
    visit.locator("#tongue").focus()
    reached = []
    for _ in range(7):
        visit.keyboard.press("Tab")
        reached.append(
            visit.evaluate("document.activeElement.id || document.activeElement.tagName")
        )
    assert reached == ["talk", "file", "language", "clear", "SUMMARY", "BUTTON", "BODY"]


CONTRAST = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if ((channels(colour)[3] ?? 1) > 0) return colour;
    }
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) poor.push([element.tagName, element.textContent, contrast]);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_legible_and_fits(browser, fake, scheme, width):
    size = {"width": width, "height": 844}
    options = {"viewport": size, "color_scheme": scheme, "reduced_motion": "reduce"}
    with visiting(browser, fake.http + "/test", **options) as visit:
        visit.wait("#link.open")
        visit.wait("#facts dd", "fake")
        drop(visit, "notes.txt", b"buy milk")
        say_something(visit)
        final(visit)
        visit.locator("summary").click()
        visit.wait_for_timeout(300)
        assert visit.evaluate(CONTRAST) == []
        assert visit.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.evaluate("document.getAnimations().length") == 0


def test_the_page_speaks_chinese_to_chinese_browsers_and_can_be_switched(browser, fake):
    with visiting(browser, fake.http + "/test", locale="zh-CN") as visit:
        visit.wait("#link.open", "已连接")
        assert visit.evaluate("document.documentElement.lang") == "zh-CN"
        say_something(visit)
        final(visit)
        assert "松开后" in visit.text(".latency")
        left = re.findall(r"[A-Za-z]{3,}", visit.text("main"))
        assert set(left) <= {"fake", "Esc"}
        visit.locator("#tongue").click()
        assert "after release" in visit.text(".latency")
        assert visit.text("#server-title") == "Server"
        visit.reload()
        visit.wait("#link.open", "Connected")
