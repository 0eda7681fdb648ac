"""One file against servers of every kind, on real sockets."""

from __future__ import annotations

import time
from http import HTTPStatus

import anyio
import pytest
from client.emulated import (
    V1_0,
    V2,
    V2_0,
    Closing,
    Deaf,
    Dropping,
    Failing,
    Insistent,
    Short,
    Silent,
    Strange,
    Strict,
    V2x,
    make_truncated,
    make_wav,
    serving,
)

from capswriter.audio.decode import DecodeFailed
from capswriter.client.errors import Busy, Lost, NoServer, Refused
from capswriter.client.errors import Silent as SilentServer
from capswriter.client.server import Takes, find_server
from capswriter.client.transcribe import Patience, Wish, transcribe
from capswriter.protocols.capswriter import Dialect

pytestmark = pytest.mark.anyio

QUICK = Patience(silence=1.0, pauses=(0.01, 0.02), busy_pauses=(0.01, 0.02))


class Notes:
    def __init__(self):
        self.covers = []
        self.retries = []

    def covered(self, seconds, total):
        self.covers.append((seconds, total))

    def again(self, reason, pause):
        self.retries.append((reason, pause))


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def wav(tmp_path):
    return lambda seconds: make_wav(tmp_path / "a.wav", seconds)


@pytest.fixture
def heard(notes):
    """Transcribe one file with an emulated server."""

    async def heard(emulated, path, **options):
        async with serving(emulated) as url:
            server = await find_server(url)
            with anyio.fail_after(30):
                options = {"patience": QUICK, **options}
                return await transcribe(path, server, notes, **options)

    return heard


async def test_our_server_gets_frames_of_v2_and_the_number_of_samples(heard, wav, notes):
    emulated = V2()
    done = await heard(emulated, wav(100), wish=Wish("zh", "names"))
    assert (done.transcript.text, done.transcript.language) == ("Hello, world.", "zh")
    assert (done.seconds, done.problem) == (100.0, None)
    [frames] = emulated.connections
    assert {frame["encoding"] for frame in frames} == {"f32le"}
    assert {(frame["language"], frame["context"]) for frame in frames} == {("chinese", "names")}
    assert max(frame["seconds"] for frame in frames) == 3.0
    assert [frame["is_final"] for frame in frames] == [False] * 34 + [True]
    assert frames[-1]["samples_total"] == 1_600_000
    assert frames[-1]["seconds"] == 0
    assert notes.covers[0] == (0.0, 100.0)
    assert notes.covers[-1] == (100.0, 100.0)
    assert len(notes.covers) == 5


async def test_tokens_carry_the_server_s_times(heard, wav):
    done = await heard(V2(), wav(10))
    assert [(token.text, token.start) for token in done.transcript.tokens] == [
        ("Hello", 0.0),
        (",", 0.125),
        (" world", 0.375),
        (".", 0.5),
    ]


@pytest.mark.parametrize(("emulated", "text"), [(V2x(), "Hello, world."), (V2_0(), "你好。")])
@pytest.mark.parametrize("seconds", [10, 57, 60, 75, 200])
async def test_capswriter_2_gets_the_frames_of_v1(heard, wav, emulated, text, seconds):
    emulated.connections.clear()
    done = await heard(emulated, wav(seconds))
    assert (done.transcript.text, done.seconds, done.problem) == (text, seconds, None)
    frames = emulated.connections[0]
    assert all("encoding" not in frame and "samples_total" not in frame for frame in frames)
    assert all(type(frame["seg_overlap"]) is int for frame in frames)
    assert max(frame["seconds"] for frame in frames) <= 60


@pytest.mark.parametrize("seconds", [10, 56.9])
async def test_a_short_file_goes_to_an_unknown_server_as_one_frame(heard, wav, seconds):
    emulated = V1_0()
    done = await heard(emulated, wav(seconds))
    assert (done.transcript.text, done.seconds, done.problem) == ("你好。", seconds, None)
    [[frame]] = emulated.connections
    assert frame["is_final"]


@pytest.mark.parametrize("seconds", [57, 58, 60, 75, 81, 400])
async def test_capswriter_1_is_recognised_and_gets_the_whole_file_as_one_frame(heard, wav, seconds):
    emulated = V1_0()
    done = await heard(emulated, wav(seconds))
    assert (done.transcript.text, done.seconds, done.problem) == ("你好。", seconds, None)
    assert emulated.connections[-1][0]["seconds"] == seconds
    assert sum(frame["seconds"] for frame in emulated.connections[0][:-1]) <= 81


async def test_capswriter_1_is_remembered_for_the_next_file(wav, notes):
    emulated = V1_0()
    path = wav(100)
    async with serving(emulated) as url:
        server = await find_server(url)
        assert (server.dialect, server.takes) == (Dialect.V1, Takes.UNKNOWN)
        await transcribe(path, server, notes, patience=QUICK)
        assert server.takes is Takes.WHOLE
        before = len(emulated.connections)
        await transcribe(path, server, notes, patience=QUICK)
    assert [len(frames) for frames in emulated.connections[before:]] == [1]


async def test_capswriter_1_never_gets_two_files_at_once(wav, notes):
    class Counting(V1_0):
        now = most = 0

        async def serve(self, socket, frames):
            self.now += 1
            self.most = max(self.most, self.now)
            await super().serve(socket, frames)
            self.now -= 1

    emulated = Counting()
    path = wav(20)
    async with serving(emulated) as url:
        server = await find_server(url)
        server.takes = Takes.WHOLE
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(transcribe, path, server, notes)
    assert (emulated.most, len(emulated.connections)) == (1, 3)


async def test_capswriter_2_is_remembered_for_the_next_file(wav, notes):
    emulated = V2_0()
    async with serving(emulated) as url:
        server = await find_server(url)
        await transcribe(wav(100), server, notes, patience=QUICK)
        assert server.takes is Takes.FRAMES
        await transcribe(wav(10), server, notes, patience=QUICK)
    assert len(emulated.connections[1]) == 5


async def test_results_are_read_while_audio_is_sent(heard, wav):
    # More of both than the buffers in between hold.
    done = await heard(Insistent(), wav(300))
    assert done.problem is None


async def test_a_server_that_reads_slowly_holds_the_client_back(wav, notes):
    class Slow(V2):
        async def frames_of(self, socket, frames):
            async for frame in super().frames_of(socket, frames):
                await anyio.sleep(0.005)
                yield frame

    emulated = Slow()
    async with serving(emulated) as url:
        done = await transcribe(wav(300), await find_server(url), notes, patience=QUICK)
    assert done.problem is None


async def test_a_server_without_subprotocols_is_served(heard, wav):
    emulated = Strict()
    assert (await heard(emulated, wav(1))).problem is None
    assert len(emulated.connections) == 1


async def test_a_lost_connection_starts_the_file_over(heard, wav, notes):
    emulated = Dropping(2)
    done = await heard(emulated, wav(20))
    assert (done.problem, done.seconds) == (None, 20.0)
    assert notes.retries == [
        ("the connection to the server was lost", 0.01),
        ("the connection to the server was lost", 0.02),
    ]


async def test_a_connection_that_is_lost_for_good_fails_the_file(heard, wav):
    with pytest.raises(Lost, match=r"^the connection to the server was lost$"):
        await heard(Dropping(3), wav(20))


async def test_a_silent_server_fails_the_file_once_patience_is_over(heard, wav):
    emulated = Silent()
    began = time.monotonic()
    with pytest.raises(SilentServer) as caught:
        await heard(emulated, wav(600))
    assert str(caught.value) == (
        "the server said nothing for 1 s; if it is only slow, raise --timeout"
    )
    assert 1.0 <= time.monotonic() - began < 6.0
    assert len(emulated.connections) == 1


async def test_a_server_that_takes_no_more_fails_the_file_and_delays_nobody(wav, notes):
    emulated = Deaf()
    async with serving(emulated) as url:
        server = await find_server(url)
        with anyio.fail_after(8), pytest.raises(SilentServer):
            await transcribe(wav(600), server, notes, patience=QUICK)
        emulated.hung_up.set()


async def test_a_retryable_error_is_tried_again_when_the_server_says(heard, wav, notes):
    error = {"code": "overloaded", "message": "the queue is full", "retryable": True}
    done = await heard(Failing(2, **error, retry_after=0.03), wav(30))
    assert done.problem is None
    assert notes.retries == [("the server: the queue is full", 0.03)] * 2
    with pytest.raises(Busy, match=r"^the server: the queue is full$"):
        await heard(Failing(3, **error), wav(30))


async def test_any_other_error_fails_the_file_at_once(heard, wav):
    emulated = Failing(code="audio_too_long", message="at most 24 h", retryable=False)
    with pytest.raises(Refused, match=r"^the server: at most 24 h$"):
        await heard(emulated, wav(30))
    assert len(emulated.connections) == 1


async def test_a_refusal_by_closing_is_final_and_an_internal_error_is_not(heard, wav, notes):
    with pytest.raises(Refused, match=r"^the server refused the audio \(too big, 1009\)$"):
        await heard(Closing(1009, "too big"), wav(30))
    assert notes.retries == []
    with pytest.raises(Lost, match=r"^the server closed the connection \(1011\)$"):
        await heard(Closing(1011, ""), wav(30))
    assert len(notes.retries) == 2


async def test_a_full_house_is_tried_again_and_a_locked_one_is_not(heard, wav, notes):
    emulated = V2()
    emulated.refusals = [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS]
    assert (await heard(emulated, wav(1))).problem is None
    assert [pause for _, pause in notes.retries] == [0.0, 0.0]
    assert notes.retries[0][0].endswith(" is busy (HTTP 503)")
    emulated.refusals = [HTTPStatus.FORBIDDEN]
    with pytest.raises(Refused, match=r"does not let us in \(HTTP 403\)$"):
        await heard(emulated, wav(1))


async def test_an_answer_that_makes_no_sense_fails_the_file(heard, wav):
    with pytest.raises(Refused, match="makes no sense: the message is not JSON"):
        await heard(Strange(), wav(1))


async def test_audio_that_the_server_did_not_cover_is_a_problem_and_the_text_is_kept(heard, wav):
    done = await heard(Short(), wav(1800))
    assert done.problem.endswith("a.wav: the server covered 1,790.0 s of 1,800.0 s")
    assert done.transcript.text == "Hello, world."


async def test_an_end_that_comes_too_soon_is_a_problem(heard, wav):
    class Hasty(V2):
        async def serve(self, socket, frames):
            async for frame, seconds in self.frames_of(socket, frames):
                await self.final(socket, frame, seconds)
                return

    done = await heard(Hasty(), wav(1800))
    assert done.problem.endswith("a.wav: the server covered 3.0 s of 1,800.0 s")


async def test_a_truncated_file_gives_what_can_be_decoded_and_a_problem(heard, tmp_path):
    emulated = V2()
    done = await heard(emulated, make_truncated(tmp_path / "a.flac", 20, kept=0.5))
    assert 9 < done.seconds < 11
    assert done.transcript.text == "Hello, world."
    assert done.problem == (
        f"{tmp_path / 'a.flac'}: the file is damaged or incomplete: "
        f"{done.seconds:.1f} s of 20.0 s could be decoded"
    )
    assert emulated.connections[0][-1]["is_final"]


async def test_a_file_of_which_nothing_can_be_decoded_is_not_even_announced(heard, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF nothing of use")
    emulated = V2()
    with pytest.raises(DecodeFailed, match=r"a\.wav: not an audio or video file"):
        await heard(emulated, path)
    assert emulated.connections == []


async def test_nobody_there_says_what_to_do(unused_port):
    url = f"ws://user:secret@127.0.0.1:{unused_port}"
    with pytest.raises(NoServer) as caught:
        await find_server(url)
    assert str(caught.value) == (
        f"no server answers at ws://127.0.0.1:{unused_port}; "
        "start one with 'capswriter serve', or use --local"
    )


async def test_a_server_that_goes_away_is_waited_for(wav, notes):
    emulated = V2()
    async with serving(emulated) as url:
        server = await find_server(url)
    port = int(url.rpartition(":")[2])
    found = []

    async def file():
        patience = Patience(pauses=(0.3, 0.3))
        found.append(await transcribe(wav(1), server, notes, patience=patience))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(file)
        await anyio.sleep(0.1)
        async with serving(emulated, port):
            while not found:
                await anyio.sleep(0.01)
    assert found[0].problem is None
    assert notes.retries[0][0].startswith("no server answers at ")


async def test_a_web_server_is_told_from_ours(unused_port, wav, notes):
    async def page(stream):
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=unused_port)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, page)
        server = await find_server(f"ws://127.0.0.1:{unused_port}")
        assert server.dialect is Dialect.V1
        with pytest.raises(Refused, match=r"is no CapsWriter server \(HTTP 200\)$"):
            await transcribe(wav(1), server, notes, patience=QUICK)
        tasks.cancel_scope.cancel()
    await listener.aclose()


async def test_cancelling_closes_the_socket(wav, notes):
    emulated = Silent()
    async with serving(emulated) as url:
        server = await find_server(url)
        with anyio.move_on_after(0.3):
            await transcribe(wav(1), server, notes)
        assert len(emulated.connections) == 1
