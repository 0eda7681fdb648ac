"""G.711, against the tables of the standard and against Python's own decoder."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest

from capswriter.audio.g711 import decode_alaw, decode_ulaw

EVERY_BYTE = bytes(range(256))


def outputs(decisions: list[int]) -> list[float]:
    """A decoder's value lies in the middle between the encoder's decision values."""
    return [(low + high) / 2 for low, high in pairwise(decisions)]


def steps(*runs: tuple[int, int]) -> list[int]:
    """Decision values from nought on: so many steps of such a size, and so on."""
    values = [0]
    for count, size in runs:
        values += [values[-1] + size * (n + 1) for n in range(count)]
    return values


def alaw_by_the_standard() -> list[float]:
    """Table 1: 128 values of either sign, up to 4,096."""
    decisions = steps((32, 2), *((16, 2**n) for n in range(2, 8)))
    assert decisions[-1] == 4096
    values = outputs(decisions)
    return [(1 if code & 0x80 else -1) * 8 * values[(code ^ 0x55) & 0x7F] for code in range(256)]


def ulaw_by_the_standard() -> list[float]:
    """Table 2: 128 values of either sign, up to 8,159, of which the first is nought."""
    decisions = steps((1, 1), (15, 2), *((16, 2**n) for n in range(2, 9)))
    assert decisions[-1] == 8159
    values = [0.0, *outputs(decisions)[1:]]
    return [(1 if code & 0x80 else -1) * 4 * values[~code & 0x7F] for code in range(256)]


def test_every_byte_of_mu_law_is_what_the_standard_says():
    assert decode_ulaw(EVERY_BYTE).tolist() == ulaw_by_the_standard()


def test_every_byte_of_a_law_is_what_the_standard_says():
    assert decode_alaw(EVERY_BYTE).tolist() == alaw_by_the_standard()


def test_the_loudest_and_the_softest_are_where_lines_carry_them():
    assert decode_ulaw(b"\x00\x80\x7f\xff").tolist() == [-32_124, 32_124, 0, 0]
    assert decode_alaw(b"\x2a\xaa\x55\xd5").tolist() == [-32_256, 32_256, -8, 8]


@pytest.mark.parametrize(
    ("decode", "theirs"), [(decode_ulaw, "ulaw2lin"), (decode_alaw, "alaw2lin")]
)
def test_python_s_decoder_says_the_same(decode, theirs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop", reason="Python 3.13 has none any more")
    expected = np.frombuffer(getattr(audioop, theirs)(EVERY_BYTE, 2), np.int16)
    assert decode(EVERY_BYTE).tolist() == expected.tolist()


@pytest.mark.parametrize("decode", [decode_ulaw, decode_alaw])
def test_bytes_become_samples_in_their_order(decode):
    table = decode(EVERY_BYTE)
    data = np.random.default_rng(7).integers(0, 256, 8_000, np.uint8)
    samples = decode(data.tobytes())
    assert samples.dtype == np.int16
    assert samples.tolist() == [table[byte] for byte in data]
    assert decode(b"").shape == (0,)


def test_what_is_given_can_be_changed_without_harm():
    decode_ulaw(EVERY_BYTE)[:] = 0
    assert decode_ulaw(b"\x00").tolist() == [-32_124]
