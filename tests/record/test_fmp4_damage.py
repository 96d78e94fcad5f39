"""Files cut and corrupted anywhere, formats of every kind: never a crash, a hang or unbounded memory."""

from __future__ import annotations

import functools
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.model.media import AudioFormat, StreamFormat, Track, VideoFormat
from beholden.play import fragments, tracks
from beholden.record.fmp4 import (
    FragmentWriter,
    Mp4Error,
    build_init,
    parse_init,
    read_units,
    sample_runs,
    walk,
)
from beholden.record.fmp4.boxes import box
from beholden.record.fmp4.parameter_sets import avc_shape, hevc_profile, hevc_shape

from .conftest import coded_stream

AV1 = bytes.fromhex("0a0b000000043cfecc4af90040")
VIDEOS = [
    VideoFormat("av1", 320, 180, (AV1,)),
    VideoFormat("mjpeg", 1920, 1080, ()),
]
SOUNDS = [
    None,
    AudioFormat("l16", 44_100, 2),
    AudioFormat("l16", 16_000, 1),
    AudioFormat("aac", 48_000, 2, b"\x11\x90"),
    AudioFormat("opus", 48_000, 2),
]
MEGABYTES = 30


@functools.cache
def whole(kind: str) -> bytes:
    """A file of three fragments."""
    made, units = coded_stream(kind, "aac") if kind != "mjpeg" else coded_stream("h264", "pcmu")
    if kind == "mjpeg":
        made = StreamFormat(VIDEOS[1], made.audio)
    writer, parts = FragmentWriter(), [build_init(made)]
    video = [unit for unit in units if unit.track is Track.VIDEO]
    audio = [unit for unit in units if unit.track is Track.AUDIO]
    for number in range(3):
        pictures = video[number * 10 : number * 10 + 10]
        frames = audio[number * len(audio) // 3 : (number + 1) * len(audio) // 3]
        parts += writer.fragment(pictures, frames, None).parts
    return b"".join(parts)


KINDS = pytest.mark.parametrize("kind", ["h264", "h265", "mjpeg"])


@pytest.mark.parametrize("video", VIDEOS)
@pytest.mark.parametrize("audio", SOUNDS)
def test_the_new_formats_come_back(video: VideoFormat, audio: AudioFormat | None) -> None:
    """Whatever goes into an init segment comes out again, here and in the room that plays it."""
    made = StreamFormat(video, audio)
    init = build_init(made)
    assert parse_init(init) == made
    assert tracks.parse_init(init)[0].coding in ("av01", "mp4v")
    assert made.video.codec_string in ("av01.0.00M.08", "mp4v.6C")


def test_what_is_not_ours_is_told() -> None:
    """MPEG-4 video has Motion JPEG's sample entry but another object type; an AV1 header may be garbage."""
    jpeg = build_init(StreamFormat(VIDEOS[1]))
    with pytest.raises(Mp4Error):
        parse_init(jpeg.replace(b"\x6c\x11\x00\x00\x00", b"\x20\x11\x00\x00\x00"))
    made = build_init(StreamFormat(VIDEOS[0]))
    with pytest.raises(Mp4Error):
        parse_init(made.replace(AV1, b"\x12" + AV1[1:]))
    for entry in (b"av01", b"mp4v"):
        with pytest.raises(Mp4Error):
            parse_init((made if entry == b"av01" else jpeg).replace(entry, b"vp08"))


def survives(data: bytes) -> None:
    """Every reader of recorded files on these bytes."""
    _tried(lambda: parse_init(data))
    _tried(lambda: tracks.parse_init(data))
    _tried(lambda: read_units(data))
    _tried(lambda: sample_runs(data))
    _tried(lambda: fragments.by_track(fragments.read_fragments(data)))
    _tried(lambda: fragments.move(bytearray(data), 1, {1: -5, 2: 1 << 40}))
    found = _tried(lambda: walk(data))
    if found is not None:
        assert found.end <= len(data)
        for ref in found.fragments:
            assert ref.entry.size > 0
            assert ref.offset + ref.size <= found.end
            _tried(lambda ref=ref: read_units(data[ref.offset : ref.offset + ref.size]))


def _tried(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except Mp4Error:
        return None


@KINDS
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_cut_file_gives_what_is_whole(kind: str, data: st.DataObject) -> None:
    """And nothing after the cut."""
    raw = whole(kind)
    refs = walk(raw).fragments
    cut = data.draw(st.integers(0, len(raw)))
    survives(raw[:cut])
    found = _tried(lambda: walk(raw[:cut]))
    kept = [ref.offset for ref in found.fragments] if found is not None else []
    assert kept == [ref.offset for ref in refs if ref.offset + ref.size <= cut]


@KINDS
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_corruption_never_crashes_or_fills_memory(kind: str, data: st.DataObject) -> None:
    """A few bytes anywhere, or a long run, replaced by anything; at the start of a fragment as well."""
    raw = bytearray(whole(kind))
    starts = [0, *(ref.offset for ref in walk(bytes(raw)).fragments)]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.sampled_from(starts)) + data.draw(st.integers(0, 300))
        new = data.draw(
            st.one_of(st.binary(min_size=1, max_size=40), st.just(b"\xff" * 8), st.just(bytes(8)))
        )
        raw[at : at + len(new)] = new
    tracemalloc.start()
    try:
        survives(bytes(raw))
        assert tracemalloc.get_traced_memory()[1] < MEGABYTES << 20
    finally:
        tracemalloc.stop()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_at_all(data: bytes) -> None:
    """As a file, as a fragment, as what follows a true head."""
    survives(data)
    init = build_init(StreamFormat(VIDEOS[0]))
    survives(init + data)


def test_a_track_that_is_neither_picture_nor_sound_is_refused() -> None:
    """Its sample entry would be read as if it were one (found by fuzzing)."""
    init = build_init(StreamFormat(VIDEOS[1], SOUNDS[1]))
    with pytest.raises(Mp4Error):
        tracks.parse_init(init.replace(b"soun", b"text"))


def test_samples_without_sizes_cannot_be_endless() -> None:
    """A count of four thousand million samples of no bytes in a box of twelve is refused."""
    trun = fragments.full_box(b"trun", 0, 0, b"\xff\xff\xff\xff")
    traf = fragments.box(b"traf", fragments.full_box(b"tfhd", 0, 0x20000, b"\0\0\0\1"), trun)
    moof = fragments.box(b"moof", traf)
    with pytest.raises(Mp4Error):
        fragments.read_fragments(moof + fragments.box(b"mdat", b"x"))


@given(st.binary(max_size=80))
def test_any_bytes_as_parameter_sets(data: bytes) -> None:
    """A shape that a decoder configuration can state, whatever the camera says."""
    for shape in (avc_shape(data), hevc_shape(data)):
        assert 0 <= shape.chroma <= 3
    profile, _ = hevc_profile(data)
    assert len(profile) == 12


@pytest.mark.parametrize(("profile", "depth"), [("high10", 10), ("high422", 10), ("high444", 8)])
def test_depth_and_chroma_reach_the_configuration(profile: str, depth: int) -> None:
    """As an encoder states them."""
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height = 64, 64
    context.pix_fmt = {"high10": "yuv420p10le", "high422": "yuv422p10le", "high444": "yuv444p"}[profile]
    context.time_base = Fraction(1, 10)
    context.flags |= 1 << 22
    context.options = {"profile": profile, "x264-params": "log-level=none"}
    context.open()
    sps = next(nal for nal in bytes(context.extradata).split(b"\0\0\1") if nal and nal[0] & 31 == 7)
    shape = avc_shape(sps)
    assert (shape.luma_depth, shape.chroma_depth) == (depth, depth)
    assert shape.chroma == {"high10": 1, "high422": 2, "high444": 3}[profile]


def test_a_head_without_a_sample_description_is_refused() -> None:
    """Both readers of heads say that it is damaged, whatever else is in it."""
    handler = box(b"hdlr", bytes(8), b"vide", bytes(12))
    media = box(b"mdia", box(b"mdhd", bytes(24)), handler, box(b"minf", box(b"stbl", box(b"stsd", bytes(8)))))
    head = box(b"moov", box(b"trak", box(b"tkhd", bytes(84)), media))
    for read in (parse_init, tracks.parse_init):
        with pytest.raises(Mp4Error):
            read(head)
