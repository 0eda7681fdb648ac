"""The client as a whole: keys and microphone are a test's, the server and the journal are real."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager

import numpy as np
import pytest
from client.emulated import serving
from dictation.emulated_microphones import V1_0, V2_6
from dictation.fake_desktop import BROWSER, EDITOR, FakeDesktop
from dictation.microphone.faked import Sound
from dictation.roles import language_model
from dictation.whole_client import KEY, PATIENCE_S, client
from marked_speech import marked, write_words
from servers import serving_at, serving_fake

from capswriter.dictation.journal import State, read_journal
from capswriter.dictation.keys.control import tell
from capswriter.dictation.shortcuts import Press

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    directory = tmp_path_factory.mktemp("words")
    write_words(directory)
    return directory


@pytest.fixture(scope="module")
def fake(words):
    with serving_fake("marked_engine:load", words, log_level="warning") as running:
        yield running


@pytest.fixture(scope="module")
def phrase(phrase) -> np.ndarray:
    """8 s of speech, whose words are w0 to w15, two in each second."""
    return marked(phrase)


def heard(first: int, last: int) -> str:
    return " ".join(f"w{number}" for number in range(first, last))


async def test_what_is_said_while_the_key_is_held_is_typed_and_over(tmp_path, fake, phrase):
    async with client(tmp_path, fake.url, phrase) as it:
        assert "this desktop is a fake" in it.shown.getvalue()
        await it.dictate(2)
        assert await it.until_typed(1) == [(EDITOR.id, heard(0, 4))]
        await it.until_state(State.DELIVERED)
        await it.until_shown("typed: w0")


async def test_dictations_that_follow_each_other_are_typed_in_their_order(tmp_path, fake, phrase):
    async with client(tmp_path, fake.url, phrase) as it:
        for _ in range(4):
            await it.dictate(1)
        typed = await it.until_typed(4)
        assert [text for _, text in typed] == [heard(2 * n, 2 * n + 2) for n in range(4)]
        await it.until_state(*[State.DELIVERED] * 4)


async def test_a_text_is_for_the_window_that_had_the_focus_at_key_up(tmp_path, fake, phrase):
    async with client(tmp_path, fake.url, phrase, tail=0.3) as it:
        it.press()
        await it.until_state(State.RECORDING)
        it.say(1)
        await it.let_go()
        await asyncio.sleep(0.1)  # in which the focus is looked for
        it.desktop.now = BROWSER
        it.silence(0.5)
        await it.until(lambda: it.desktop.clipboard, "the clipboard")
        assert it.desktop.clipboard[0].startswith(heard(0, 2))
        await it.until_shown("moved")
        assert it.desktop.typed == []


async def test_a_text_follows_the_focus_if_it_shall(tmp_path, fake, phrase):
    async with client(tmp_path, fake.url, phrase, tail=0.3, follow_focus=True) as it:
        it.press()
        await it.until_state(State.RECORDING)
        it.say(1)
        await it.let_go()
        it.desktop.now = BROWSER
        it.silence(0.5)
        [(window, text)] = await it.until_typed(1)
        assert window == BROWSER.id
        assert text.startswith(heard(0, 2))


async def test_a_tap_is_the_keys_own_and_escape_drops_what_was_said(tmp_path, fake, phrase):
    async with client(tmp_path, fake.url, phrase) as it:
        it.press()
        await it.until_state(State.RECORDING)
        it.release()
        await it.until_state(State.CANCELLED)
        await it.until(lambda: f"replay {KEY}" in it.keys.told, "the key's own")
        it.press()
        await it.until_state(State.CANCELLED, State.RECORDING)
        it.say(1)
        it.keys.emit(Press("esc", it.now))
        await it.until_state(State.CANCELLED, State.CANCELLED)
        it.release()
        await it.dictate(1)
        assert await it.until_typed(1) == [(EDITOR.id, heard(2, 4))]


@pytest.mark.parametrize("version", [V1_0, V2_6])
async def test_an_old_server_s_texts_are_typed_once(tmp_path, phrase, version):
    async with serving(version()) as url, client(tmp_path, url, phrase) as it:
        for seconds in (2, 1):
            await it.dictate(seconds)
        typed = await it.until_typed(2)
        await it.until_state(State.DELIVERED, State.DELIVERED)
        assert typed == [(EDITOR.id, "2 s"), (EDITOR.id, "1 s")]


async def test_commands_start_and_stop_without_a_key(tmp_path, fake, phrase):
    async with client(tmp_path, fake.url, phrase) as it:
        assert await asyncio.to_thread(tell, "toggle", folder=tmp_path / "run") == "started"
        await it.until_state(State.RECORDING)
        assert await asyncio.to_thread(tell, "start", folder=tmp_path / "run") == "unchanged"
        # The clock of commands is the real one: the microphone is heard from now on.
        it.now = time.monotonic()
        it.say(1)
        assert await asyncio.to_thread(tell, "stop", folder=tmp_path / "run") == "stopped"
        it.silence(5)
        await it.until_state(State.DELIVERED)


async def test_a_text_waits_while_a_key_is_held_that_changes_what_is_typed(tmp_path, fake, phrase):
    shortcuts = (f"{KEY}:hold", "caps_lock:hold")
    async with client(tmp_path, fake.url, phrase, shortcuts=shortcuts, tail=0.3) as it:
        it.press()
        await it.until_state(State.RECORDING)
        it.say(1)
        await it.let_go()
        it.press("caps_lock")
        await it.until_state(State.RECORDING, State.RECORDING)
        it.say(1)
        await it.until_state(State.RECOGNISED, State.RECORDING)
        await asyncio.sleep(0.3)
        assert it.desktop.typed == []
        await it.let_go("caps_lock")
        it.silence(0.5)
        typed = await it.until_typed(2)
        assert [text.split()[0] for _, text in typed] == ["w0", "w2"]


async def test_a_server_that_is_away_is_told_of_once_and_loses_nothing(
    tmp_path, words, phrase, unused_port
):
    url = f"ws://127.0.0.1:{unused_port}"
    async with client(tmp_path, url, phrase) as it:
        await it.dictate(1)
        await it.dictate(1)
        await it.until_shown("is kept, and sent when a server is there")
        assert it.shown.getvalue().count("is kept, and sent") == 1
        with serving_at(unused_port, words, loader="marked_engine:load"):
            typed = await it.until_typed(2)
            assert [text for _, text in typed] == [heard(0, 2), heard(2, 4)]
            await it.until_shown("a server takes dictations")


async def test_what_was_not_sent_stays_and_comes_late_at_the_next_start(
    tmp_path, fake, phrase, unused_port
):
    async with client(tmp_path, f"ws://127.0.0.1:{unused_port}", phrase) as it:
        await it.dictate(1)
        await it.until_shown("is kept")
        it.press()
        await it.until_state(State.RECORDED, State.RECORDING)
        it.say(1)
    assert it.states() == [State.UNSENT, State.UNSENT]
    async with client(tmp_path, fake.url, phrase) as it:
        await it.until_state(State.KEPT, State.KEPT)
        assert it.desktop.typed == []
        await it.until_shown("late, and not typed: w0 w1;")
    assert [record.text for record in read_journal(it.folder)] == [heard(0, 2), heard(2, 4)]


async def test_a_text_that_is_being_typed_at_the_end_is_typed_whole_and_noted(
    tmp_path, fake, phrase
):
    typing, go_on = threading.Event(), threading.Event()

    class Slow(FakeDesktop):
        def type(self, strokes, into):
            typing.set()
            assert go_on.wait(PATIENCE_S)
            return super().type(strokes, into)

    desktop, settings = Slow(), {"archive": True, "archive_folder": tmp_path / "archive"}
    async with client(tmp_path, fake.url, phrase, desktop=desktop, **settings) as it:
        await it.dictate(1)
        await it.until(typing.is_set, "the typing")
        it.app.end()
        await asyncio.sleep(0.2)
        go_on.set()
    assert (desktop.typed, it.states()) == ([(EDITOR.id, heard(0, 2))], [State.DELIVERED])
    assert len(list((tmp_path / "archive").glob("*/*/assets/*.mp3"))) == 1


async def test_late_texts_are_typed_if_they_shall_be(tmp_path, fake, phrase, unused_port):
    async with client(tmp_path, f"ws://127.0.0.1:{unused_port}", phrase) as it:
        await it.dictate(1)
        await it.until_shown("is kept")
    async with client(tmp_path, fake.url, phrase, late="type") as it:
        assert await it.until_typed(1) == [(EDITOR.id, heard(0, 2))]


async def test_a_microphone_that_is_lost_is_told_of_and_one_that_is_there_again(
    tmp_path, fake, phrase
):
    async with client(tmp_path, fake.url, phrase) as it:
        it.sound.refused = "it is gone"
        it.sound.stream.listener.ended()
        await it.until_shown("is gone; waiting for it")
        it.sound.refused = None
        await it.until(lambda: any(not each.is_closed for each in it.sound.streams), "a stream")
        it.silence(0.1)
        await it.until_shown("the microphone is there")


async def test_without_a_microphone_a_key_tells_why_nothing_is_recorded(tmp_path, fake, phrase):
    sound = Sound(refused="there is none")
    async with client(tmp_path, fake.url, phrase, sound=sound) as it:
        it.press()
        await it.until_shown("nothing was recorded: there is none")
        it.release()
        await it.until_state(State.CANCELLED)


async def test_a_pause_lets_go_of_keys_and_microphone_and_goes_on(tmp_path, fake, phrase):
    async with client(tmp_path, fake.url, phrase) as it:
        it.app.pause(True)
        await it.until_shown("paused")
        assert it.keys.told[-1] == "stop"
        assert all(stream.is_closed for stream in it.sound.streams)
        it.app.pause(False)
        await it.until_shown("listening again")
        await it.dictate(1)
        assert await it.until_typed(1) == [(EDITOR.id, heard(0, 2))]


async def test_texts_are_corrected_archived_and_sent_on(tmp_path, fake, phrase):
    (tmp_path / "config.py").touch()
    (tmp_path / "hot-rule.txt").write_text("w1 = one\n")
    received: asyncio.Queue = asyncio.Queue()

    class Listener(asyncio.DatagramProtocol):
        def datagram_received(self, data, address):
            received.put_nowait(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Listener, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    settings = {
        "archive": True,
        "archive_folder": tmp_path / "archive",
        "broadcast": f"127.0.0.1:{port}/plain",
        "applications": [{"process": "ed*", "output": "paste"}],
    }
    async with client(tmp_path, fake.url, phrase, **settings) as it:
        await it.dictate(1)
        assert await it.until_typed(1) == [(EDITOR.id, "pasted w0 one")]
        data = await asyncio.wait_for(received.get(), PATIENCE_S)
        assert data == b"w0 one"
    transport.close()
    [page] = (tmp_path / "archive").glob("*/*/*.md")
    assert "w0 one" in page.read_text()
    assert len(list((tmp_path / "archive").glob("*/*/assets/*.mp3"))) == 1
    [record] = read_journal(it.folder)
    assert (record.text, record.typed) == ("w0 w1", "w0 one")


async def test_no_password_is_typed_and_its_text_is_in_the_history(tmp_path, fake, phrase):
    async with client(tmp_path, fake.url, phrase) as it:
        it.desktop.is_secret = True
        await it.dictate(1)
        await it.until_shown("a password is being asked for")
        await it.until_state(State.UNCERTAIN)
        assert (it.desktop.typed, it.desktop.clipboard) == ([], [])


@asynccontextmanager
async def client_with_role(folder, url, phrase, **settings):
    """A client whose texts are all for a role."""
    (folder / "roles").mkdir()
    async with language_model.running() as model:
        (folder / "roles" / "polish.toml").write_text(
            f'default = true\nprompt = "Polish."\nmodel = "m"\nbase_url = "{model.url}"\n'
        )
        async with client(folder, url, phrase, roles=str(folder / "roles"), **settings) as it:
            yield it, model


async def test_an_answer_of_a_role_is_typed_as_it_comes(tmp_path, fake, phrase):
    async with client_with_role(tmp_path, fake.url, phrase) as (it, model):
        await it.dictate(1)
        typed = await it.until_typed(2)
        assert "".join(text for _, text in typed) == "Hello there"
        await it.until_state(State.DELIVERED)
        assert model.asked[0]["messages"][1]["content"] == heard(0, 2)


async def test_escape_stops_an_answer(tmp_path, fake, phrase):
    async with client_with_role(tmp_path, fake.url, phrase) as (it, model):
        model.parts = [language_model.event("Hello"), language_model.STALL]
        await it.dictate(1)
        await it.until_typed(1)
        await it.until(lambda: it.keys.told[-1] == "claim", "Esc")
        it.keys.emit(Press("esc", it.now))
        await it.until_state(State.DELIVERED)
        assert it.keys.told[-1] == "unclaim"
        assert [text for _, text in it.desktop.typed] == ["Hello"]


async def test_the_plain_text_is_typed_where_the_role_does_not_answer(tmp_path, fake, phrase):
    async with client_with_role(tmp_path, fake.url, phrase) as (it, model):
        model.parts = [language_model.CUT]
        await it.dictate(1)
        assert await it.until_typed(1) == [(EDITOR.id, heard(0, 2))]
        await it.until_shown("polish: ")
