"""The compiled hot path gives what the Python code gives, whatever comes and however it is cut."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beholden import c_library
from beholden.ingest.connection import FakeWire
from beholden.ingest.rtp import library
from beholden.ingest.rtp.aac import AacDepacketiser
from beholden.ingest.rtp.h264 import H264Depacketiser
from beholden.ingest.rtp.h265 import H265Depacketiser
from beholden.ingest.rtsp import RtspSource
from beholden.ingest.source import SourceError
from beholden.model.camera import StreamAddress
from beholden.model.time import SystemClock

CODECS = pytest.mark.parametrize("codec", ["h264", "h265"])
RELAXED = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200
)
SOUND = (
    "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\na=control:track2\r\n"
    "a=fmtp:97 config=1408\r\n"
)


@pytest.fixture(scope="session")
def built(built_libraries: Callable[[Path], Path]) -> library.Library:
    """The library of the source as it is, whether or not set-up built one."""
    choice = library.load(built_libraries(library.SOURCE), library.SOURCE)
    assert choice.library is not None, choice.why
    return choice.library


@contextlib.contextmanager
def _environment(value: str | None) -> Iterator[None]:
    before = os.environ.pop(c_library.OFF, None)
    if value is not None:
        os.environ[c_library.OFF] = value
    library.chosen.cache_clear()
    try:
        yield
    finally:
        os.environ.pop(c_library.OFF, None)
        if before is not None:
            os.environ[c_library.OFF] = before
        library.chosen.cache_clear()


class Reader:
    """A camera's reads taken apart as the RTSP client does it, and all that came of them, in order."""

    def __init__(self, codec: str, compiled: library.Library | None, by_packet: bool = False) -> None:
        self.found: list[object] = []
        self.left: list[bytes] = []  # what `walk` left to `packet`
        kind = H264Depacketiser if codec == "h264" else H265Depacketiser
        self.video = kind(0, 96, self._picture, self.found.append)
        self.video.use(compiled)
        self.sound = AacDepacketiser(97, self._frame)
        self.video.hear(self.sound, 2)
        self._by_packet = by_packet
        self._rest = b""

    def _picture(self, stamp: int, key: bool, parts: list[bytes], size: int) -> None:
        sample = b"".join(parts)
        assert len(sample) == size
        self.found.append((stamp, key, sample))

    def _frame(self, stamp: int, frame: bytes, samples: int, hole: bool) -> None:
        self.found.append(("sound", stamp, frame, samples, hole))

    def read(self, chunk: bytes) -> None:
        data, at = self._rest + chunk, 0
        while True:
            if not self._by_packet:
                at = self.video.walk(data, at, len(data))
            end = at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")
            if len(data) - at < 4 or end > len(data):
                break
            if data[at : at + 2] == b"$\0":
                self.left.append(data[at + 16 : end])
                self.video.packet(data, at + 4, end)
            elif data[at : at + 2] == b"$\2":
                self.sound.packet(data, at + 4, end)
            at = end
        self._rest = data[at:]

    def all(self, chunks: list[bytes]) -> list[object]:
        try:
            for chunk in chunks:
                self.read(chunk)
        except SourceError as error:
            return [*self.found, error.code]
        video, sound = self.video, self.sound
        counts = (video.sequence.lost, video.dropped, video.packets, sound.sequence.lost, sound.packets)
        return [*self.found, counts]


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in itertools.pairwise(places)]


def _same(codec: str, built: library.Library, data: bytes, cuts: list[int]) -> list[object]:
    plain = Reader(codec, None, by_packet=True).all([data])
    assert Reader(codec, built).all(_cut(data, cuts)) == plain
    assert Reader(codec, built).all([data]) == plain
    return plain


@CODECS
@RELAXED
@given(data=st.data())
def test_true_streams_with_faults_are_read_the_same(
    coded: Callable[..., Any],
    packetiser: Any,
    codec: str,
    built: library.Library,
    data: st.DataObject,
) -> None:
    """Real pictures with sound between, lost, repeated, swapped and foreign packets, cut anywhere."""
    packets = packetiser(codec, marker=data.draw(st.booleans()), aggregate_sets=data.draw(st.booleans()))
    voice = packetiser(codec, channel=2, payload_type=97, sequence=65_530, ssrc=9)
    frames: list[bytes] = []
    for place, frame in enumerate(packets.stream(coded(codec), repeat=2)):
        frames.append(frame)
        if place % 7 == 0:
            frames.append(voice.frame(b"\0\x10\0\x20abcd", 1024 * place, True))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(frames) - 2))
        _spoil(frames, at, data.draw(st.integers(0, 5)))
    cuts = data.draw(st.lists(st.integers(0, 1 << 20), max_size=30))
    _same(codec, built, b"".join(frames), cuts)


def _spoil(frames: list[bytes], at: int, how: int) -> None:
    frame = frames[at]
    if how == 0:
        del frames[at]
    elif how == 1:
        frames.insert(at, frame)
    elif how == 2:
        frames[at], frames[at + 1] = frames[at + 1], frame
    elif how == 3:
        frames.insert(at, b"$\1\0\x0c\x80\xc8\0\1" + bytes(8))
    elif how == 4:
        frames[at] = frame[:4] + bytes((frame[4] | 0x20,)) + frame[5:-1] + b"\1"
    elif len(frame) > 16:
        frames[at] = frame[:16] + bytes((frame[16] ^ 0x15,)) + frame[17:]


AVC = [b"\x7c\x85", b"\x7c\x81", b"\x7c\x05", b"\x7c\x45", b"\x7c\xc5", b"\x7c\x86", b"\x7c\x46", b"\x65"]
AVC += [b"\x41", b"\x06\x06\x01\x80", b"\x06", b"\x09", b"\x67", b"\x78", b"\x42", b"\x7c", b""]
HEVC = [b"\x62\x01\x93", b"\x62\x01\x81", b"\x62\x01\x13", b"\x62\x01\x53", b"\x62\x01\xa7", b"\x62\x01\x67"]
HEVC += [b"\x26\x01", b"\x02\x01", b"\x4e\x01", b"\x46\x01", b"\x40\x01", b"\x60\x01", b"\x03\x01", b"\x62"]
Made = tuple[int, int, bytes, bool, int, int]


@CODECS
@RELAXED
@given(
    made=st.lists(
        st.tuples(
            st.integers(0, 16),  # which head
            st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2, -1]),  # the step of the number beyond one
            st.sampled_from([b"\x88body", b"\x08body", b"\x88", b"", b"\x88" * 300]),
            st.booleans(),  # the marker
            st.sampled_from([0, 0, 0, 1, 2]),  # the step of the time
            st.sampled_from([0, 0, 0, 0, 0, 0, 2, 3, 1]),  # the channel
        ),
        max_size=60,
    ),
    cuts=st.lists(st.integers(0, 1 << 16), max_size=10),
)
def test_any_order_of_units_is_read_the_same(
    codec: str, built: library.Library, made: list[Made], cuts: list[int]
) -> None:
    """Beginnings, middles and ends of all kinds of units in any order, holes and other senders between."""
    heads, out = AVC if codec == "h264" else HEVC, []
    numbers, stamp = {0: 7, 2: 9}, 0
    for which, skipped, body, marker, step, channel in made:
        numbers[channel] = (numbers.get(channel, 0) + 1 + skipped) & 0xFFFF
        stamp += 3600 * step
        second = (97 if channel == 2 else 96) | (0x80 if marker else 0)
        packet = struct.pack(">BBHII", 0x80, second, numbers[channel], stamp, 7 + (step == 2))
        packet += heads[which % len(heads)] + body
        out.append(struct.pack(">BBH", 0x24, channel, len(packet)) + packet)
    _same(codec, built, b"".join(out), cuts)


@CODECS
@RELAXED
@given(data=st.data())
def test_a_source_tells_the_same_of_garbled_bytes(
    coded: Callable[..., Any],
    packetiser: Any,
    describe: Callable[..., str],
    make_sink: Any,
    codec: str,
    built: library.Library,
    data: st.DataObject,
) -> None:
    """A conversation with flipped, missing and stray bytes: units, counts and the error are the same."""
    made = coded(codec)
    raw = bytearray(b"".join(packetiser(codec).stream(made)))
    for _ in range(data.draw(st.integers(0, 12))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    cuts = data.draw(st.lists(st.integers(0, 1 << 20), max_size=12))
    replies = _replies(describe(made, audio=SOUND))

    def told(pure: str | None, pieces: list[bytes]) -> list[object]:
        with _environment(pure):
            sink, wire = make_sink(), FakeWire([replies, *pieces])
            source = RtspSource(StreamAddress("rtsp://192.0.2.1/live"), sink, SystemClock(), connect=wire)
            ended = ""
            try:
                for _ in range(len(pieces) + 2):
                    source.poll(0.0)
            except SourceError as error:
                ended = error.code
            units = [(unit.track, unit.key, unit.data()) for unit in sink.units]
            status = source.status
            return [ended, units, status.pictures, status.lost_packets, status.dropped_pictures]

    whole = bytes(raw)
    plain = told("1", [whole[at : at + 60_000] for at in range(0, len(whole), 60_000)])
    if library.load(library.PATH, library.SOURCE).library is None:
        pytest.skip("set-up built no library")
    assert told(None, _cut(whole, cuts)) == plain


def _replies(description: str) -> bytes:
    said = [
        "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n",
        f"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: {len(description)}\r\n\r\n{description}",
    ]
    for track in range(2):
        transport = f"RTP/AVP/TCP;interleaved={2 * track}-{2 * track + 1}"
        said.append(f"RTSP/1.0 200 OK\r\nCSeq: {3 + track}\r\nSession: 5\r\nTransport: {transport}\r\n\r\n")
    said.append("RTSP/1.0 200 OK\r\nCSeq: 5\r\nSession: 5\r\n\r\n")
    return "".join(said).encode()


@CODECS
def test_a_true_stream_is_taken_by_the_compiled_code(
    coded: Callable[..., Any], packetiser: Any, codec: str, built: library.Library
) -> None:
    """All slices: or the comparisons above would compare the Python code with itself."""
    frames = packetiser(codec, aggregate_sets=False).stream(coded(codec))
    reader = Reader(codec, built)
    reader.all([b"".join(frames)])
    kinds = [_kind(codec, payload) for payload in reader.left]
    assert reader.video.packets == len(frames)
    assert len(kinds) < len(frames) // 4
    assert not any(kind <= 5 if codec == "h264" else kind <= 31 for kind in kinds[1:])


def _kind(codec: str, payload: bytes) -> int:
    if codec == "h264":
        return payload[1] & 31 if payload[0] & 31 == 28 else payload[0] & 31
    kind = payload[0] >> 1 & 63
    return payload[2] & 63 if kind == 49 else kind


@CODECS
@pytest.mark.parametrize("body", [3, 1300])
def test_a_picture_without_end_is_refused(
    packetiser: Any, codec: str, built: library.Library, body: int
) -> None:
    """By bytes and by pieces, as in Python, and nothing of it is kept."""
    packets = packetiser(codec)
    head, first, more = (b"\x7c", b"\x85", b"\x05") if codec == "h264" else (b"\x62\x01", b"\x93", b"\x13")
    reader = Reader(codec, built)
    reader.read(packets.frame(head + first + b"\x88" * body, 0, False))

    def pour() -> None:
        for _ in range(2000):
            reader.read(b"".join(packets.frame(head + more + b"x" * body, 0, False) for _ in range(40)))

    with pytest.raises(SourceError) as caught:
        pour()
    assert caught.value.code == "picture_too_large"


@CODECS
def test_another_codec_shows_while_the_sound_goes_on(
    packetiser: Any, codec: str, built: library.Library
) -> None:
    """Units of another codec count in a row, whatever sound the compiled code takes between them."""
    packets = packetiser(codec)
    voice = packetiser(codec, channel=2, payload_type=97, sequence=1, ssrc=9)
    foreign = b"\x42\x01\x01" if codec == "h264" else b"\x67\x64\x00"
    frames = []
    for place in range(10):
        frames += [packets.frame(foreign, 3600, False), voice.frame(b"\0\x10\0\x20abcd", place, True)]
    assert _same(codec, built, b"".join(frames), [])[-1] == "codec_changed"


def test_a_library_of_another_source_is_refused(tmp_path: Path, built: library.Library) -> None:
    """A source that has changed since: the Python code, and the sentence says what to do."""
    changed = tmp_path / "walk.c"
    changed.write_bytes(library.SOURCE.read_bytes() + b"\n")
    found = library.load(library.PATH, changed)
    assert found.library is None
    assert "scripts/setup" in found.why


@pytest.mark.parametrize("content", [b"", b"\x7fELF not a library", b"x" * 5000])
def test_what_is_no_library_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file cut by a full disk, or of another machine: a sentence and the Python code."""
    path = tmp_path / "walk.so"
    path.write_bytes(content)
    found = library.load(path, library.SOURCE)
    assert found.library is None
    assert found.why.startswith("The compiled library cannot be used")


def test_a_library_with_another_layout_is_refused(tmp_path: Path, built: library.Library) -> None:
    """The right digest but another state: never called."""
    import hatch_build

    command = hatch_build.compiler()
    assert command is not None
    source = tmp_path / "other.c"
    digest = hashlib.sha256(library.SOURCE.read_bytes()).hexdigest()
    source.write_text(
        f'const char beholden_source[] = "{digest}";\n' + "long beholden_walk_state(void) { return 8; }\n"
        "long beholden_walk_scratch(void) { return 8; }\nlong beholden_walk_records(void) { return 8; }\n"
    )
    made = tmp_path / "walk.so"
    command += ["-shared", "-fPIC", "-o", str(made), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    found = library.load(made, library.SOURCE)
    assert found.library is None
    assert "does not fit" in found.why


def test_none_at_all_is_said(tmp_path: Path) -> None:
    """No library: a sentence and the Python code."""
    found = library.load(tmp_path / "walk.so", library.SOURCE)
    assert found.library is None
    assert "no compiled library" in found.why


def test_python_code_can_be_asked_for() -> None:
    """The switch for diagnosis."""
    with _environment("1"):
        found = library.chosen()
    assert found.library is None
    assert c_library.OFF in found.why
