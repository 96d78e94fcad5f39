"""Framing: any split of the byte stream gives the same messages; nonsense is a typed error."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.bus.messages import (
    MAX_FRAME_BYTES,
    BusError,
    FrameDecoder,
    JsonMessage,
    UnitMessage,
    decode_frame,
    describe_format,
    encode_json,
    encode_unit,
    parse_format,
    stream_of,
)
from beholden.model.camera import StreamRole
from beholden.model.media import AccessUnit, AudioFormat, StreamFormat, Track, VideoFormat

units = st.builds(
    lambda track, pts, key, parts, arrival, duration: AccessUnit(
        track, pts, key, parts, sum(map(len, parts)), arrival, duration
    ),
    st.sampled_from(Track),
    st.integers(0, 2**63),
    st.booleans(),
    st.lists(st.binary(max_size=50), min_size=1, max_size=4),
    st.integers(0, 2**62),
    st.integers(0, 2**32 - 1),
)
frames = st.one_of(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9)).map(encode_json),
    st.builds(encode_unit, st.integers(0, 2**32 - 1), st.sampled_from(StreamRole), units),
)


def described(message: object) -> object:
    """A value to compare messages by."""
    if isinstance(message, UnitMessage):
        u = message.unit
        return (message.camera, message.stream, u.track, u.pts, u.key, u.data(), u.arrival_ms, u.duration)
    assert isinstance(message, JsonMessage)
    return message.body


@given(st.lists(frames, max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_any_split_gives_the_same_messages(parts: list[bytes], cuts: list[int]) -> None:
    """However the kernel cuts the stream, the decoder yields every frame once, in order."""
    data = b"".join(parts)
    whole = [described(m) for m in FrameDecoder().feed(data)]
    assert len(whole) == len(parts)
    decoder, pieces, position, turn = FrameDecoder(), [], 0, 0
    while position < len(data):
        step = cuts[turn % len(cuts)]
        turn += 1
        pieces += [described(m) for m in decoder.feed(data[position : position + step])]
        position += step
    assert pieces == whole


@given(st.integers(0, 2**32 - 1), st.sampled_from(StreamRole), units)
def test_an_access_unit_survives(camera: int, stream: StreamRole, unit: AccessUnit) -> None:
    """All fields of a unit arrive as they left."""
    (message,) = FrameDecoder().feed(encode_unit(camera, stream, unit))
    assert described(message) == described(UnitMessage(camera, stream, unit))


@given(st.binary(max_size=300))
def test_garbage_raises_only_bus_errors(data: bytes) -> None:
    """Nothing that arrives can raise anything else, or loop for ever."""
    with contextlib.suppress(BusError):
        for message in FrameDecoder().feed(data):
            assert isinstance(message, JsonMessage | UnitMessage)


def test_a_frame_over_the_limit_is_refused_before_it_is_read() -> None:
    """A length above 16 MiB is an error at once, on either side."""
    with pytest.raises(BusError, match="16 MiB") as caught:
        list(FrameDecoder().feed(struct.pack(">IB", MAX_FRAME_BYTES + 1, 1)))
    assert caught.value.code == "bus_too_large"
    big = AccessUnit(Track.VIDEO, 0, True, (b"x",), MAX_FRAME_BYTES, 0)
    with pytest.raises(BusError):
        encode_unit(1, StreamRole.MAIN, big)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (1, b"[1]"),
        (1, b"{"),
        (1, b"\xff"),
        (2, b"short"),
        (9, b""),
        (2, struct.pack(">IBBBQQI", 1, 7, 0, 0, 0, 0, 0)),
    ],
)
def test_malformed_frames_are_named(kind: int, body: bytes) -> None:
    """Each kind of nonsense is ``bus_malformed``."""
    with pytest.raises(BusError) as caught:
        decode_frame(kind, body)
    assert caught.value.code == "bus_malformed"


@pytest.mark.parametrize(
    "audio", [None, AudioFormat("aac", 48000, 2, b"\x11\x90"), AudioFormat("pcmu", 8000, 1)]
)
def test_a_format_survives(audio: AudioFormat | None) -> None:
    """Parameter sets and audio configuration arrive bit for bit."""
    fmt = StreamFormat(VideoFormat("h264", 1920, 1080, (b"\x67\x64\x00\x28\xff", b"\x68\xee")), audio)
    body = describe_format(3, StreamRole.SUB, fmt)
    assert (body["camera"], body["stream"]) == (3, "sub")
    (message,) = FrameDecoder().feed(encode_json(body))
    assert isinstance(message, JsonMessage)
    assert parse_format(message.body) == fmt


@given(st.dictionaries(st.sampled_from(["video", "audio", "camera"]), st.none() | st.integers() | st.text()))
def test_a_broken_format_is_malformed(body: dict[str, object]) -> None:
    """A format that cannot be read is a BusError and nothing else."""
    with pytest.raises(BusError):
        parse_format(body)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"camera": "3", "stream": "main"},
        {"camera": 3, "stream": "third"},
        {"camera": True, "stream": "sub"},
    ],
)
def test_a_request_must_name_a_stream(body: dict[str, object]) -> None:
    """camera is a number and stream main or sub."""
    with pytest.raises(BusError):
        stream_of(body)
