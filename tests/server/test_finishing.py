"""Final results are finished, partial ones are what was heard, for clients of every version."""

from __future__ import annotations

import json

import capswriter_clients as clients
import pytest
from servers import serving_fake

from capswriter.audio import SAMPLE_RATE

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def phrases(tmp_path_factory):
    directory = tmp_path_factory.mktemp("phrases")
    said = [["zh", "用Python写了二十三行"]]
    (directory / "phrases.json").write_text(json.dumps(said), encoding="utf-8")
    return directory


@pytest.mark.parametrize("version", [clients.v1_0_file, clients.v2_6_file, clients.v2_6_mic])
async def test_the_final_result_is_finished_and_its_times_are_those_of_what_was_said(
    phrases, second, version
):
    with serving_fake("phrase_engine:load", phrases, workers=1) as server:
        answer = await version(server.url, second[: 6 * SAMPLE_RATE])
    final = answer.final
    assert final["text"].startswith("用 Python 写了23行")
    assert "".join(final["tokens"]) == final["text"]
    assert len(final["timestamps"]) == len(final["tokens"])
    assert final["timestamps"] == sorted(final["timestamps"])
    place = final["tokens"].index("23")
    following = final["timestamps"][place + 1]
    assert following - final["timestamps"][place] == pytest.approx(0.3, abs=0.01)


async def test_partial_results_stay_as_they_were_heard(phrases, second):
    with serving_fake("phrase_engine:load", phrases, workers=1) as server:
        answer = await clients.v2_6_mic(server.url, second, paced=False)
    partials = [message["text"] for message in answer.partials]
    assert any("用Python写了二十三行" in text for text in partials)
    assert not any("23" in text for text in partials)


@pytest.mark.parametrize("version", [clients.v0_5, clients.v0_6])
async def test_v0_clients_get_the_finished_text(phrases, second, version):
    with serving_fake("phrase_engine:load", phrases, workers=1, script="traditional") as server:
        text = await version(server.url, second[: 6 * SAMPLE_RATE])
    assert text.startswith("用 Python 寫了23行")


async def test_what_the_settings_switch_off_is_not_done(phrases, second):
    off = {"itn": "false", "spacing": "false"}
    with serving_fake("phrase_engine:load", phrases, workers=1, **off) as server:
        answer = await clients.v2_6_file(server.url, second[: 6 * SAMPLE_RATE])
    assert answer.final["text"].startswith("用Python写了二十三行")
