"""What is fuzzed: functions of bytes that may raise nothing but the errors they are documented to raise.

**To add a target**: write a function that takes the fuzzer's bytes, put ``@target(seed, …)`` above it, and
give one or more seeds: true inputs the fuzzer changes. Catch inside what the code may raise (its typed
error), and assert what must hold of what it gives. Anything else that escapes, more than ``SECONDS`` for one
input or more than ``MEGABYTES`` of memory is a finding. To fuzz a new **RTP codec**, add its session
description to ``DESCRIPTIONS``: it becomes the target ``media_NAME``. Modules whose coverage guides the
fuzzer are in ``GUIDED``.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import struct
from collections.abc import Callable
from dataclasses import dataclass

from beholden.ingest import auth, message, nal, sdp
from beholden.ingest.connection import FakeWire
from beholden.ingest.reorder import MOST_HELD, Reorder
from beholden.ingest.rtp import library
from beholden.ingest.rtp.aac import AacDepacketiser
from beholden.ingest.rtp.compiled import CompiledDepacketiser
from beholden.ingest.rtp.h264 import H264Depacketiser
from beholden.ingest.rtp.h265 import H265Depacketiser
from beholden.ingest.rtp.packet import parse_header, sender_reports
from beholden.ingest.rtsp import RtspSource
from beholden.ingest.source import SourceError
from beholden.model.camera import StreamAddress
from beholden.model.media import AccessUnit, AudioFormat, StreamFormat, Track, VideoFormat
from beholden.model.time import FakeClock
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

Fuzzed = Callable[[bytes], None]

_SPS = base64.b64decode("Z2QADKzZQUH7ARAAAAMAEAAAAwPA8UKZYA==")
_PPS = base64.b64decode("aOvjyyLA")
_H264_SETS = ",".join(base64.b64encode(each).decode() for each in (_SPS, _PPS))
_H265_SETS = (
    "sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwAelZgJ;"
    "sprop-sps=QgEBAWAAAAMAkAAAAwAAAwAeoBQgweWWVKkySwCAAAADAIAAAA8E;sprop-pps=RAHBcrRiQA=="
)
_VIDEO = (
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    f"a=fmtp:96 sprop-parameter-sets={_H264_SETS}\r\na=control:1\r\n"
)

DESCRIPTIONS: dict[str, str] = {
    "h264": _VIDEO,
    "h265": f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\na=fmtp:96 {_H265_SETS}\r\na=control:1\r\n",
    "aac": _VIDEO + "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\n"
    "a=fmtp:97 mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1408\r\na=control:2\r\n",
    "pcmu": _VIDEO + "m=audio 0 RTP/AVP 0\r\na=control:2\r\n",
    "av1": "m=video 0 RTP/AVP 96\r\na=rtpmap:96 AV1/90000\r\na=control:1\r\n",
    "mjpeg": "m=video 0 RTP/AVP 26\r\na=control:1\r\n",
    "l16": _VIDEO + "m=audio 0 RTP/AVP 99\r\na=rtpmap:99 L16/16000/2\r\na=control:2\r\n",
    "opus": _VIDEO + "m=audio 0 RTP/AVP 98\r\na=rtpmap:98 opus/48000/2\r\na=control:2\r\n",
}
"""Session descriptions by codec; the first section is the video, which is channel 0, sound is channel 2."""

_AV1_HEADER = bytes.fromhex("000000043cfecc4af90040")
_TRUE_SLICE = b"\x65\x88\x84\x21\xa0" + b"slice" * 4
_CHALLENGE = b'Digest realm="a camera", nonce="77", qop="auth", algorithm=SHA-256, stale=TRUE'


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to fuzz: ``seeds`` are inputs to begin from."""

    name: str
    fuzzed: Fuzzed
    seeds: tuple[bytes, ...]


TARGETS: dict[str, Target] = {}


def target(*seeds: bytes, name: str = "") -> Callable[[Fuzzed], Fuzzed]:
    """Make a function a target, named as it is."""

    def register(fuzzed: Fuzzed) -> Fuzzed:
        found = name or getattr(fuzzed, "__name__", "")
        TARGETS[found] = Target(found, fuzzed, seeds)
        return fuzzed

    return register


class CheckingSink:
    """Takes what a source delivers and holds it to its word."""

    def __init__(self) -> None:
        self.format: StreamFormat | None = None
        self.ends: dict[Track, int] = {}
        self.counts = {Track.VIDEO: 0, Track.AUDIO: 0}

    def on_format(self, stream_format: StreamFormat) -> None:
        """A format describes pictures that exist."""
        assert stream_format.video.width > 0 < stream_format.video.height
        assert stream_format.video.codec_string
        self.format = stream_format

    def on_discontinuity(self) -> None:
        """Sound begins anew."""
        self.ends.pop(Track.AUDIO, None)

    def on_access_unit(self, unit: AccessUnit) -> None:
        """Nothing before a format; sizes add up; sound never overlaps; nothing is empty."""
        self.counts[unit.track] += 1
        assert self.format is not None
        assert 0 < unit.size == len(unit.data())
        if unit.track is Track.AUDIO:
            assert unit.duration > 0
            assert unit.pts >= self.ends.get(Track.AUDIO, unit.pts)
            self.ends[Track.AUDIO] = unit.pts + unit.duration


def play(pieces: list[bytes]) -> CheckingSink:
    """What a sink gets of a camera that says these pieces, one a read."""
    wire, sink = FakeWire(pieces), CheckingSink()
    source = RtspSource(StreamAddress("rtsp://192.0.2.1/live", "user", "pw"), sink, FakeClock(), connect=wire)
    try:
        while wire.left:
            source.poll(0.0)
    except SourceError as error:
        _check_words(error)
    source.close()
    return sink


def _check_words(error: SourceError) -> None:
    assert error.message
    assert "pw" not in str(error).split()


def _replies(description: str) -> bytes:
    tracks = description.count("m=")
    body = "v=0\r\n" + description
    said = [
        "RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS, GET_PARAMETER\r\n\r\n",
        f"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: {len(body)}\r\n\r\n{body}",
    ]
    for track in range(tracks):
        channels = f"interleaved={2 * track}-{2 * track + 1}"
        said.append(
            f"RTSP/1.0 200 OK\r\nCSeq: {3 + track}\r\nSession: 5;timeout=60\r\n"
            f"Transport: RTP/AVP/TCP;unicast;{channels}\r\n\r\n"
        )
    said.append(f"RTSP/1.0 200 OK\r\nCSeq: {3 + tracks}\r\nSession: 5\r\n\r\n")
    return "".join(said).encode()


@target(_replies(DESCRIPTIONS["aac"]) + b"$\0\0\4\x80\x60\0\0")
def conversation(data: bytes) -> None:
    """Everything a camera says over TCP, cut anywhere."""
    cut = data[0] + 1 if data else 1
    play([data[at : at + 7 * cut] for at in range(0, len(data), 7 * cut)])


@target(
    b'RTSP/1.0 401 No\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="x"\r\nContent-Length: 2\r\n\r\nhi',
    b"GET_PARAMETER rtsp://x RTSP/1.0\r\nCSeq: 9\r\n\r\n",
)
def rtsp_message(data: bytes) -> None:
    """One message; what is found ends within the bytes."""
    message.may_begin(data, 0)
    try:
        found = message.read(data, 0)
    except message.MessageError:
        return
    if found is not None:
        assert 0 < found[1] <= len(data)


@target(*(description.encode() for description in DESCRIPTIONS.values()))
def session_description(data: bytes) -> None:
    """A description, and everything that is read from it."""
    for media in sdp.parse(data.decode("utf-8", "replace")).media:
        sdp.video_codec(media)
        sdp.parameter_sets(media)
        found = sdp.audio_format(media)
        if found is not None:
            assert found.rate > 0 < found.channels
            if found.codec == "aac":
                sdp.aac_layout(media)


@target(_CHALLENGE, b'Basic realm="a camera"', b'Digest nonce="1", qop="auth-int"')
def challenge(data: bytes) -> None:
    """What a camera asks a viewer to prove; the answer is one line and shows no password."""
    offers = data.decode("utf-8", "replace").split("\n")
    chosen = auth.choose_challenge(offers)
    if chosen is None:
        return
    credentials = auth.Credentials("user", "pässword", lambda: "cnonce")
    credentials.accept(chosen)
    answer = credentials.header("DESCRIBE", "rtsp://192.0.2.1/live")
    assert answer is not None
    assert "pässword" not in answer
    assert "\n" not in answer


@target(struct.pack(">BBHIQIII", 0x80, 200, 6, 7, 1 << 40, 9, 0, 0) + struct.pack(">BBHI", 0x81, 203, 1, 7))
def rtcp(data: bytes) -> None:
    """Compound reports, and RTP headers with lists, extensions and padding."""
    for report in sender_reports(data, 0, len(data)):
        assert report.ntp
    header = parse_header(data, 0, len(data))
    if header is not None:
        assert 12 <= header[0] <= header[1] <= len(data)


@target(bytes(range(40)), bytes((1, 0, 2, 0, 1, 9)))
def reorder(data: bytes) -> None:
    """Numbers and senders in any order: nothing more comes out than went in, and little is held."""
    order, out = Reorder(), []
    for at in range(0, len(data) - 1, 2):
        number = (data[at] << (data[at + 1] & 8)) & 0xFFFF
        order.push(struct.pack(">BBHII", 0x80, 96, number, 0, data[at + 1] & 3), at / 50, out)
        order.expire(at / 50, out)
        assert order.held <= MOST_HELD
    order.expire(1e9, out)
    order.expire(2e9, out)
    assert order.held == 0
    assert len(out) <= len(data) // 2


@target(_SPS, _PPS, base64.b64decode("QgEBAWAAAAMAkAAAAwAAAwAeoBQgweWWVKkySwCAAAADAIAAAA8E"))
def parameter_sets(data: bytes) -> None:
    """Sizes out of parameter sets."""
    for read in (nal.h264_size, nal.h265_size, nal.h264_pps_id):
        try:
            read(data)
        except nal.NalError:
            continue


def _frames(data: bytes, payload_types: tuple[int, int]) -> bytes:
    # A little language: how, length, payload. Most packets are as they should be, or nothing deep is reached.
    out, at = [], 0
    numbers, stamp = [0, 0], 0
    while at + 2 <= len(data):
        how, size = data[at], data[at + 1]
        payload = data[at + 2 : at + 2 + size]
        at += 2 + size
        track = how & 1
        numbers[track] = (numbers[track] + 1 + (2 if how & 2 else 0) - (3 if how & 4 else 0)) & 0xFFFF
        stamp = (stamp + (3600 if how & 8 else 0) + (1 << 24 if how & 0x60 == 0x60 else 0)) & 0xFFFFFFFF
        second = payload_types[track] | (0x80 if how & 16 else 0)
        packet = struct.pack(">BBHII", 0x80, second, numbers[track], stamp, 7) + payload
        out.append(struct.pack(">BBH", 0x24, 2 * track, len(packet)) + packet)
    return b"".join(out)


def media(description: str, data: bytes) -> CheckingSink:
    """Play this camera, with packets made of ``data``: (how, length, payload) again and again."""
    types = [int(line.split()[3]) for line in description.split("\r\n") if line.startswith("m=")]
    frames = _frames(data, (types[0], types[-1]))
    half = len(frames) // 2
    return play([_replies(description), frames[:half], frames[half:]])


def _fuzz_media(description: str, data: bytes) -> None:
    media(description, data)


def _media_target(name: str, description: str) -> None:
    avc = (
        _SPS,
        _PPS,
        _TRUE_SLICE,
        b"\x7c\x85\x88" + b"f" * 8,
        b"\x7c\x05" + b"g" * 8,
        b"\x7c\x45" + b"h" * 8,
    )
    hevc = (b"\x26\x01\xaf" + b"slice" * 4, b"\x62\x01\x93\x88" + b"f" * 8, b"\x62\x01\x53" + b"h" * 8)
    av1_units = (
        b"\x28\x0c\x08" + _AV1_HEADER + b"\x30\x10frame",
        b"\x50\x30abc",
        b"\x90def",
        b"\x10\x30\x00go",
    )
    jpeg = (
        b"\0\0\0\0\x01\x32\x02\x02" + b"scan" * 4,
        b"\0\0\0\x10\x01\x32\x02\x02more",
        b"\0\0\0\0\x41\xff\x02\x02\0\4\xff\xff\0\0\0\x40" + bytes(range(1, 65)) + b"scan",
    )
    sound = (b"\0\x10\0\x20abcd", b"\0\x20\0\x10\0\x10abcd", b"\xff" * 40)
    pictures = {"H265": hevc, "AV1": av1_units, "AVP 26": jpeg}
    chosen = next((some for word, some in pictures.items() if word in description), avc)
    pieces = [*chosen, *sound]
    seeds = [bytes((how, len(piece))) + piece for piece in pieces for how in (8, 24, 1, 9)]
    target(b"".join(seeds), *seeds, name=f"media_{name}")(functools.partial(_fuzz_media, description))


def _pictures(kind: type[CompiledDepacketiser], data: bytes, cut: int, how: str) -> list[object]:
    # By the hot path, compiled or not, as two reads would bring them; or packet by packet.
    found: list[object] = []

    def picture(stamp: int, key: bool, parts: list[bytes], size: int) -> None:
        assert size == sum(map(len, parts))
        found.append((stamp, key, b"".join(parts)))

    took = kind(0, 96, picture, found.append)
    took.use(library.chosen().library if how == "compiled" else None)
    sound = AacDepacketiser(97, lambda *frame: found.append(frame))
    took.hear(sound, 2)
    rest = b""
    try:
        for piece in (data[:cut], data[cut:]):
            rest, at = rest + piece, 0
            while True:
                if how != "packets":
                    at = took.walk(rest, at, len(rest))
                end = at + 4 + int.from_bytes(rest[at + 2 : at + 4], "big")
                if len(rest) - at < 4 or end > len(rest):
                    break
                (sound if rest[at + 1] else took).packet(rest, at + 4, end)
                at = end
            rest = rest[at:]
    except SourceError as error:
        found.append(error.code)
    return [*found, took.sequence.lost, took.dropped, took.packets, sound.packets]


@target(
    bytes((8, 8)) + b"\x7c\x85\x88frst" + bytes((0, 8)) + b"\x7c\x05middle" + bytes((16, 6)) + b"\x7c\x45last"
)
def walking(data: bytes) -> None:
    """The hot path, compiled and in Python, and the path of single packets see the same."""
    frames = _frames(data, (96, 97))
    for kind in (H264Depacketiser, H265Depacketiser):
        plain = _pictures(kind, frames, 0, "packets")
        for cut in {len(frames), len(frames) // 2, max(0, len(frames) - 7)}:
            for how in ("walk", "compiled"):
                walked = _pictures(kind, frames, cut, how)
                assert walked == plain, (how, walked, plain)


for _name, _description in DESCRIPTIONS.items():
    _media_target(_name, _description)


def _recorded() -> bytes:
    """A small file as the recorder writes it: two fragments of video and sound."""
    made = StreamFormat(
        VideoFormat("h264", 320, 180, (_SPS, _PPS)), AudioFormat("aac", 16_000, 1, b"\x14\x08")
    )
    writer, parts = FragmentWriter(), [build_init(made)]
    for second in range(2):
        video = [
            AccessUnit(Track.VIDEO, second * 90_000 + n * 9000, n == 0, (b"pic",), 3, 0) for n in range(10)
        ]
        sound = [
            AccessUnit(Track.AUDIO, second * 16_000 + n * 1024, True, (b"s",), 1, 0, 1024) for n in range(15)
        ]
        parts += writer.fragment(video, sound, (second + 1) * 90_000).parts
    return b"".join(parts)


@target(_recorded())
def recorded_file(data: bytes) -> None:
    """A file found on a disk: what is whole in it, and its pictures; nothing lies outside it."""
    try:
        found = walk(data)
    except Mp4Error:
        return
    assert len(found.init) <= found.end <= len(data)
    for ref in found.fragments:
        assert ref.offset + ref.size <= found.end
        with contextlib.suppress(Mp4Error):
            units = read_units(data[ref.offset : ref.offset + ref.size])
            assert sum(unit.size for unit in units) <= ref.size


@target(
    _recorded(), build_init(StreamFormat(VideoFormat("mjpeg", 320, 180, ()), AudioFormat("l16", 8000, 1)))
)
def init_segment(data: bytes) -> None:
    """The head of a file: a format that can be put into a head again, and the tracks a player is told of."""
    with contextlib.suppress(Mp4Error):
        for track in tracks.parse_init(data):
            track.config()
    with contextlib.suppress(Mp4Error):
        parse_init(data)


@target(_recorded()[len(walk(_recorded()).init) :])
def played_fragments(data: bytes) -> None:
    """Fragments on their way to a browser: taken apart, joined, and put together again."""
    with contextlib.suppress(Mp4Error):
        sample_runs(data)
    try:
        runs = [run for run in fragments.by_track(fragments.read_fragments(data)).values() if run.samples]
    except Mp4Error:
        return
    held = sum(len(sample.data) for run in runs for sample in run.samples)
    assert held <= 64 * len(data)
    if all(0 <= run.time < 1 << 63 and run.track < 1 << 32 for run in runs) and held < len(data):
        small = all(0 <= sample.duration < 1 << 32 for run in runs for sample in run.samples)
        if small:
            fragments.build_fragment(1, runs)


def everything(data: bytes) -> None:
    """All targets, the first byte says which; for a short run of all of them."""
    if data:
        names = sorted(TARGETS)
        TARGETS[names[data[0] % len(names)]].fuzzed(data[1:])
