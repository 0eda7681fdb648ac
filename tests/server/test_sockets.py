"""Connections that say nothing, say it slowly, or do not read; nobody else may notice them."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import capswriter_clients as clients
import psutil
import pytest
from capswriter_clients import frame
from marked_speech import marked
from servers import serving_fake
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Frame, Opcode

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def spoken(second):
    return marked(second)


def say_at_length(directory, letters: int) -> None:
    """Have a word of so many letters heard every half second."""
    words = [["x" * letters, n / 2 + 0.1, n / 2 + 0.3] for n in range(400)]
    (directory / "words.json").write_text(json.dumps({"period": 200, "words": words}))


def is_open(pid: int, port: int) -> bool:
    """Tell whether the server still holds a connection to a client's port."""
    connections = psutil.Process(pid).net_connections("tcp")
    return any(each.raddr and each.raddr.port == port for each in connections)


async def until(condition, seconds: float) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        await asyncio.sleep(0.05)
    return time.monotonic() - began


def narrow(url: str) -> socket.socket:
    """Connect with next to no room for what arrives."""
    host, port = url.removeprefix("ws://").split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((host, int(port)))
    return connection


async def test_a_reader_that_stops_is_cut_off_and_nobody_else_notices(tmp_path, spoken, second):
    say_at_length(tmp_path, 20_000)
    with serving_fake("marked_engine:load", tmp_path, slow_reader_timeout=1) as server:
        connection = narrow(server.url)
        port = connection.getsockname()[1]
        async with connect(server.url, sock=connection, close_timeout=0.1) as stuck:
            stuck.transport.pause_reading()
            await stuck.send(frame("stuck", "file", spoken.tobytes(), is_final=True))
            answer = await asyncio.wait_for(clients.v2_6_file(server.url, spoken), 20)
            assert len(answer.text) > 1_000_000
            took = await until(lambda: not is_open(server.pid, port), 10)
            assert "read nothing for 1 s" in "".join(server.log)
            print(f"closed {took:.1f} s after another client had its text")
            stuck.transport.abort()


async def test_a_reader_that_is_only_slow_gets_everything(tmp_path, spoken):
    say_at_length(tmp_path, 5_000)
    with serving_fake("marked_engine:load", tmp_path, slow_reader_timeout=1) as server:
        connection = narrow(server.url)
        async with connect(
            server.url, sock=connection, max_size=None, max_queue=1, close_timeout=0.1
        ) as slow:
            await slow.send(frame("slow", "file", spoken.tobytes(), is_final=True))
            began, text = time.monotonic(), ""
            reading = asyncio.create_task(clients.read_to_final(slow))
            while not reading.done():  # in sips, for longer than the limit in all
                slow.transport.pause_reading()
                await asyncio.sleep(0.005)
                slow.transport.resume_reading()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            text = (await reading).text
            assert len(text) > 500_000
            assert time.monotonic() - began > 2


async def test_pings_that_nobody_reads_the_answers_of_are_not_hoarded(tmp_path):
    with serving_fake(slow_reader_timeout=2) as server:
        connection = narrow(server.url)
        port = connection.getsockname()[1]
        async with connect(server.url, sock=connection, close_timeout=0.1) as pinging:
            pinging.transport.pause_reading()
            ping = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 1000
            began = time.monotonic()
            while is_open(server.pid, port) and not pinging.transport.is_closing():
                assert time.monotonic() - began < 15
                pinging.transport.write(ping)
                await asyncio.sleep(0.02)
            pinging.transport.abort()
        assert "read nothing for 2 s" in "".join(server.log)
        waiting = [line for line in server.log if "bytes wait" in line]
        assert int(waiting[0].rsplit(", and ")[1].split()[0]) < 1_000_000


async def test_silent_connections_end_and_an_active_client_gets_its_text(tmp_path, spoken):
    say_at_length(tmp_path, 3)
    with serving_fake(
        "marked_engine:load", tmp_path, handshake_timeout=2, max_connections=100
    ) as server:
        host, port = server.url.removeprefix("ws://").split(":")
        began = time.monotonic()
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(300)]
        drip = [await asyncio.open_connection(host, int(port)) for _ in range(3)]
        dripping = [asyncio.create_task(drop_by_drop(writer)) for _, writer in drip]
        text = (await asyncio.wait_for(clients.v2_6_file(server.url, spoken), 20)).text
        assert len(text) > 100
        ended = [asyncio.wait_for(reader.read(), 10) for reader, _ in [*silent, *drip]]
        results = await asyncio.gather(*ended, return_exceptions=True)
        assert all(isinstance(each, ConnectionError) or each == b"" for each in results)
        assert time.monotonic() - began < 8
        for task in dripping:
            task.cancel()
        for _, writer in [*silent, *drip]:
            writer.close()


async def drop_by_drop(writer) -> None:
    for byte in b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"x" * 1000:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.2)


async def test_a_frame_that_takes_long_to_arrive_is_not_silence():
    with serving_fake(ws_timeout=1) as server:
        async with connect(server.url) as slow:
            await slow.send(frame("t", "mic", bytes(3200), encoding="f32le"))
            last = frame("t", "mic", b"", is_final=True, encoding="f32le").encode()
            step = len(last) // 12 + 1
            data = Frame(Opcode.TEXT, last).serialize(mask=True)
            for start in range(0, len(data), step):
                slow.transport.write(data[start : start + step])
                await asyncio.sleep(0.2)
            assert (await asyncio.wait_for(clients.read_to_final(slow), 5)).text == ""


async def test_a_first_message_can_have_a_deadline():
    with serving_fake(first_message_timeout=0.5) as server:
        async with connect(server.url) as silent, connect(server.url) as speaking:
            await speaking.send(frame("t", "mic", bytes(3200), is_final=True))
            with pytest.raises(ConnectionClosedError) as closed:
                await asyncio.wait_for(silent.recv(), 3)
            assert "in the first 0.5 s" in closed.value.rcvd.reason
            await clients.read_to_final(speaking)
            await asyncio.sleep(0.7)
            await speaking.send(frame("u", "mic", bytes(3200), is_final=True))
            await clients.read_to_final(speaking)


async def test_a_message_in_many_fragments_is_one_message():
    with serving_fake() as server:
        async with connect(server.url) as client:
            whole = frame("t", "mic", bytes(3200), is_final=True)
            await client.send(whole[at : at + 7] for at in range(0, len(whole), 7))
            assert (await asyncio.wait_for(clients.read_to_final(client), 5)).text == ""


async def test_an_idle_socket_takes_little_memory():
    with serving_fake(max_connections=600) as server:
        async with connect(server.url):  # what is loaded at the first
            await asyncio.sleep(0.2)
        process, count = psutil.Process(server.pid), 500
        before = process.memory_info().rss
        sockets = [await connect(server.url, ping_interval=None) for _ in range(count)]
        await asyncio.sleep(0.5)
        each = (process.memory_info().rss - before) / count / 1000
        await asyncio.gather(*(one.close() for one in sockets))
        print(f"{each:.1f} kB for each of {count} idle sockets")
        assert each < 22  # 18 kB on Linux with Python 3.11
