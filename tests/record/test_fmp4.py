"""Our MP4: what goes in comes out, standard tools agree, and damage is never more than damage."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.model.media import AccessUnit, AudioFormat, StreamFormat, Track, VideoFormat
from beholden.model.segment import FragmentFlag
from beholden.record.fmp4 import (
    FragmentWriter,
    Mp4Error,
    build_init,
    parse_init,
    read_fragment,
    read_units,
    sample_runs,
    walk,
)

Coded = Callable[..., tuple[StreamFormat, list[AccessUnit]]]
START = 1_795_472_104_250 * 90
AUDIO = [None, "aac", "pcmu", "pcma", "opus"]
SPS, PPS = (
    bytes.fromhex("6764001facd9405005bb011000000300100000030320f183196000"),
    bytes.fromhex("68ebe3cb22c0"),
)


def write_file(stream_format: StreamFormat, units: list[AccessUnit]) -> bytes:
    """A file as the recorder would cut it: at keyframes and after a second."""
    writer = FragmentWriter()
    parts = [build_init(stream_format)]
    video: list[AccessUnit] = []
    audio: list[AccessUnit] = []
    for unit in units:
        if unit.track is Track.AUDIO:
            audio.append(unit)
            continue
        highest = max((u.pts for u in video), default=0)
        if video and unit.pts > highest and (unit.key or unit.pts - video[0].pts >= 90_000):
            parts += writer.fragment(video, audio, unit.pts).parts
            video, audio = [], []
        video.append(unit)
    parts += writer.fragment(video, audio).parts
    return b"".join(parts)


def identity(unit: AccessUnit) -> tuple[Any, ...]:
    """What must survive of a unit."""
    return unit.track, unit.pts, unit.key, unit.data(), unit.duration


def unit(
    pts: int, key: bool = False, data: bytes = b"\0\0\0\1e", track: Track = Track.VIDEO, duration: int = 0
) -> AccessUnit:
    """A small unit."""
    return AccessUnit(track, pts, key, (data,), len(data), 0, duration)


def plain_format(audio: AudioFormat | None = None) -> StreamFormat:
    """A format that needs no encoder."""
    return StreamFormat(VideoFormat("h264", 1280, 720, (SPS, PPS)), audio)


@pytest.mark.parametrize("audio", AUDIO)
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_init_round_trip(coded: Coded, codec: str, audio: str | None) -> None:
    """Every codec pair survives in the init segment, bit for bit."""
    stream_format, _ = coded(codec, audio)
    assert parse_init(build_init(stream_format)) == stream_format


@pytest.mark.parametrize("audio", AUDIO)
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_units_round_trip(coded: Coded, codec: str, audio: str | None) -> None:
    """Every unit of every codec pair comes back with its time, kind and bytes."""
    stream_format, units = coded(codec, audio)
    data = write_file(stream_format, units)
    layout = walk(data)
    assert layout.end == len(data)
    assert layout.init == build_init(stream_format)
    back = [u for ref in layout.fragments for u in read_units(data[ref.offset : ref.offset + ref.size])]
    for track in Track:
        assert [identity(u) for u in back if u.track is track] == [
            identity(u) for u in units if u.track is track
        ]


@pytest.mark.parametrize("audio", AUDIO)
@pytest.mark.parametrize(("codec", "bframes"), [("h264", 0), ("h265", 0), ("h264", 2), ("h265", 3)])
def test_pyav_reads_all(coded: Coded, tmp_path: Path, codec: str, audio: str | None, bframes: int) -> None:
    """A standard demuxer and decoder see each picture at its absolute time, and all the sound."""
    stream_format, units = coded(codec, audio, bframes=bframes)
    path = tmp_path / "a.mp4"
    path.write_bytes(write_file(stream_format, units))
    pictures = sorted(u.pts for u in units if u.track is Track.VIDEO)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert video.time_base is not None
        times = [round(frame.pts * video.time_base * 90_000) for frame in container.decode(video)]
    assert times == pictures
    if audio is None:
        return
    with av.open(str(path)) as container:
        sound = container.streams.audio[0]
        packets = [p for p in container.demux(sound) if p.size]
        sizes = sum(p.size for p in packets)
        assert packets[0].pts == next(u.pts for u in units if u.track is Track.AUDIO)
    assert sizes == sum(u.size for u in units if u.track is Track.AUDIO)
    with av.open(str(path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
        assert samples >= 3 * container.streams.audio[0].rate * 0.9


@pytest.mark.parametrize("audio", AUDIO)
def test_ffprobe_agrees(coded: Coded, tmp_path: Path, audio: str | None) -> None:
    """ffprobe counts the same frames, names the codecs, and starts at the Unix time of the first picture."""
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    stream_format, units = coded("h264", audio)
    path = tmp_path / "a.mp4"
    path.write_bytes(write_file(stream_format, units))
    command = ["ffprobe", "-v", "error", "-count_packets", "-show_streams", "-of", "json", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    streams = json.loads(result.stdout)["streams"]
    assert int(streams[0]["nb_read_packets"]) == 30
    assert float(streams[0]["start_time"]) == pytest.approx(START / 90_000, abs=0.001)
    names = {None: [], "aac": ["aac"], "pcmu": ["pcm_mulaw"], "pcma": ["pcm_alaw"], "opus": ["opus"]}[audio]
    assert [s["codec_name"] for s in streams[1:]] == names


def test_reordered_pictures_keep_their_times(coded: Coded) -> None:
    """With B-pictures decode times rise, offsets carry the display times; start is the earliest."""
    stream_format, units = coded("h264", None, bframes=2)
    assert any(b.pts < a.pts for a, b in itertools.pairwise(units))
    data = write_file(stream_format, units)
    layout = walk(data)
    assert layout.fragments[0].start == min(u.pts for u in units)
    back = [u for ref in layout.fragments for u in read_units(data[ref.offset : ref.offset + ref.size])]
    assert [u.pts for u in back] == [u.pts for u in units]


def test_entries_meet_exactly(coded: Coded) -> None:
    """Adding up the entries' ticks gives each fragment's start."""
    stream_format, units = coded("h264", "aac", gop=25)
    layout = walk(write_file(stream_format, units))
    position = layout.fragments[0].start
    for ref in layout.fragments:
        assert ref.start == position
        position += ref.entry.ticks
    assert layout.end_tick == position
    assert FragmentFlag.KEY in layout.fragments[0].entry.flags
    assert FragmentFlag.KEY not in layout.fragments[1].entry.flags
    assert all(FragmentFlag.AUDIO in ref.entry.flags for ref in layout.fragments)
    assert sum(ref.entry.pictures for ref in layout.fragments) == 30


steps = st.lists(st.integers(1, 20_000), min_size=1, max_size=40)


@given(steps, st.lists(st.integers(1, 3000), max_size=20), st.integers(0, 2**40), st.data())
def test_any_times_round_trip(gaps: list[int], sounds: list[int], start: int, data: st.DataObject) -> None:
    """Irregular picture times and sound with holes come back as they were."""
    video, pts = [], start
    for index, gap in enumerate(gaps):
        video.append(unit(pts, index == 0, data.draw(st.binary(min_size=1, max_size=9))))
        pts += gap
    audio, tick = [], start
    for gap in sounds:
        audio.append(unit(tick, True, b"s", Track.AUDIO, gap))
        tick += gap
    fragment = FragmentWriter().fragment(video, audio, pts)
    raw = b"".join(fragment.parts)
    assert fragment.entry.size == len(raw)
    assert fragment.entry.ticks == sum(gaps)
    assert [identity(u) for u in read_units(raw)] == [identity(u) for u in [*video, *audio]]


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=12),
    st.lists(st.integers(0, 50), min_size=1, max_size=12),
)
def test_decode_times_always_rise(first: list[int], second: list[int]) -> None:
    """Whatever times a camera claims, decode times rise through the file and pictures keep theirs."""
    writer = FragmentWriter()
    units = [[unit(1000 + pts, True) for pts in group] for group in (first, second)]
    raw = build_init(plain_format()) + b"".join(b"".join(writer.fragment(group, []).parts) for group in units)
    layout = walk(raw)
    assert len(layout.fragments) == 2
    runs = [
        sample_runs(raw[ref.offset : ref.offset + int.from_bytes(raw[ref.offset : ref.offset + 4], "big")])
        for ref in layout.fragments
    ]
    decode_times = [at for run in runs for at in run[0].decode_times()]
    assert all(a < b for a, b in itertools.pairwise(decode_times))
    for ref, group in zip(layout.fragments, units, strict=True):
        assert [u.pts for u in read_units(raw[ref.offset : ref.offset + ref.size])] == [u.pts for u in group]


@settings(max_examples=300)
@given(st.data())
def test_a_cut_file_yields_its_whole_fragments(data: st.DataObject) -> None:
    """Cut anywhere, a file gives exactly the fragments that are whole before the cut."""
    whole = small_file()
    ends = [ref.offset + ref.size for ref in walk(whole).fragments]
    init = len(build_init(plain_format()))
    cut = data.draw(st.integers(0, len(whole)))
    if cut < init:
        with pytest.raises(Mp4Error):
            walk(whole[:cut])
        return
    layout = walk(whole[:cut])
    assert len(layout.fragments) == sum(end <= cut for end in ends)
    assert layout.end == max([init, *(end for end in ends if end <= cut)])


@settings(max_examples=300)
@given(st.data())
def test_damage_never_crashes_or_hangs(data: st.DataObject) -> None:
    """Flipped bytes anywhere: walk, read_units and parse_init answer or raise Mp4Error, nothing else."""
    whole = bytearray(small_file())
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        layout = walk(bytes(whole))
    except Mp4Error:
        return
    for ref in layout.fragments:
        try_to(read_units, bytes(whole[ref.offset : ref.offset + ref.size]))
    try_to(parse_init, layout.init)


@given(st.binary(max_size=400))
def test_garbage_is_refused(garbage: bytes) -> None:
    """Bytes of no file: a typed error, or an empty layout."""
    try_to(walk, garbage)
    try_to(walk, build_init(plain_format()) + garbage)
    try_to(read_units, garbage)
    try_to(parse_init, garbage)


def test_descriptors_and_bytes_read_alike() -> None:
    """walk and read_fragment on an open file see what walk sees in its bytes."""
    whole = small_file()
    with tempfile.TemporaryFile() as file:
        file.write(whole + b"\0\0\0\x10moof")
        file.flush()
        layout = walk(file.fileno())
        assert layout == walk(whole)
        ref = layout.fragments[0]
        assert read_fragment(file.fileno(), ref) == whole[ref.offset : ref.offset + ref.size]
        os.ftruncate(file.fileno(), ref.offset + 1)
        with pytest.raises(Mp4Error):
            read_fragment(file.fileno(), ref)


@pytest.mark.parametrize("rate", [8000, 96000])
def test_high_and_low_sampling_rates(rate: int) -> None:
    """The track's clock is the sampling rate, also where the sample entry cannot hold it."""
    stream_format = plain_format(AudioFormat("aac", rate, 6, b"\x10\x30"))
    assert parse_init(build_init(stream_format)) == stream_format


def small_file() -> bytes:
    """Three fragments with sound."""
    writer = FragmentWriter()
    parts = [build_init(plain_format(AudioFormat("pcmu", 8000, 1)))]
    parts[0] = build_init(plain_format())
    for index in range(3):
        start = START + index * 90_000
        video = [unit(start + 9000 * n, n == 0, bytes((n,)) * (n + 3)) for n in range(10)]
        sound = [unit(START // 90 * 8 + index * 8000, True, b"123", Track.AUDIO, 160)]
        parts += writer.fragment(video, sound, start + 90_000).parts
    return b"".join(parts)


def try_to(call: Callable[[bytes], object], data: bytes) -> None:
    """Call and allow only Mp4Error."""
    try:
        call(data)
    except Mp4Error:
        return
