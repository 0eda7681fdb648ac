"""Texts and commands by UDP, through real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from contextlib import contextmanager

import pytest

from capswriter.dictation.broadcast import (
    LOOPBACK,
    MOST_COMMAND,
    Broadcast,
    Control,
    NoBroadcast,
    Target,
)
from capswriter.dictation.shortcuts import Command
from capswriter.errors import UsageError

pytestmark = pytest.mark.anyio

PATIENCE_S = 30.0
TOKEN = "a token that is long enough"


@contextmanager
def listener(host: str = LOOPBACK):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as taker:
        taker.bind((host, 0))
        taker.settimeout(PATIENCE_S)
        yield taker, taker.getsockname()[1]


async def test_a_text_arrives_as_json_and_plain():
    with listener() as (one, port), listener() as (other, other_port):
        targets = (Target(port=port), Target(port=other_port, form="plain"))
        async with Broadcast(targets) as broadcast:
            broadcast.send('他说 "hello"\n👋', 1_800_000_000.5)
        assert json.loads(one.recv(65536)) == {
            "text": '他说 "hello"\n👋',
            "time": 1_800_000_000.5,
            "part": 1,
            "parts": 1,
        }
        assert other.recv(65536).decode() == '他说 "hello"\n👋'


async def test_a_long_text_arrives_in_pieces_of_whole_characters():
    text = "长句子👋" * 5_000
    with listener() as (one, port), listener() as (other, other_port):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        targets = (Target(port=port), Target(port=other_port, form="plain"))
        async with Broadcast(targets) as broadcast:
            broadcast.send(text, 0.0)
        first = json.loads(one.recv(65536))
        rest = [json.loads(one.recv(65536)) for _ in range(first["parts"] - 1)]
        plain = [other.recv(65536) for _ in range(first["parts"])]
    assert "".join(each["text"] for each in (first, *rest)) == text
    assert [each["part"] for each in (first, *rest)] == list(range(1, first["parts"] + 1))
    assert b"".join(plain).decode() == text
    assert max(map(len, plain)) <= 8_000


async def test_ipv6_works_as_well():
    try:
        with listener("::1") as (taker, port):
            async with Broadcast((Target("::1", port, "plain"),)) as broadcast:
                broadcast.send("six", 0.0)
            assert taker.recv(100) == b"six"
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


async def test_nobody_listening_and_a_broken_net_raise_nothing(caplog):
    with listener() as (_, port):
        pass
    targets = (Target(port=port), Target("255.255.255.255", 0))
    async with Broadcast(targets) as broadcast:
        for _ in range(3):
            broadcast.send("into the void", 0.0)
    told = [line for line in caplog.messages if "cannot be sent" in line]
    assert len(told) == 1


async def test_texts_that_leave_this_computer_are_told(caplog):
    async with Broadcast((Target("192.0.2.1"),)):
        pass
    assert "192.0.2.1" in caplog.text
    caplog.clear()
    async with Broadcast((Target("127.255.255.255"), Target("localhost"))):
        pass
    assert caplog.messages == []


async def test_a_host_that_is_none_is_one_line():
    with pytest.raises(NoBroadcast, match=r"no host nowhere\.invalid"):
        async with Broadcast((Target("nowhere.invalid"),)):
            pass


# Commands


async def until(true) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


async def sent(control: Control, *datagrams: bytes) -> None:
    """Send datagrams, and wait until each was looked at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            before = control.taken + control.ignored
            sender.sendto(datagram, control.address)
            await until(lambda before=before: control.taken + control.ignored > before)


async def test_commands_are_taken_as_capswriter_takes_them():
    asked: list[Command] = []
    async with Control(asked.append, port=0) as control:
        assert control.address[0] == LOOPBACK
        await sent(control, b"START", b" stop\r\n", b"Cancel", b"TOGGLE")
    assert asked == [Command.START, Command.STOP, Command.CANCEL, Command.TOGGLE]
    assert (control.taken, control.ignored) == (4, 0)


async def test_what_is_no_command_is_counted_and_told_once(caplog):
    asked: list[Command] = []
    caplog.set_level(logging.WARNING)
    nonsense = (
        b"",
        b" ",
        b"\xff\xfe",
        b"DELETE",
        b"START now",
        b"START\0",
        b"START" + b" " * MOST_COMMAND,
        b"x" * 60_000,
    )
    async with Control(asked.append, port=0) as control:
        await sent(control, *nonsense, b"START")
    assert asked == [Command.START]
    assert control.ignored == len(nonsense)
    assert len(caplog.messages) == 1


async def test_a_token_is_wanted_where_there_is_one():
    asked: list[Command] = []
    async with Control(asked.append, port=0, token=TOKEN) as control:
        await sent(control, b"START", b"wrong START", TOKEN.encode(), f"{TOKEN} STOP".encode())
        assert control.ignored == 3
    assert asked == [Command.STOP]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_other_computers_need_a_token(host):
    for token in (None, "", "short"):
        with pytest.raises(UsageError, match="token"):
            Control(lambda _: None, host=host, token=token)
    Control(lambda _: None, host=host, token=TOKEN)


async def test_every_address_may_be_listened_on_with_a_token():
    asked: list[Command] = []
    async with Control(asked.append, host="0.0.0.0", port=0, token=TOKEN) as control:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(f"{TOKEN} START".encode(), (LOOPBACK, control.address[1]))
            await until(lambda: asked)
    assert asked == [Command.START]


async def test_a_taken_port_is_one_line():
    with listener() as (_, port), pytest.raises(NoBroadcast, match=f"port {port} .*another port"):
        async with Control(lambda _: None, port=port):
            pass


async def test_the_port_is_free_again_at_the_end():
    async with Control(lambda _: None, port=0) as control:
        port = control.address[1]
    async with Control(lambda _: None, port=port):
        pass


async def test_a_command_that_fails_does_not_end_it():
    asked: list[Command] = []

    def ask(command: Command) -> None:
        asked.append(command)
        if len(asked) == 1:
            raise RuntimeError("a bug")

    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with Control(ask, port=0) as control:
        await sent(control, b"START", b"STOP")
    assert len(asked) == 2
