"""Segment keys and the packed fragment index."""

from __future__ import annotations

import random
import struct
import zlib

import hypothesis.strategies as st
import pytest
from hypothesis import given

from beholden.model.camera import StreamRole
from beholden.model.media import AudioFormat, VideoFormat
from beholden.model.segment import FragmentEntry, FragmentFlag, SegmentKey, pack_fragments, unpack_fragments

KEYS = st.builds(
    SegmentKey,
    st.integers(1, 10**6),
    st.sampled_from(StreamRole),
    st.integers(0, 4 * 10**12),
    st.integers(0, 99),
)
ENTRIES = st.builds(
    FragmentEntry,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**16 - 1),
    st.sampled_from([FragmentFlag(value) for value in range(4)]),
)


@given(KEYS)
def test_a_path_names_exactly_one_key(key: SegmentKey) -> None:
    """The path derives from the key and the key from the path, so no table holds paths."""
    assert SegmentKey.from_path(key.path()) == key


@pytest.mark.parametrize(
    "path",
    [
        "",
        "cam-1/main/x.mp4",
        "cam-1/main/2026-11-23/22/22-15-04.250_1-0.mp4",
        "../../etc/passwd",
        "cam-x/main/a/b/c_1-0.mp4",
    ],
)
def test_foreign_paths_are_no_keys(path: str) -> None:
    """A file that we did not name is never taken for footage."""
    with pytest.raises((ValueError, KeyError)):
        SegmentKey.from_path(path)


@given(st.lists(ENTRIES, max_size=50))
def test_the_fragment_index_round_trips(entries: list[FragmentEntry]) -> None:
    """Packing loses nothing; a cut blob is noticed."""
    blob = pack_fragments(entries)
    assert list(unpack_fragments(blob)) == entries
    with pytest.raises(ValueError, match="cut"):
        list(unpack_fragments(blob[:-1]))


@given(st.lists(ENTRIES.filter(lambda entry: entry.size < 2**30), max_size=50))
def test_a_fragment_index_of_older_catalogs_is_read(entries: list[FragmentEntry]) -> None:
    """Rows from before indexes were deflated hold 11 bytes a fragment, and stay as they are."""
    plain = b"".join(
        struct.pack(">IIHB", each.size, each.ticks, each.pictures, each.flags) for each in entries
    )
    assert list(unpack_fragments(plain)) == entries
    if entries:
        with pytest.raises(ValueError, match="multiple"):
            list(unpack_fragments(plain[:-1]))


def test_a_fragment_index_of_a_minute_is_small() -> None:
    """What a camera sends differs in size and a little in time: less than half of the plain bytes is stored,
    since every row is written to the log of the catalog and to the catalog, and once more when it leaves."""
    drawn = random.Random(1)
    minute = [
        FragmentEntry(drawn.randint(200_000, 500_000), 90_000 + drawn.randint(-30, 30), 30, FragmentFlag.KEY)
        for _ in range(60)
    ]
    assert len(pack_fragments(minute)) < 60 * 11 / 2


@pytest.mark.parametrize("blob", [b"\x78", b"\x78\x9c", b"\x78\x9cgarbage", zlib.compress(bytes(12))])
def test_a_damaged_fragment_index_is_told(blob: bytes) -> None:
    """Never entries made of garbage."""
    with pytest.raises(ValueError, match="fragment index"):
        list(unpack_fragments(blob))


def test_codec_strings() -> None:
    """The names browsers understand."""
    sps264 = bytes.fromhex("67640028acd940780227e5c05a808080a0")
    assert VideoFormat("h264", 1920, 1080, (sps264, b"")).codec_string == "avc1.640028"
    sps265 = bytes.fromhex("420101016000000300900000030000030078a003c08010e5")
    assert VideoFormat("h265", 1920, 1080, (b"", sps265, b"")).codec_string == "hvc1.1.6.L120.90"
    assert AudioFormat("aac", 16000, 1, bytes.fromhex("1408")).codec_string == "mp4a.40.2"
    assert AudioFormat("opus", 48000, 2).codec_string == "opus"
