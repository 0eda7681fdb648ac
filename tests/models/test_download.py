"""A download survives bad servers, and never leaves a wrong file under its final name."""

import hashlib
import random
import shutil
import ssl
import subprocess
import time

import pytest

from capswriter.errors import UserError
from capswriter.models import download as module
from capswriter.models.checked import part_of
from capswriter.models.download import SourceFailed, connect, download
from capswriter.models.progress import silent

BODY = random.Random(7).randbytes(200_000)
SIZE = len(BODY)
DIGEST = hashlib.sha256(BODY).hexdigest()
OTHER = BODY[::-1]


@pytest.fixture
def target(tmp_path):
    return tmp_path / "folder" / "model.bin"


def fetch(url, target, *, size=SIZE, sha256=DIGEST, progress=silent):
    with connect() as client:
        download(client, url, target, size=size, sha256=sha256, progress=progress, pause=0.01)


def leave_part(target, body):
    target.parent.mkdir(parents=True)
    part_of(target).write_bytes(body)


def assert_arrived(target):
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("size", [len(BODY), None])
def test_a_file_arrives(web, target, size):
    web.serve("/f", BODY)
    fetch(f"{web.url}/f", target, size=size)
    assert_arrived(target)
    assert web.ranges_of("/f") == [None]


def test_progress_ends_at_the_total(web, target):
    web.serve("/f", BODY)
    told = []
    fetch(f"{web.url}/f", target, progress=lambda *step: told.append(step))
    assert told[0] == ("model.bin", 0, len(BODY))
    assert told[-1] == ("model.bin", len(BODY), len(BODY))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_cut_connections_are_resumed(web, target):
    web.serve("/f", BODY, cut_after=70_000)
    fetch(f"{web.url}/f", target)
    assert_arrived(target)
    assert web.ranges_of("/f") == [None, "bytes=70000-", "bytes=140000-"]


def test_what_another_process_left_is_resumed(web, target):
    web.serve("/f", BODY)
    leave_part(target, BODY[:150_000])
    fetch(f"{web.url}/f", target)
    assert_arrived(target)
    assert web.ranges_of("/f") == ["bytes=150000-"]


def test_a_whole_part_is_not_fetched_again(web, target):
    leave_part(target, BODY)
    fetch(f"{web.url}/f", target)
    assert_arrived(target)
    assert web.asked == []


@pytest.mark.parametrize("part", [OTHER[:150_000], OTHER, BODY + b"more"])
def test_the_part_of_another_file_is_thrown_away(web, target, part):
    web.serve("/f", BODY)
    leave_part(target, part)
    fetch(f"{web.url}/f", target)
    assert_arrived(target)
    assert web.ranges_of("/f")[-1] is None


@pytest.mark.parametrize(
    "fault", [{"ranges": False}, {"refuses_ranges": True}, {"range_offset": 10}], ids=str
)
def test_a_server_that_cannot_resume_sends_everything(web, target, fault):
    web.serve("/f", BODY, **fault)
    leave_part(target, BODY[:150_000])
    fetch(f"{web.url}/f", target)
    assert_arrived(target)


def test_a_whole_part_of_unknown_size_is_not_resumed_past_its_end(web, target):
    web.serve("/f", BODY, refuses_ranges=True)
    leave_part(target, BODY)
    fetch(f"{web.url}/f", target, size=None)
    assert_arrived(target)


def test_a_server_that_ignores_ranges_and_always_cuts_is_given_up(web, target):
    web.serve("/f", BODY, ranges=False, cut_after=70_000)
    with pytest.raises(SourceFailed, match="connection broke"):
        fetch(f"{web.url}/f", target)
    assert len(web.asked) <= module.ATTEMPTS + 1
    assert not target.exists()


def test_a_short_body_is_given_up_and_kept_for_another_source(web, target):
    web.serve("/f", BODY[:60_000])
    with pytest.raises(SourceFailed):
        fetch(f"{web.url}/f", target)
    assert not target.exists()
    assert part_of(target).read_bytes() == BODY[:60_000]


def test_a_length_longer_than_the_file_does_no_harm(web, target):
    web.serve("/f", BODY, declared=len(BODY) + 1000)
    fetch(f"{web.url}/f", target)
    assert_arrived(target)


def test_a_length_that_is_too_short_ends_an_answer_but_not_the_download(web, target):
    web.serve("/f", BODY, declared=80_000)
    fetch(f"{web.url}/f", target)
    assert_arrived(target)
    assert web.ranges_of("/f") == [None, "bytes=80000-", "bytes=160000-"]


@pytest.mark.parametrize("how", [{"length": False}, {"chunked": True}], ids=str)
@pytest.mark.parametrize("cut_after", [None, 90_000])
def test_without_a_length_the_files_own_counts(web, target, how, cut_after):
    web.serve("/f", BODY, cut_after=cut_after, **how)
    fetch(f"{web.url}/f", target)
    assert_arrived(target)
    ranges = [None] if cut_after is None else [None, "bytes=90000-", "bytes=180000-"]
    assert web.ranges_of("/f") == ranges


def test_without_any_length_the_hash_tells_that_the_end_is_missing(web, target):
    web.serve("/f", BODY, length=False, cut_after=90_000)
    with pytest.raises(SourceFailed, match="other bytes"):
        fetch(f"{web.url}/f", target, size=None)
    assert not target.exists()


def test_a_server_that_cannot_resume_and_tells_the_length_of_the_rest(web, target):
    # ModelScope does so with small files.
    web.serve("/f", BODY, ranges=False, declared_to_resume=50_000)
    leave_part(target, BODY[:150_000])
    fetch(f"{web.url}/f", target)
    assert_arrived(target)
    assert web.ranges_of("/f") == ["bytes=150000-", None]


@pytest.mark.parametrize("media_type", ["application/json", "text/html; charset=utf-8"])
@pytest.mark.parametrize("body", [b"{}", bytes(SIZE + 1)], ids=["shorter", "longer"])
def test_a_page_in_the_files_place_is_no_file(web, target, media_type, body):
    web.serve("/f", body, media_type=media_type, ranges=False)
    leave_part(target, BODY[:150_000])
    with pytest.raises(SourceFailed, match="sent a page instead of the file"):
        fetch(f"{web.url}/f", target)
    assert part_of(target).read_bytes() == BODY[:150_000]
    assert len(web.asked) == 1


@pytest.mark.parametrize("name", ["model.bin", "tokens.json"])
def test_a_file_may_be_of_the_type_of_a_page(web, tmp_path, name):
    web.serve("/f", BODY, media_type="application/json")
    fetch(f"{web.url}/f", tmp_path / name)
    assert (tmp_path / name).read_bytes() == BODY


def test_more_bytes_than_the_file_has_are_not_read(web, target):
    web.serve("/f", BODY + bytes(1_000_000))
    fetch(f"{web.url}/f", target)
    assert_arrived(target)


@pytest.mark.parametrize("body", [OTHER, OTHER + bytes(1_000_000)], ids=["other", "longer"])
def test_wrong_bytes_are_refused_and_deleted(web, target, body):
    web.serve("/f", body)
    with pytest.raises(SourceFailed, match="other bytes"):
        fetch(f"{web.url}/f", target)
    assert list(target.parent.iterdir()) == []
    assert len(web.asked) == 1


def test_wrong_bytes_over_cut_connections_end(web, target):
    web.serve("/f", OTHER, cut_after=90_000)
    with pytest.raises(SourceFailed, match="other bytes"):
        fetch(f"{web.url}/f", target)
    assert len(web.asked) <= 6


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_lasting_refusal_is_not_repeated(web, target, status):
    web.serve("/f", BODY, status=status)
    with pytest.raises(SourceFailed, match=f"HTTP {status}"):
        fetch(f"{web.url}/f", target)
    assert len(web.asked) == 1


def test_a_passing_refusal_is_repeated(web, target):
    web.serve("/f", BODY, failures=[503, 429])
    fetch(f"{web.url}/f", target)
    assert_arrived(target)


def test_a_refusal_that_does_not_pass_is_given_up(web, target):
    web.serve("/f", BODY, failures=[500] * 20)
    with pytest.raises(SourceFailed, match="HTTP 500"):
        fetch(f"{web.url}/f", target)
    assert len(web.asked) == module.ATTEMPTS


def test_a_redirect_is_followed_with_its_range(web, target):
    web.serve("/f", BODY)
    leave_part(target, BODY[:150_000])
    web.serve("/there", b"", status=302, headers={"Location": "/f"})
    fetch(f"{web.url}/there", target)
    assert_arrived(target)
    assert web.ranges_of("/f") == ["bytes=150000-"]


def test_an_unreachable_server_is_left_at_once(target):
    start = time.monotonic()
    with pytest.raises(SourceFailed, match="no connection"):
        fetch("http://127.0.0.1:9/f", target)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/f", "no address", "http://[::1"])
def test_an_address_that_is_none_is_a_reason_like_any_other(target, url):
    with pytest.raises(SourceFailed, match="not a usable address"):
        fetch(url, target)


def test_a_proxy_of_the_environment_is_used(web, target, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", web.url)
    web.serve("http://models.invalid/f", BODY)
    fetch("http://models.invalid/f", target)
    assert_arrived(target)


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:1", "http://[::1"])
def test_an_unusable_proxy_is_the_users_to_mend(monkeypatch, proxy):
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(UserError, match="HTTP_PROXY"):
        connect()


@pytest.fixture
def certificate(web, tmp_path):
    """Serve over TLS with a certificate that no system trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make a certificate with")
    path = tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", tmp_path / "key.pem", "-out", path]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, tmp_path / "key.pem")
    web.server.socket = context.wrap_socket(
        web.server.socket, server_side=True, do_handshake_on_connect=False
    )
    web.url = web.url.replace("http:", "https:")
    return path


@pytest.mark.parametrize("variable", module.CERTIFICATE_VARIABLES)
def test_a_certificate_of_the_users_network_is_trusted(
    web, target, certificate, monkeypatch, variable
):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv(variable, str(certificate))
    web.serve("/f", BODY)
    fetch(f"{web.url}/f", target)
    assert_arrived(target)


def test_an_untrusted_certificate_is_refused_with_advice(web, target, certificate, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(SourceFailed, match="SSL_CERT_FILE"):
        fetch(f"{web.url}/f", target)


def test_certificates_that_cannot_be_read_are_the_users_to_mend(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "none.pem"))
    with pytest.raises(UserError, match="PIP_CERT names"):
        connect()
