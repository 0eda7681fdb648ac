"""Who is let in, as a table, and on a real server over real sockets."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys

import httpx
import pytest
import trustme
from capswriter_clients import frame, read_to_final
from servers import serving_fake
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from capswriter.client.connection import connect as connect_as_client
from capswriter.client.errors import Refused
from capswriter.client.server import find_server
from capswriter.server.gate import Caller, Rules, decide

TOKEN = "s3cr3t+/=token"
HERE = "127.0.0.1:6016"


def status(rules: Rules, path: str = "/", query: bytes = b"", scheme: str = "ws", **headers) -> int:
    """Say what a caller is answered; 200 where it is let in."""
    named = {
        name: [each.encode("latin-1") for each in ([value] if isinstance(value, str) else value)]
        for name, value in headers.items()
    }
    refusal = decide(rules, Caller(path, named, query, scheme))
    return 200 if refusal is None else refusal.status


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        (None, HERE, 200),
        ("http://127.0.0.1:6016", HERE, 200),
        ("HTTP://LOCALHOST:6016", "localhost:6016", 200),
        ("http://[::1]:6016", "[::1]:6016", 200),
        ("http://localhost", "localhost", 200),
        ("http://localhost:6016", HERE, 403),
        ("http://127.0.0.1:8000", HERE, 403),
        ("https://evil.example", HERE, 403),
        ("http://127.0.0.1:6016.evil.example", HERE, 403),
        ("http://127.0.0.1:6016@evil.example", HERE, 403),
        ("http://127.0.0.1:6016/", HERE, 403),
        ("null", HERE, 403),
        ("", HERE, 403),
        ("file://", HERE, 403),
        ("chrome-extension://127.0.0.1:6016", HERE, 403),
        (["http://127.0.0.1:6016", "http://evil.example"], HERE, 403),
        ("http://127.0.0.1:6016", [], 403),
        (None, [], 200),
        ("http://evil.example:6016", "evil.example:6016", 421),
        (None, "evil.example:6016", 421),
        (None, "localhost.evil.example", 421),
        (None, "127.0.0.1:port", 421),
        (None, [HERE, "evil.example"], 421),
    ],
)
def test_pages_and_names_on_a_server_for_this_computer(origin, host, expected):
    headers = {"host": host} if origin is None else {"host": host, "origin": origin}
    assert status(Rules(), **headers) == expected


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        (None, "speech.lan:6016", 200),
        (None, "any.other.name", 200),
        ("http://speech.lan:6016", "speech.lan:6016", 200),
        ("http://192.0.2.7:6016", "192.0.2.7:6016", 200),
        ("http://rebound.example:6016", "rebound.example:6016", 403),
        ("https://evil.example", "192.0.2.7:6016", 403),
    ],
)
def test_pages_and_names_on_a_server_for_the_network(origin, host, expected):
    rules = Rules(host="Speech.LAN", loopback_only=False)
    headers = {"host": host} if origin is None else {"host": host, "origin": origin}
    assert status(rules, **headers) == expected


def test_an_allowed_origin_may_come_and_its_name_is_ours():
    rules = Rules(allowed_origins=("https://app.example", "tauri://localhost"))
    assert status(rules, host="app.example", origin="https://app.example") == 200
    assert status(rules, host=HERE, origin="https://App.example") == 200
    assert status(rules, host=HERE, origin="tauri://localhost") == 200
    assert status(rules, host=HERE, origin="http://app.example") == 403
    assert status(rules, host=HERE, origin="https://app.example:8443") == 403
    assert status(rules, host=HERE, origin="null") == 403


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        (b"", {}, 401),
        (b"", {"authorization": f"Bearer {TOKEN}"}, 200),
        (b"", {"authorization": f"bearer {TOKEN}"}, 200),
        (b"", {"authorization": f"Bearer {TOKEN}x"}, 401),
        (b"", {"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        (b"", {"authorization": "Bearer "}, 401),
        (b"", {"authorization": "Bearer ü"}, 401),
        (b"", {"authorization": TOKEN}, 401),
        (b"", {"authorization": f"Basic {TOKEN}"}, 401),
        (b"", {"authorization": [f"Bearer {TOKEN}", "Bearer other"]}, 401),
        (b"", {"cookie": f"token={TOKEN}"}, 401),
        (b"", {"x-token": TOKEN}, 401),
        (b"", {"sec-websocket-protocol": TOKEN}, 401),
        (b"token=s3cr3t+/=token", {}, 200),
        (b"x=1&token=s3cr3t%2B%2F%3Dtoken", {}, 200),
        (b"token=s3cr3t+/=token&token=other", {}, 401),
        (b"token=", {}, 401),
        (b"token", {}, 401),
        (b"TOKEN=s3cr3t+/=token", {}, 401),
        (b"access_token=s3cr3t+/=token", {}, 401),
        (b"token=s3cr3t+/=token", {"authorization": "Bearer other"}, 401),
        (b"token=s3cr3t+/=token", {"authorization": "Basic eDp5"}, 200),
    ],
)
def test_where_a_token_counts(query, headers, expected):
    rules = Rules(TOKEN)
    assert status(rules, "/ws/asr", query, host=HERE, **headers) == expected
    assert status(rules, "/stats", query, "http", host=HERE, **headers) == expected


def test_health_and_readiness_need_no_token_but_a_socket_there_does():
    rules = Rules(TOKEN)
    for path in ("/health", "/ready"):
        assert status(rules, path, scheme="http", host=HERE) == 200
        assert status(rules, path, scheme="https", host=HERE) == 200
        assert status(rules, path, scheme="ws", host=HERE) == 401
        assert status(rules, path + "/", scheme="http", host=HERE) == 401
    assert status(rules, "/ready", scheme="http", host=HERE, origin="http://evil.example") == 403
    assert status(rules, f"/{TOKEN}", host=HERE) == 401


async def refused(url: str, **options) -> httpx.Headers:
    with pytest.raises(InvalidStatus) as caught:
        await connect(url, **options)
    response = caught.value.response
    return response.status_code, response.headers.get("WWW-Authenticate")


async def hears(url: str, **options) -> bool:
    async with connect(url, **options) as socket:
        await socket.send(frame("t", "mic", bytes(3200), is_final=True))
        return (await asyncio.wait_for(read_to_final(socket), 20)).text == ""


@pytest.mark.anyio
async def test_a_server_with_a_token_lets_in_who_knows_it_and_logs_it_nowhere():
    with serving_fake(token="abc123", log_level="debug") as server:
        assert await hears(server.url, additional_headers={"Authorization": "Bearer abc123"})
        assert await hears(server.url + "/?token=abc123")
        for url in ("/", "/abc123", "/?token=abc124", "/?token=", "/health", "/ready"):
            assert await refused(server.url + url) == (401, "Bearer")
        wrong = {"Authorization": "Bearer abc1234", "Cookie": "token=abc123"}
        assert await refused(server.url, additional_headers=wrong) == (401, "Bearer")
        async with httpx.AsyncClient(base_url=server.http) as http:
            for path, headers, expected in (
                ("/", {}, 401),
                ("/no/such/page", {}, 401),
                ("/", {"Authorization": "Bearer abc123"}, 200),
                ("/?token=abc123", {}, 200),
                ("/?token=abc124", {}, 401),
                ("/stats", {}, 401),
                ("/metrics", {}, 401),
                ("/ready", {}, 200),
                ("/health", {}, 200),
            ):
                reply = await http.get(path, headers=headers)
                assert (path, reply.status_code) == (path, expected)
                assert (reply.headers.get("WWW-Authenticate") == "Bearer") == (expected == 401)
        with pytest.raises(Refused, match="CAPSWRITER_CLIENT_TOKEN"):
            await find_server(server.url)
        with pytest.raises(Refused, match="does not accept this token"):
            await find_server(server.url, token="abc124")
        found = await find_server(server.url, token="abc123")
        assert "abc123" not in repr(found)
        async with connect_as_client(found):
            pass
        found.token = "abc124"
        with pytest.raises(Refused, match="does not accept this token"):
            async with connect_as_client(found):
                pass
    assert not [line for line in server.log if "abc12" in line]


@pytest.mark.anyio
async def test_foreign_pages_are_refused_and_our_own_let_in():
    with serving_fake(allowed_origins="https://app.example") as server:
        assert await hears(server.url, origin=server.http)
        assert await hears(server.url, origin="https://app.example")
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
            assert await refused(server.url, origin=origin) == (403, None)
        port = server.url.rpartition(":")[2]
        async with httpx.AsyncClient(base_url=server.http) as http:
            for headers, expected in (
                ({"Origin": "https://evil.example"}, 403),
                ({"Origin": "null"}, 403),
                ({"Origin": server.http}, 200),
                ({"Host": f"rebound.example:{port}"}, 421),
                ({"Host": f"localhost:{port}"}, 200),
            ):
                assert (await http.get("/", headers=headers)).status_code == expected
            reply = await http.get("/", headers={"Origin": "https://app.example"})
            assert reply.headers["Access-Control-Allow-Origin"] == "https://app.example"


def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "capswriter", "serve", "--port", "0", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env=os.environ | environment,
        check=False,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_the_network_is_not_let_in_without_a_token(host):
    done = start("--host", host)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert all(way in line for way in (host, "--token", "CAPSWRITER_TOKEN", "--allow-anonymous"))


@pytest.mark.parametrize("content", ["", "\n", "two words\n", "zwölf"])
def test_a_token_file_without_a_token_is_one_line(tmp_path, content):
    path = tmp_path / "token"
    path.write_text(content, encoding="utf-8")
    done = start("--host", "0.0.0.0", "--token-file", str(path))
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert str(path) in line
    assert "no token" in line


@pytest.mark.anyio
async def test_the_network_is_let_in_with_a_token_or_if_everybody_may(tmp_path):
    path = tmp_path / "token"
    path.write_text("from-a-file\n")
    with serving_fake(host="0.0.0.0", token_file=path) as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        assert await refused(url) == (401, "Bearer")
        assert await hears(url + "?token=from-a-file")
    with serving_fake(host="0.0.0.0", allow_anonymous=True) as server:
        assert await hears(server.url.replace("0.0.0.0", "127.0.0.1"))


@pytest.mark.anyio
async def test_tls_serves_wss_and_https_on_the_same_port(tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with serving_fake(tls_cert=cert, tls_key=key) as server:
        assert server.url.startswith("wss://")
        assert await hears(server.url, ssl=trusting)
        assert await hears(server.url, ssl=trusting, origin=server.url.replace("wss", "https"))
        async with httpx.AsyncClient(verify=trusting) as http:
            reply = await http.get(server.url.replace("wss", "https"))
            assert reply.json()["name"] == "CapsWriter Server"
        with pytest.raises(Refused, match="not trusted"):
            await find_server(server.url)
    done = start("--tls-cert", str(cert))
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if line.startswith("capswriter: ")]
    assert str(cert) in line
