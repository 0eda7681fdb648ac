"""Wheels are found on the index that this installation uses."""

import pytest

from capswriter.models.download import SourceFailed, connect
from capswriter.models.package_index import PYPI, find_wheel, indexes


@pytest.mark.parametrize("html", [False, True])
def test_a_release_is_found(tiny, html):
    tiny.publish_wheels(html=html)
    with connect() as client:
        wheel = find_wheel(client, f"{tiny.web.url}/simple", "Tiny_Part1", "1.0")
    assert wheel.url == f"{tiny.web.url}/files/tiny_part1-1.0-py3-none-any.whl"
    assert len(wheel.sha256) == 64


@pytest.mark.parametrize("html", [False, True])
def test_another_release_does_not_do(tiny, html):
    tiny.publish_wheels(html=html)
    with connect() as client, pytest.raises(SourceFailed, match=r"no wheel of tiny-part1 2\.0"):
        find_wheel(client, f"{tiny.web.url}/simple", "tiny-part1", "2.0")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"files": [{"filename": "a-1.0-x.whl"}]}'])
def test_a_page_that_is_no_index_is_a_reason(web, body):
    web.serve("/simple/a/", body, media_type="application/json")
    with connect() as client, pytest.raises(SourceFailed, match="cannot be understood"):
        find_wheel(client, f"{web.url}/simple", "a", "1.0")


def test_a_passing_failure_of_the_index_is_repeated(tiny):
    tiny.publish_wheels()
    tiny.web.pages["/simple/tiny-part1/"].failures = [503]
    with connect() as client:
        assert find_wheel(client, f"{tiny.web.url}/simple", "tiny-part1", "1.0").url


@pytest.mark.parametrize(
    ("variable", "setting"),
    [
        ("PIP_INDEX_URL", "https://index.example/simple/"),
        ("UV_INDEX_URL", "https://index.example/simple"),
        ("UV_DEFAULT_INDEX", "https://index.example/simple"),
        ("UV_DEFAULT_INDEX", "company=https://index.example/simple"),
    ],
)
def test_the_index_of_the_environment_comes_before_pypi(monkeypatch, variable, setting):
    monkeypatch.setenv(variable, setting)
    assert indexes() == ("https://index.example/simple", PYPI)


def test_the_index_of_pips_configuration_comes_before_pypi(monkeypatch, tmp_path):
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nindex-url = https://index.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    assert indexes() == ("https://index.example/simple", PYPI)


def test_pypi_is_asked_where_nothing_is_configured():
    assert indexes() == (PYPI,)
