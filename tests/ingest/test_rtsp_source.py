"""The RTSP client against scripted servers and scripted bytes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import re
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beholden.ingest.connection import FakeWire
from beholden.ingest.datagrams import FakeDatagrams
from beholden.ingest.rtsp import RtspSource
from beholden.ingest.source import SourceError
from beholden.model.camera import StreamAddress, StreamState
from beholden.model.gap import GapCause
from beholden.model.time import FakeClock, SystemClock

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SOUND = (
    "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:track2\r\n",
    "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 G726-32/8000\r\na=control:track2\r\n",
)
SECRET = "pass-wörd-7"


def _ended(source: RtspSource, seconds: float = 30.0) -> SourceError:
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            try:
                source.poll(time.monotonic())
            except SourceError as error:
                return error
            time.sleep(0.002)
    finally:
        source.close()
    raise AssertionError("the source did not end")


@dataclass
class Rig:
    """A scripted server, what a camera may send, and the sink of a source that pulls it."""

    server: Any
    sink: Any
    coded: Callable[..., Any]
    packetiser: Any
    describe: Callable[..., str]
    until: Callable[..., None]

    def offer(self, codec: str) -> Any:
        """The server describes and plays twelve pictures, and nothing else."""
        made = self.coded(codec)
        self.server.description = self.describe(made)
        self.server.play = b"".join(self.packetiser(codec).stream(made))
        return made

    def source(self, path: str = "", login: tuple[str, str] = ("", ""), **more: Any) -> RtspSource:
        """A pull of the server."""
        return RtspSource(StreamAddress(self.server.url + path, *login), self.sink, SystemClock(), **more)

    def run(self, source: RtspSource, done: Callable[[], object]) -> None:
        """Poll until done, then close."""
        self.until(lambda: source.poll(time.monotonic()), done)
        source.close()


@pytest.fixture
def rig(
    server: Any,
    sink: Any,
    coded: Callable[..., Any],
    packetiser: Any,
    describe: Callable[..., str],
    until: Callable[..., None],
) -> Rig:
    """One of the test's own."""
    return Rig(server, sink, coded, packetiser, describe, until)


def _conversation(description: str, media: bytes, tracks: int = 1) -> bytes:
    replies = [
        "RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS\r\n\r\n",
        f"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: {len(description)}\r\n\r\n{description}",
        *(
            f"RTSP/1.0 200 OK\r\nCSeq: {3 + track}\r\nSession: 5;timeout=60\r\n"
            f"Transport: RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}\r\n\r\n"
            for track in range(tracks)
        ),
        f"RTSP/1.0 200 OK\r\nCSeq: {3 + tracks}\r\nSession: 5\r\n\r\n",
    ]
    return "".join(replies).encode() + media


def _play_pieces(pieces: list[bytes], sink: Any) -> RtspSource:
    wire = FakeWire(pieces)
    address, bind = StreamAddress("rtsp://192.0.2.1/live"), FakeDatagrams()  # for what answers 461
    source = RtspSource(address, sink, FakeClock(), connect=wire, bind=bind)
    while True:
        source.poll(0.0)
        if not wire.left:
            source.poll(0.0)
            return source


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(data)]
    return [data[one:other] for one, other in itertools.pairwise(edges) if one < other]


def _media(coded: Any, packetiser: Any) -> bytes:
    video = packetiser(coded.codec)
    sound = packetiser("pcmu", channel=2, payload_type=0)
    out = []
    for number, (pts, _, nals) in enumerate(coded.pictures):
        out += video.picture(nals, pts)
        out.append(sound.frame(bytes((number,)) * 320, 320 * number, False))
        if number == 5:
            out.append(b"RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n\r\n")
    report = struct.pack(">BBHIQIII", 0x80, 200, 6, 7, (2_208_988_800 + 1_767_225_603) << 32, 0, 0, 0)
    out.append(b"$\1" + len(report).to_bytes(2, "big") + report)
    return b"".join(out)


@pytest.mark.parametrize("codec", ["h264", "h265"])
@RELAXED
@given(places=st.lists(st.integers(0, 60_000), max_size=40))
def test_any_fragmentation_gives_the_same_units(
    coded: Callable[..., Any],
    packetiser: Any,
    describe: Callable[..., str],
    make_sink: Callable[[], Any],
    codec: str,
    places: list[int],
) -> None:
    """However TCP cuts replies and media, the same calls reach the sink."""
    made = coded(codec)
    data = _conversation(describe(made, SOUND[0]), _media(made, packetiser), tracks=2)
    whole, cut = make_sink(), make_sink()
    _play_pieces([data], whole)
    _play_pieces(_cut(data, [place for place in places if place < len(data)]), cut)
    assert cut.calls == whole.calls
    assert [(one.track, one.pts, one.data(), one.duration) for one in cut.units] == [
        (one.track, one.pts, one.data(), one.duration) for one in whole.units
    ]
    assert [unit.data() for unit in whole.video] == made.samples()


def test_a_byte_at_a_time_is_enough(
    coded: Callable[..., Any], packetiser: Any, describe: Callable[..., str], sink: Any
) -> None:
    """The worst fragmentation there is."""
    made = coded("h264")
    data = _conversation(describe(made, SOUND[0]), _media(made, packetiser), tracks=2)
    source = _play_pieces([bytes((byte,)) for byte in data], sink)
    assert [unit.data() for unit in sink.video] == made.samples()
    assert len(sink.audio) == len(made.pictures)
    assert source.status.clock_offset_ms == 3000
    assert source.status.bytes == len(data)


@RELAXED
@given(data=st.data())
def test_mutated_conversations_end_in_typed_errors_only(
    coded: Callable[..., Any],
    packetiser: Any,
    describe: Callable[..., str],
    make_sink: Callable[[], Any],
    data: st.DataObject,
) -> None:
    """Bytes changed, removed or added anywhere: access units or a SourceError, nothing else."""
    made = coded("h264")
    raw = bytearray(_conversation(describe(made, SOUND[0]), _media(made, packetiser), tracks=2))
    for _ in range(data.draw(st.integers(1, 20))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(SourceError):
        _play_pieces([bytes(raw)], make_sink())


@RELAXED
@given(st.binary(max_size=4000))
def test_random_answers_end_in_typed_errors_only(
    coded: Callable[..., Any], describe: Callable[..., str], make_sink: Callable[[], Any], noise: bytes
) -> None:
    """As the first thing said, and behind a good beginning; what is kept of it is bounded."""
    good = _conversation(describe(coded("h264")), b"")
    for data in (noise, good + noise, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n" + noise):
        try:
            source = _play_pieces([data], make_sink())
        except SourceError:
            continue
        assert len(source._rest) <= 65_536 + 4


def test_endless_noise_is_given_up(
    coded: Callable[..., Any], describe: Callable[..., str], sink: Any
) -> None:
    """A header without end, and stray bytes without end."""
    good = _conversation(describe(coded("h264")), b"")
    for first, rest in ((b"RTSP/1.0 200 OK\r\n", b"x: y\r\n" * 20_000), (good, b"#" * (2 << 20))):
        with pytest.raises(SourceError) as caught:
            _play_pieces([first, rest], sink)
        assert caught.value.code in ("not_rtsp", "stream_garbled")


@pytest.mark.rtsp
def test_a_usual_camera_plays(rig: Rig) -> None:
    """The order of requests, the counters, and TEARDOWN at the end."""
    made = rig.coded("h264")
    rig.server.description = rig.describe(made, SOUND[0])
    rig.server.play = _media(made, rig.packetiser)
    source = rig.source()
    rig.run(source, lambda: len(rig.sink.video) == 12 and source.status.playing)
    rig.until(lambda: None, lambda: "TEARDOWN" in rig.server.methods())
    assert rig.server.methods() == ["OPTIONS", "DESCRIBE", "SETUP", "SETUP", "PLAY", "TEARDOWN"]
    assert [asked.url for asked in rig.server.asked[2:4]] == [
        f"{rig.server.url}/track1",
        f"{rig.server.url}/track2",
    ]
    assert rig.sink.calls[:2] == ["format", "key"]
    assert source.status.pictures == 12
    assert source.status.lost_packets == 0
    assert source.status.format is rig.sink.formats[0]
    assert (rig.sink.formats[0].video.width, rig.sink.formats[0].video.height) == (128, 98)


@pytest.mark.rtsp
def test_media_before_the_play_reply_is_kept(rig: Rig) -> None:
    """Some servers begin to send before they answer."""
    made = rig.coded("h264")
    rig.server.description = rig.describe(made)
    early = b"".join(rig.packetiser("h264").stream(made))
    rig.server.answers["PLAY"] = lambda asked: early + asked.reply(Session="77")
    source = rig.source()
    rig.run(source, lambda: source.status.playing)
    assert [unit.data() for unit in rig.sink.video] == made.samples()


@pytest.mark.rtsp
def test_without_sets_in_the_description_they_come_in_band(rig: Rig) -> None:
    """No sprop: the format is told from what comes with the first keyframe."""
    made = rig.coded("h265")
    rig.server.description = rig.describe(made, sprop=False)
    rig.server.play = b"".join(rig.packetiser("h265").stream(made))
    rig.run(rig.source(), lambda: len(rig.sink.video) == 12)
    assert rig.sink.calls[:2] == ["format", "key"]
    assert rig.sink.formats[0].video.parameter_sets == made.sets


@pytest.mark.rtsp
def test_a_change_of_resolution_is_told_at_its_keyframe(rig: Rig) -> None:
    """on_format comes right before the first picture of the new size."""
    small, large = rig.coded("h264"), rig.coded("h264", 320, 180)
    packets = rig.packetiser("h264")
    rig.server.description = rig.describe(small)
    rig.server.play = b"".join(packets.stream(small) + packets.stream(large, start=12 * 3600))
    rig.run(rig.source(), lambda: len(rig.sink.video) == 24)
    assert [one.video.width for one in rig.sink.formats] == [128, 320]
    at = rig.sink.calls.index("format", 1)
    assert rig.sink.calls[at + 1] == "key"
    assert sum(call in ("key", "video") for call in rig.sink.calls[:at]) == 12


@pytest.mark.rtsp
@pytest.mark.parametrize(
    ("base", "control", "expected"),
    [
        ("", "track1", "{url}/track1"),
        ("{url}/", "track1", "{url}/track1"),
        ("{url}/", "{url}/other?x=1", "{url}/other?x=1"),
        ("{url}", "/abs/track1", "{root}/abs/track1"),
        ("{root}/base/", "*", "{root}/base/"),
    ],
)
def test_control_urls(rig: Rig, base: str, control: str, expected: str) -> None:
    """Relative, absolute, rooted and empty ones, with and without Content-Base."""
    names = {"url": rig.server.url, "root": f"rtsp://127.0.0.1:{rig.server.port}"}
    description = rig.describe(rig.coded("h264")).replace(
        "control:track1", "control:" + control.format(**names)
    )
    headers = {"Content_Base": base.format(**names)} if base else {}
    rig.server.answers["DESCRIBE"] = lambda asked: asked.reply(body=description, **headers)
    rig.run(rig.source(), lambda: "PLAY" in rig.server.methods())
    assert rig.server.asked[2].url == expected.format(**names)


@pytest.mark.rtsp
@pytest.mark.parametrize("where", ["base", "control", "redirect"])
def test_another_host_is_not_followed(rig: Rig, where: str) -> None:
    """A camera cannot send us elsewhere; the reason names the host."""
    away = "rtsp://198.51.100.9/live/"
    description = rig.describe(rig.coded("h264"))
    if where == "control":
        description = description.replace("control:track1", f"control:{away}")
    rig.server.description = description
    if where == "base":
        rig.server.answers["DESCRIBE"] = lambda asked: asked.reply(body=description, Content_Base=away)
    if where == "redirect":
        rig.server.answers["DESCRIBE"] = lambda asked: asked.reply("302 Moved", Location=away)
    error = _ended(rig.source())
    assert (error.state, error.code) == (StreamState.REFUSED, "other_host")
    assert "198.51.100.9" in error.message


@pytest.mark.rtsp
def test_a_redirect_on_the_same_host_is_followed(rig: Rig) -> None:
    """And one that goes in circles is given up."""
    rig.offer("h264")
    usual = rig.server._as_camera
    rig.server.answers["DESCRIBE"] = lambda asked: (
        usual(asked)
        if asked.url.endswith("/real")
        else asked.reply("302 Moved", Location=f"{rig.server.url}/real")
    )
    rig.run(rig.source(), lambda: len(rig.sink.video) == 12)
    rig.server.answers["DESCRIBE"] = lambda asked: asked.reply("302 Moved", Location=rig.server.url)
    assert _ended(rig.source()).code == "redirect_loop"


def _digest_answer(asked: Any, nonce: str, algorithm: str = "MD5") -> bool:
    given_text = asked.headers.get("authorization", "")
    found = dict(re.findall(r'(\w+)="?([^",]+)"?', given_text))

    def digest(text: str) -> str:
        return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()

    secret, subject = digest(f"user:cam:{SECRET}"), digest(f"{asked.method}:{asked.url}")
    middle = f"{nonce}:{found.get('nc')}:{found.get('cnonce')}:auth"
    return found.get("nonce") == nonce and found.get("response") == digest(f"{secret}:{middle}:{subject}")


@pytest.mark.rtsp
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("stale", [False, True])
def test_digest_signs_in_and_survives_new_nonces(rig: Rig, algorithm: str, stale: bool) -> None:
    """A nonce of its own for each kind of request, marked stale or not, costs one more request each."""
    rig.offer("h264")
    usual = rig.server._as_camera

    def guarded(asked: Any) -> bytes:
        nonce = f"nonce-{asked.method}"
        if _digest_answer(asked, nonce, algorithm):
            return usual(asked)
        text = (
            f'Digest realm="cam", nonce="{nonce}", qop="auth", algorithm={algorithm}' + ", stale=true" * stale
        )
        return asked.reply("401 Unauthorized", WWW_Authenticate=text)

    for method in ("DESCRIBE", "SETUP", "PLAY"):
        rig.server.answers[method] = guarded
    rig.run(rig.source(login=("user", SECRET)), lambda: len(rig.sink.video) == 12)


@pytest.mark.rtsp
def test_basic_signs_in(rig: Rig) -> None:
    """Where a camera offers nothing better."""
    rig.offer("h264")
    usual = rig.server._as_camera
    wanted = "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode()
    rig.server.answers["DESCRIBE"] = lambda asked: (
        usual(asked)
        if asked.headers.get("authorization") == wanted
        else asked.reply("401 Unauthorized", WWW_Authenticate='Basic realm="cam"')
    )
    rig.run(rig.source(login=("user", SECRET)), lambda: len(rig.sink.video) == 12)


@pytest.mark.rtsp
@pytest.mark.parametrize(
    "offer", ['Basic realm="c"', 'Digest realm="c", nonce="n"', 'Digest realm="c", nonce="n", stale=true']
)
def test_a_wrong_password_is_tried_once(rig: Rig, offer: str) -> None:
    """One answer, then the refusal: cameras lock accounts. No text holds the password."""
    rig.server.answers["DESCRIBE"] = lambda asked: asked.reply("401 Unauthorized", WWW_Authenticate=offer)
    source = rig.source(login=("user", SECRET))
    error = _ended(source)
    assert (error.state, error.cause) == (StreamState.REFUSED, GapCause.LOGIN_REFUSED)
    assert error.message == "The camera refused the user name or password."
    assert sum("authorization" in asked.headers for asked in rig.server.asked) == 1
    assert SECRET not in f"{error} {error!r} {source!r} {source._credentials!r} {source._address!r}"


@pytest.mark.rtsp
def test_a_password_is_asked_for_in_words(rig: Rig) -> None:
    """No user name given; and a way of signing in nobody knows."""
    rig.server.answers["DESCRIBE"] = lambda asked: asked.reply(
        "401 Unauthorized", WWW_Authenticate='Basic realm="c"'
    )
    assert _ended(rig.source()).code == "login_wanted"
    rig.server.answers["DESCRIBE"] = lambda asked: asked.reply(
        "401 Unauthorized", WWW_Authenticate="Negotiate"
    )
    assert _ended(rig.source(login=("user", SECRET))).code == "login_unknown"


@pytest.mark.rtsp
@pytest.mark.parametrize(
    ("method", "status", "state", "code"),
    [
        ("DESCRIBE", "404 Not Found", StreamState.REFUSED, "no_such_stream"),
        ("DESCRIBE", "403 Forbidden", StreamState.REFUSED, "stream_forbidden"),
        ("DESCRIBE", "503 Service Unavailable", StreamState.OFFLINE, "camera_busy"),
        ("SETUP", "461 Unsupported Transport", StreamState.UNSUPPORTED, "no_transport"),
        ("SETUP", "500 Internal Server Error", StreamState.OFFLINE, "camera_error"),
        ("PLAY", "454 Session Not Found", StreamState.OFFLINE, "session_ended"),
        ("PLAY", "400 Bad Request", StreamState.REFUSED, "stream_refused"),
    ],
)
def test_refusals_in_words(rig: Rig, method: str, status: str, state: StreamState, code: str) -> None:
    """Each status has its state, code, sentence and next step."""
    rig.server.description = rig.describe(rig.coded("h264"))
    rig.server.answers[method] = lambda asked: asked.reply(status)
    error = _ended(rig.source())
    assert (error.state, error.code) == (state, code)
    assert error.message.endswith(".")


@pytest.mark.rtsp
def test_a_camera_without_options_still_plays(rig: Rig) -> None:
    """501 to OPTIONS is no reason to stop."""
    rig.offer("h264")
    rig.server.answers["OPTIONS"] = lambda asked: asked.reply("501 Not Implemented")
    rig.run(rig.source(), lambda: len(rig.sink.video) == 12)


@pytest.mark.rtsp
@pytest.mark.parametrize("sound", [SOUND[1], SOUND[0]])
def test_sound_that_cannot_be_had_does_not_cost_the_picture(rig: Rig, sound: str) -> None:
    """An unknown codec, and a SETUP refused: video alone, and a note that says so."""
    made = rig.coded("h264")
    rig.server.description = rig.describe(made, sound)
    rig.server.play = b"".join(rig.packetiser("h264").stream(made))
    usual = rig.server._as_camera
    rig.server.answers["SETUP"] = lambda asked: (
        asked.reply("404 Not Found") if asked.url.endswith("track2") else usual(asked)
    )
    source = rig.source()
    rig.run(source, lambda: len(rig.sink.video) == 12)
    assert rig.sink.formats[0].audio is None
    assert len(source.status.notes) == 1


@pytest.mark.rtsp
def test_what_a_camera_says_of_people_is_never_asked_for(rig: Rig) -> None:
    """Metadata of a camera's own analysis (faces, age, gender, names) is not set up, dropped when it is sent
    all the same on a channel of its own, and a note says so."""
    made = rig.coded("h264")
    offered = "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:track9\r\n"
    rig.server.description = rig.describe(made, offered)
    xml = b"<tt:HumanFace><fc:Age>40</fc:Age><fc:Gender>Female</fc:Gender></tt:HumanFace>"
    unasked = b"$\x04" + struct.pack(">H", 12 + len(xml)) + b"\x80\xeb" + bytes(10) + xml
    rig.server.play = unasked + b"".join(rig.packetiser("h264").stream(made)) + unasked
    source = rig.source()
    rig.run(source, lambda: len(rig.sink.video) == 12)
    assert [
        asked.url for asked in rig.server.asked if asked.method == "SETUP" and "track9" in asked.url
    ] == []
    assert any("not taken" in note for note in source.status.notes)
    assert not any(xml in unit.data() for unit in rig.sink.video)


@pytest.mark.rtsp
@pytest.mark.parametrize(
    ("section", "code"),
    [
        ("m=video 0 RTP/AVP 96\r\na=rtpmap:96 MP4V-ES/90000\r\n", "codec_unsupported"),
        ("m=audio 0 RTP/AVP 0\r\n", "no_video"),
        ("", "no_video"),
    ],
)
def test_what_cannot_be_recorded_is_said(rig: Rig, section: str, code: str) -> None:
    """Old codecs, sound alone, nothing."""
    rig.server.description = f"v=0\r\n{section}x=\r\n"
    error = _ended(rig.source())
    assert (error.state, error.code) == (StreamState.UNSUPPORTED, code)


@pytest.mark.rtsp
@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\0\2\2\x46",
        b"220 ftp\r\n",
    ],
)
def test_another_protocol_is_named(rig: Rig, greeting: bytes) -> None:
    """A web server, SSH, TLS, FTP: unsupported, in one sentence."""
    rig.server.greeting, rig.server.silent = greeting, True
    error = _ended(rig.source())
    assert (error.state, error.code) == (StreamState.UNSUPPORTED, "not_rtsp")
    assert ("web server" in error.message) == greeting.startswith(b"HTTP")
    assert ("TLS" in error.message) == greeting.startswith(b"\x15")


@pytest.mark.parametrize(
    "url", ["http://h/x", "rtsp:///x", "ftp://h/", "rtsp://h:99999/", "rtsp://[::1/", "", "x"]
)
def test_a_wrong_address_is_said(sink: Any, url: str) -> None:
    """Nothing is connected to for an address that is none."""
    with pytest.raises(SourceError) as caught:
        RtspSource(StreamAddress(url), sink, FakeClock()).poll(0.0)
    assert caught.value.state is StreamState.UNSUPPORTED


@pytest.mark.rtsp
def test_a_host_that_says_nothing_is_a_stall(rig: Rig) -> None:
    """Accepts the connection, reads, and never answers."""
    rig.server.silent = True
    error = _ended(rig.source(reply_seconds=0.3))
    assert (error.state, error.cause) == (StreamState.STALLED, GapCause.CAMERA_STALLED)


@pytest.mark.rtsp
def test_a_port_nobody_listens_on_is_offline(sink: Any) -> None:
    """Refused connections name host and port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    error = _ended(RtspSource(StreamAddress(f"rtsp://127.0.0.1:{port}/"), sink, SystemClock()))
    assert (error.state, error.cause) == (StreamState.OFFLINE, GapCause.CAMERA_LOST)
    assert str(port) in error.message


@pytest.mark.rtsp
def test_names_are_looked_up_off_the_loop(rig: Rig) -> None:
    """localhost is found by name; a name that cannot be is offline in words."""
    rig.offer("h264")
    by_name = RtspSource(StreamAddress(f"rtsp://localhost:{rig.server.port}/live"), rig.sink, SystemClock())
    rig.run(by_name, lambda: len(rig.sink.video) == 12)
    error = _ended(RtspSource(StreamAddress("rtsp://no-such-camera.invalid/"), rig.sink, SystemClock()))
    assert error.state is StreamState.OFFLINE
    assert "no-such-camera.invalid" in error.message


@pytest.mark.rtsp
@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_server_that_hangs_up_is_offline(rig: Rig, method: str) -> None:
    """At each step of the way."""
    rig.server.description = rig.describe(rig.coded("h264"))
    rig.server.answers[method] = lambda asked: None
    error = _ended(rig.source())
    assert (error.state, error.cause) == (StreamState.OFFLINE, GapCause.CAMERA_LOST)


@pytest.mark.rtsp
def test_what_came_before_the_end_is_delivered(rig: Rig) -> None:
    """A camera that sends and closes: its pictures first, then the error."""
    made = rig.offer("h264")
    rig.server.hang_up_after_play = True
    error = _ended(rig.source())
    assert error.code == "camera_closed"
    assert [unit.data() for unit in rig.sink.video] == made.samples()


@pytest.mark.rtsp
def test_the_session_is_kept_alive(rig: Rig) -> None:
    """At half its timeout, by GET_PARAMETER where the camera knows it, with the session's number."""
    rig.server.description = rig.describe(rig.coded("h264"))
    rig.server.answers["SETUP"] = lambda asked: asked.reply(
        Transport=asked.headers["transport"], Session="9;timeout=20"
    )
    source = rig.source()
    rig.until(lambda: source.poll(time.monotonic()), lambda: source.status.playing)
    source.poll(time.monotonic() + 9)
    assert "GET_PARAMETER" not in rig.server.methods()
    source.poll(time.monotonic() + 11)
    rig.until(lambda: None, lambda: "GET_PARAMETER" in rig.server.methods())
    assert rig.server.asked[-1].headers["session"] == "9"
    source.close()


@pytest.mark.rtsp
def test_a_camera_may_choose_other_channels(rig: Rig) -> None:
    """What the reply to SETUP says is used."""
    made = rig.coded("h264")
    rig.server.description = rig.describe(made)
    rig.server.play = b"".join(rig.packetiser("h264", channel=6).stream(made))
    rig.server.answers["SETUP"] = lambda asked: asked.reply(
        Transport="RTP/AVP/TCP;unicast;interleaved=6-7;ssrc=1", Session="9"
    )
    rig.run(rig.source(), lambda: len(rig.sink.video) == 12)


@pytest.mark.rtsp
def test_a_later_pull_goes_on_after_the_former(rig: Rig) -> None:
    """With after_pts: a discontinuity first, then times beyond it."""
    rig.offer("h264")
    after = SystemClock().now_ms() * 90 + 100_000
    rig.run(rig.source(after_pts=after), lambda: len(rig.sink.video) == 12)
    assert rig.sink.calls[:3] == ["jump", "format", "key"]
    assert rig.sink.video[0].pts > after
