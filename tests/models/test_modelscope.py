"""Models come from ModelScope, and what is only told there is checked and recorded."""

import json
import os
import time

import pytest

from capswriter.models import modelscope
from capswriter.models.catalogue import ModelScopeSource
from capswriter.models.errors import DownloadFailed, ModelCorrupt, ModelMissing
from capswriter.models.store import STAMP, ModelStore

SOURCE = ModelScopeSource("org/scoped", "v1.0", ("https://www.modelscope.cn",))


@pytest.fixture
def store(scoped):
    return ModelStore(models=scoped.models)


def spoil(path):
    body = bytearray(path.read_bytes())
    body[0] ^= 1
    path.write_bytes(body)
    os.utime(path, ns=(0, time.time_ns() + 1_000_000_000))


def asked(scoped):
    return [path for path, _ in scoped.web.asked]


def test_each_file_comes_from_its_own_repository(scoped, store):
    directory = store.pull("scoped")
    assert {path: (directory / path).read_bytes() for path in scoped.bodies} == scoped.bodies
    assert asked(scoped) == [
        "/api/v1/models/org/scoped/repo/files?Revision=v1.0&Recursive=true",
        "/api/v1/models/org/scoped/repo?Revision=v1.0&FilePath=model.bin",
        "/api/v1/models/org/scoped/repo?Revision=v1.0&FilePath=config.yaml",
        "/api/v1/models/org/words/repo?Revision=master&FilePath=tokens.model",
    ]
    assert store.status("scoped") == "installed"
    assert store.path("scoped") == store.verify("scoped") == directory


def test_a_path_is_quoted():
    url = modelscope.file_url("https://www.modelscope.cn", SOURCE, "a folder/b&c.bin")
    assert url.endswith("/repo?Revision=v1.0&FilePath=a+folder%2Fb%26c.bin")


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, "https://www.modelscope.cn"),
        ({"MODELSCOPE_DOMAIN": "www.modelscope.ai"}, "https://www.modelscope.ai"),
        ({"MODELSCOPE_DOMAIN": "http://10.0.0.1:80/ms/"}, "http://10.0.0.1:80/ms"),
        ({"MODELSCOPE_ENDPOINT": "https://mirror.example/"}, "https://mirror.example"),
        (
            {"MODELSCOPE_ENDPOINT": "https://mirror.example", "MODELSCOPE_DOMAIN": "x.example"},
            "https://mirror.example",
        ),
        ({"MODELSCOPE_ENDPOINT": "", "MODELSCOPE_DOMAIN": ""}, "https://www.modelscope.cn"),
    ],
)
def test_the_environment_names_the_site(monkeypatch, variables, endpoint):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert modelscope.endpoints(SOURCE) == (endpoint,)
    assert modelscope.page(SOURCE) == f"{endpoint}/models/org/scoped/files"


def test_a_mirror_is_asked_alone(scoped, store, monkeypatch):
    for path, page in list(scoped.web.pages.items()):
        scoped.web.pages[f"/mirror{path}"] = page
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"{scoped.web.url}/mirror")
    store.pull("scoped")
    assert all(path.startswith("/mirror/") for path in asked(scoped))


def test_a_large_file_is_redirected_and_resumed_where_the_connection_broke(scoped, store):
    url = scoped.url("model.bin")
    scoped.web.serve("/lfs/1234?auth_key=5", scoped.bodies["model.bin"], cut_after=200_000)
    headers = {"Location": f"{scoped.web.url}/lfs/1234?auth_key=5"}
    scoped.web.serve(url, b"", status=302, headers=headers)
    store.verify(store.pull("scoped").name)
    assert scoped.web.ranges_of(url) == [None, "bytes=200000-"]
    assert scoped.web.ranges_of("/lfs/1234?auth_key=5") == [None, "bytes=200000-"]


def test_files_that_the_catalogue_knows_need_no_listing(scoped, store):
    (store.pull("scoped") / "tokens.model").unlink()
    scoped.web.asked.clear()
    store.pull("scoped")
    assert asked(scoped) == [scoped.url("tokens.model")]


def refused(store):
    with pytest.raises(DownloadFailed) as failure:
        store.pull("scoped")
    assert "\n" not in str(failure.value)
    return str(failure.value)


@pytest.mark.parametrize("key", ["Size", "Sha256"])
def test_a_listing_that_lies_is_found_out(scoped, store, key):
    scoped.listed["model.bin"][key] = {"Size": 299_999, "Sha256": "0" * 64}[key]
    scoped.list()
    assert "127.0.0.1: sent other bytes than the published ones" in refused(store)
    assert store.status("scoped") == "incomplete"
    assert not (store.directory / "scoped" / "model.bin").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Sha256": None}, "does not tell the hash of config.yaml"),
        ({"Sha256": ""}, "does not tell the hash of config.yaml"),
        ({"Sha256": "../../etc/passwd"}, "does not tell the hash of config.yaml"),
        ({"Size": None}, "does not tell the hash of config.yaml"),
        ({"Size": "9"}, "does not tell the hash of config.yaml"),
        ({"Type": "tree"}, "does not list config.yaml"),
    ],
    ids=str,
)
def test_a_file_of_which_nothing_is_told_is_not_fetched(scoped, store, change, reason):
    scoped.listed["config.yaml"].update(change)
    scoped.list()
    assert f"127.0.0.1: {reason}" in refused(store)
    assert scoped.url("config.yaml") not in asked(scoped)


def test_a_file_that_is_not_listed_is_not_fetched(scoped, store):
    del scoped.listed["config.yaml"]
    scoped.list()
    message = refused(store)
    assert "127.0.0.1: does not list config.yaml" in message
    assert f"put config.yaml from {scoped.web.url}/models/org/scoped/files into " in message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>please log in</html>",
        b"[]",
        b'{"Code": 10010205001, "Message": "no such revision", "Success": false}',
        b'{"Data": null}',
        b'{"Data": {"Files": [{"Path": "model.bin"}]}}',
        b'{"Data": {"Files": ["model.bin"]}}',
    ],
    ids=str,
)
def test_a_listing_that_is_none_is_a_reason(scoped, store, body):
    scoped.listing.body = body
    assert "127.0.0.1: its list of files cannot be understood" in refused(store)
    assert not (store.directory / "scoped" / "model.bin").exists()


def test_without_a_listing_only_what_the_catalogue_knows_is_fetched(scoped, store):
    scoped.listing.status = 404
    message = refused(store)
    assert "127.0.0.1: HTTP 404" in message
    assert f"put model.bin, config.yaml from {scoped.web.url}/models/org/scoped/files" in message
    there = {file.name for file in (store.directory / "scoped").iterdir()}
    assert there == {"tokens.model", STAMP}


def test_what_the_listing_told_is_recorded_and_checked_from_then_on(scoped, store):
    directory = store.pull("scoped")
    stamp = json.loads((directory / STAMP).read_text())
    assert {path: seen["sha256"] for path, seen in stamp.items() if path in scoped.listed} == {
        path: entry["Sha256"] for path, entry in scoped.listed.items()
    }
    spoil(directory / "config.yaml")
    for _ in range(2):  # what is corrupt does not count as right the second time
        with pytest.raises(ModelCorrupt, match=r"config\.yaml"):
            store.path("scoped")
        with pytest.raises(ModelCorrupt, match=r"config\.yaml"):
            store.verify("scoped")
        assert store.status("scoped") == "corrupt"
    scoped.web.asked.clear()
    store.pull("scoped")
    assert asked(scoped) == [scoped.url("config.yaml")]
    store.verify("scoped")


def test_verify_hashes_what_looks_untouched(store):
    path = store.pull("scoped") / "model.bin"
    before = path.stat()
    spoil(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    store.path("scoped")
    for ask in (store.verify, store.path):
        with pytest.raises(ModelCorrupt, match=r"model\.bin"):
            ask("scoped")


def test_a_file_that_was_deleted_must_come_back_as_it_was(scoped, store):
    path = store.pull("scoped") / "config.yaml"
    path.unlink()
    with pytest.raises(ModelMissing, match=r"lacks config\.yaml"):
        store.path("scoped")
    path.write_bytes(b"layers: 2")
    assert store.status("scoped") == "corrupt"
    path.write_bytes(scoped.bodies["config.yaml"])
    assert store.status("scoped") == "installed"


def test_another_version_is_taken_only_after_the_model_was_removed(scoped, store):
    (store.pull("scoped") / "config.yaml").unlink()
    scoped.files["config.yaml"].body = b"layers: 2"
    scoped.listed["config.yaml"] = scoped.entry(b"layers: 2")
    scoped.list()
    assert "sent other bytes than the published ones" in refused(store)
    store.remove("scoped")
    assert (store.pull("scoped") / "config.yaml").read_bytes() == b"layers: 2"


def test_files_put_there_by_hand_count_as_they_are_found_first(scoped, store):
    directory = store.directory / "scoped"
    directory.mkdir(parents=True)
    for path, body in {**scoped.bodies, "model.bin": b"another export"}.items():
        (directory / path).write_bytes(body)
    assert store.path("scoped") == store.pull("scoped") == store.verify("scoped") == directory
    assert asked(scoped) == []
    spoil(directory / "model.bin")
    assert store.status("scoped") == "corrupt"


def test_by_hand_or_not_what_the_catalogue_knows_is_checked(scoped, store):
    directory = store.directory / "scoped"
    directory.mkdir(parents=True)
    for path in scoped.bodies:
        (directory / path).write_bytes(b"x y z")
    with pytest.raises(ModelCorrupt, match=r"corrupt \(tokens\.model in "):
        store.path("scoped")


def test_a_download_that_failed_half_way_recorded_what_came(scoped, store):
    scoped.files["config.yaml"].status = 403
    refused(store)
    spoil(store.directory / "scoped" / "model.bin")
    assert store.status("scoped") == "corrupt"
