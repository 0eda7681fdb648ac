"""The journal: what a dictation leaves on the disk, and who may take it up."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import textwrap
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from capswriter.audio.decode import AudioFile
from capswriter.dictation.journal import InUse, Journal, NoSuchDictation, State, read_journal
from capswriter.dictation.journal.sound import HEADER, SoundFile, mend, read_sound, seconds_in

anyio_test = pytest.mark.anyio

BLOCK = np.arange(1, 801, dtype="<i2").tobytes()


async def spoken(journal, blocks=4):
    entry = journal.begin()
    for _ in range(blocks):
        entry.add(BLOCK)
    await entry.close()
    return entry


@anyio_test
async def test_a_dictation_is_on_the_disk_from_its_first_block_until_it_is_typed(tmp_path):
    states = []

    def look():
        [record] = read_journal(tmp_path / "journal")
        states.append(record.state)
        return record

    async with Journal(tmp_path / "journal") as journal:
        entry = journal.begin()
        await entry.add(BLOCK)
        assert look().seconds == 0.05
        await entry.add(BLOCK)
        await entry.close()
        assert look().seconds == 0.1
        assert await entry.audio() == 2 * BLOCK
        await entry.recognised("你好 😀")
        assert look().text == "你好 😀"
        await entry.delivering("Hello")
        look()
        await entry.delivered()
        record = look()
    assert states == [
        *(State.RECORDING, State.RECORDED, State.RECOGNISED),
        *(State.DELIVERING, State.DELIVERED),
    ]
    assert (record.text, record.typed) == ("你好 😀", "Hello")
    assert record.begun <= record.ended <= time.time()
    with wave.open(str(record.sound)) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, 1600)


@anyio_test
@pytest.mark.skipif(os.name != "posix", reason="elsewhere the user's data are the user's own")
async def test_nobody_else_may_read_it(tmp_path):
    directory = tmp_path / "journal"
    directory.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        async with Journal(directory) as journal:
            entry = await spoken(journal)
            modes = {
                path.name: stat.S_IMODE(path.stat().st_mode)
                for path in [directory, *directory.rglob("*")]
            }
    finally:
        os.umask(before)
    assert modes.pop("journal") == 0o700
    assert modes.pop(entry.record.name) == 0o700
    assert {"audio.wav", "state.json", "lock", "spare"} == set(modes)
    assert set(modes.values()) == {0o600}


def test_a_recording_cut_off_at_any_byte_is_one(tmp_path):
    path = tmp_path / "audio.wav"
    file = SoundFile(path)
    file.add(BLOCK)
    file.close()
    whole = path.read_bytes()
    for size in [*range(HEADER + 8), len(whole) - 1, len(whole)]:
        path.write_bytes(whole[:size])
        kept = max(0, size - HEADER) // 2 * 2
        assert read_sound(path) == BLOCK[:kept]
        assert seconds_in(path) == kept / 32_000
    path.write_bytes(whole[:-1])
    for _ in range(2):  # before and after it is mended
        with path.open("rb") as stream:
            decoder = AudioFile(stream)
            samples = np.concatenate(list(decoder.blocks()))
            decoder.close()
        assert np.round(samples[:799] * 32_768).astype("<i2").tobytes() == BLOCK[:-2]
        mend(path)
    with wave.open(str(path)) as mended:
        assert mended.getnframes() == 799


@anyio_test
@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ((), State.UNSENT),
        (("close",), State.UNSENT),
        (("close", "recognised"), State.UNSENT),
        (("close", "recognised", "delivering"), State.UNCERTAIN),
        (("close", "recognised", "delivering", "delivered"), State.DELIVERED),
        (("close", "recognised", "keep"), State.KEPT),
        (("cancel",), State.CANCELLED),
        (("close", "fail"), State.FAILED),
    ],
)
@pytest.mark.parametrize("killed", [False, True])
async def test_what_is_left_at_the_end_is_unsent_or_over(tmp_path, steps, left, killed):
    arguments = {"recognised": ["so"], "keep": ["late"], "fail": ["no"]}
    if killed:
        code = f"""
            import asyncio, os, signal
            from capswriter.dictation.journal import Journal
            async def main():
                async with Journal(__import__("pathlib").Path({str(tmp_path)!r})) as journal:
                    entry = journal.begin()
                    await entry.add(bytes(3200))
                    for step in {steps!r}:
                        await getattr(entry, step)(*{arguments!r}.get(step, []))
                    os.kill(os.getpid(), signal.SIGKILL)
            asyncio.run(main())
        """
        program = [sys.executable, "-c", textwrap.dedent(code)]
        ended = await asyncio.to_thread(subprocess.run, program, timeout=60, check=False)
        assert ended.returncode == -9
    else:
        async with Journal(tmp_path) as journal:
            entry = journal.begin()
            entry.add(bytes(3200))
            for step in steps:
                getattr(entry, step)(*arguments.get(step, []))
    async with Journal(tmp_path) as journal:
        entries = await journal.recover()
        [record] = await journal.records()
        assert record.state is left
        assert record.seconds == 0.1
        assert [entry.record.state for entry in entries] == [left] * (left is State.UNSENT)
        for entry in entries:
            assert await entry.audio() == bytes(3200)
            assert entry.record.text == ("so" if "recognised" in steps else None)
            assert entry.age < 60
            with wave.open(str(record.sound)) as file:
                assert file.getnframes() == 1600
    assert read_journal(tmp_path)[0].state is left


@anyio_test
async def test_what_a_living_program_has_is_not_taken_from_it(tmp_path):
    code = f"""
        import asyncio, pathlib
        from capswriter.dictation.journal import Journal
        async def main():
            async with Journal(pathlib.Path({str(tmp_path)!r})) as journal:
                entry = journal.begin()
                await entry.add(bytes(3200))
                print(entry.record.name, flush=True)
                await asyncio.sleep(60)
        asyncio.run(main())
    """
    program = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        name = (await asyncio.to_thread(process.stdout.readline)).strip()
        async with Journal(tmp_path) as journal:
            assert await journal.recover() == []
            with pytest.raises(InUse, match="running client"):
                await journal.take(name)
            assert (await journal.records())[0].state is State.RECORDING
            process.kill()
            await asyncio.to_thread(process.wait, 20)
            [entry] = await journal.recover()
            assert entry.record.name == name
            async with Journal(tmp_path) as other:
                assert await other.recover() == []


@anyio_test
async def test_those_left_over_are_taken_up_in_order(tmp_path):
    async with Journal(tmp_path) as journal:
        names = [(await spoken(journal)).record.name for _ in range(5)]
    async with Journal(tmp_path) as journal:
        assert [entry.record.name for entry in await journal.recover()] == names


@anyio_test
async def test_one_without_a_sound_is_nothing_to_send(tmp_path):
    async with Journal(tmp_path) as journal:
        journal.begin()
    async with Journal(tmp_path) as journal:
        assert await journal.recover() == []
    assert read_journal(tmp_path)[0].state is State.CANCELLED


@anyio_test
async def test_one_of_the_history_is_taken_and_typed_once_more(tmp_path):
    async with Journal(tmp_path) as journal:
        entry = await spoken(journal)
        entry.recognised("so")
        await entry.keep("it is late")
        again = await journal.take(entry.record.name)
        assert again.record.text == "so"
        again.delivering()
        await again.delivered()
        with pytest.raises(ValueError, match="cannot become"):
            again.delivering()
        for name in ("nothing", "..", "../x"):
            with pytest.raises(NoSuchDictation):
                await journal.take(name)


@anyio_test
async def test_no_step_is_taken_that_does_not_follow(tmp_path):
    async with Journal(tmp_path) as journal:
        entry = journal.begin()
        with pytest.raises(ValueError, match="cannot become"):
            entry.delivering()
        entry.close()
        with pytest.raises(ValueError, match="no sound"):
            entry.add(BLOCK)
        entry.recognised("so")
        entry.delivering()
        with pytest.raises(ValueError, match="cannot become"):
            entry.keep("late")


@anyio_test
@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"state": "gone"}', None])
async def test_a_state_that_cannot_be_read_loses_no_recording(tmp_path, damage):
    async with Journal(tmp_path) as journal:
        entry = await spoken(journal)
    path = entry.record.folder / "state.json"
    path.unlink() if damage is None else path.write_bytes(damage)
    os.utime(entry.record.sound, (1e9, 1e9))
    async with Journal(tmp_path) as journal:
        [entry] = await journal.recover()
        assert len(await entry.audio()) == 4 * len(BLOCK)
        assert entry.age > 1e6


@anyio_test
async def test_what_is_over_goes_after_its_time_and_nothing_else(tmp_path):
    async with Journal(tmp_path, retention=0.0) as journal:
        for last in ("delivered", "cancel", "keep", "put_off", "fail", "uncertain"):
            entry = await spoken(journal)
            if last == "fail":
                entry.fail("no")
                continue
            entry.recognised("so")
            if last in {"delivered", "uncertain"}:
                entry.delivering()
            getattr(entry, last)(*([] if last in {"delivered", "cancel"} else ["so"]))
        live = await spoken(journal)
        empty = tmp_path / "20200101-000000-0"
        empty.mkdir()
        os.utime(empty, (0, 0))
        assert await journal.clean() == 2
        left = {record.state for record in await journal.records()}
        assert left == {State.KEPT, State.UNSENT, State.FAILED, State.UNCERTAIN, State.RECORDED}
        assert len(list(tmp_path.iterdir())) == 5
        live.recognised("")
        await live.delivered()
    async with Journal(tmp_path) as journal:
        assert await journal.clean() == 0


@anyio_test
async def test_a_disk_that_takes_nothing_costs_no_dictation(tmp_path):
    (tmp_path / "file").touch()
    told = []
    async with Journal(tmp_path / "file" / "journal", on_trouble=told.append) as journal:
        entry = await spoken(journal)
        assert await entry.audio() == 4 * BLOCK
        entry.recognised("so")
        await entry.delivering()
        await entry.delivered()
        assert await journal.records() == []
    await asyncio.sleep(0)
    assert len(told) == 1
    assert "in memory only" in told[0]
    assert "\n" not in told[0]


FULL = """
import asyncio, os, sys
from pathlib import Path
from capswriter.dictation.journal import Journal, State, read_journal

async def main(directory):
    told = []
    async with Journal(directory / "journal", on_trouble=told.append) as journal:
        entry = journal.begin()
        await entry.add(bytes(32_000))
        with open(directory / "filling", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        for number in range(4):
            await entry.add(bytes([number]) * 32_000)
        assert len(told) == 1, told
        assert await entry.audio() == b"".join(bytes([n]) * 32_000 for n in (0, 0, 1, 2, 3))
        await entry.close()
        await entry.recognised("so")
        await entry.delivering()
        assert read_journal(directory / "journal")[0].state is State.DELIVERING
        second = journal.begin()
        await second.add(bytes(32_000))
        os.unlink(directory / "filling")
        await second.add(bytes(32_000))
        assert await second.audio() == bytes(64_000)
        await entry.delivered()
    assert len(told) == 2, told
    assert "no space left" in told[0], told

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small disk to fill")
def test_a_disk_that_is_full_is_told_once_and_costs_nothing(tmp_path):
    small = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
    mount = f"mount -t tmpfs -o size=256k none {tmp_path}"
    if subprocess.run([*small, mount], capture_output=True, check=False).returncode != 0:
        pytest.skip("no small disk can be mounted here")
    (Path(tmp_path).parent / "full.py").write_text(FULL)
    program = f"{sys.executable} {Path(tmp_path).parent / 'full.py'} {tmp_path}"
    done = subprocess.run(
        [*small, f"{mount} && {program}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
