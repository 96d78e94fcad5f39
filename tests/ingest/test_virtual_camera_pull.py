"""The whole path: virtual cameras over real RTSP, our client, the fallback, a session, a probe."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from beholden.demo.camera import VirtualCamera
from beholden.demo.rtsp_server import start_virtual_cameras
from beholden.ingest.fallback import fallback_source
from beholden.ingest.loop import IngestLoop
from beholden.ingest.probe import probe
from beholden.ingest.rtsp import RtspSource
from beholden.ingest.session import StreamSession
from beholden.ingest.source import FakeSource, SourceError
from beholden.model.camera import StreamAddress, StreamState
from beholden.model.gap import GapCause
from beholden.model.media import Track
from beholden.model.time import SystemClock

pytestmark = pytest.mark.rtsp
CAMERAS = [
    ("gate", "h264", "aac"),
    ("yard", "h264", "pcmu"),
    ("hall", "h265", "aac"),
    ("roof", "h264", "opus"),
]
Until = Callable[..., None]


def _pull(make: Any, url: str, sink: Any, until: Until, pictures: int = 25) -> Any:
    source = make(StreamAddress(url), sink, SystemClock())
    until(lambda: source.poll(time.monotonic()), lambda: len(sink.video) >= pictures)
    source.close()
    return source


@pytest.mark.parametrize("make", [RtspSource, fallback_source])
@pytest.mark.parametrize(("name", "video", "audio"), CAMERAS)
def test_every_codec_arrives(
    virtual_cameras: Any, sink: Any, until: Until, make: Any, name: str, video: str, audio: str
) -> None:
    """Formats, even picture times, exact sound, and times near the wall, through either client."""
    source = _pull(make, virtual_cameras.url(name), sink, until)
    assert (sink.formats[0].video.codec, sink.formats[0].audio.codec) == (video, audio)
    steps = {later.pts - earlier.pts for earlier, later in zip(sink.video, sink.video[1:], strict=False)}
    assert steps == {9000}
    assert source.status.lost_packets == 0
    assert abs(sink.video[-1].pts // 90 - sink.video[-1].arrival_ms) < 5000
    cracks = [
        later.pts - earlier.pts - earlier.duration
        for earlier, later in zip(sink.audio, sink.audio[1:], strict=False)
    ]
    assert cracks
    assert all(crack >= 0 for crack in cracks)
    assert sum(crack > 0 for crack in cracks) <= 2
    if make is RtspSource:
        assert source.status.clock_offset_ms is not None


def test_what_was_sent_is_what_arrives(
    camera_factory: Any, clip_factory: Any, sink: Any, until: Until
) -> None:
    """Every picture from the first on, in size and order."""
    server = camera_factory([VirtualCamera("one", clip_factory())])
    _pull(RtspSource, server.url("one"), sink, until, 40)
    sent = [picture.key for picture in server.sent_pictures("one")]
    assert [unit.key for unit in sink.video[:30]] == sent[:30]


@pytest.mark.parametrize(
    "fault", ["early", "wrap", "no_parameter_sets", "no_in_band", "mid_gop", "no_marker"]
)
def test_peculiar_cameras_work(virtual_cameras: Any, sink: Any, until: Until, fault: str) -> None:
    """Nothing is lost and nothing jumps."""
    source = _pull(RtspSource, virtual_cameras.url("lawn", **{fault: 1}), sink, until)
    assert "jump" not in sink.calls
    if fault != "no_in_band":  # it takes packets out of the numbering
        assert source.status.lost_packets == 0
    assert sink.video[0].key


def test_a_clock_that_jumps_is_told_and_loses_nothing(virtual_cameras: Any, sink: Any, until: Until) -> None:
    """Times rise evenly over the jump; the discontinuity stands before a keyframe."""
    _pull(RtspSource, virtual_cameras.url("lawn", jump="1:5000"), sink, until, 40)
    at = sink.calls.index("jump")
    assert sink.calls[at + 1] == "key"
    times = [unit.pts for unit in sink.video]
    assert times == sorted(times)
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 90_000


def test_a_dropped_connection_is_taken_up_again(virtual_cameras: Any, sink: Any, until: Until) -> None:
    """The session reconnects, tells a discontinuity and stays in order."""
    session = StreamSession(
        StreamAddress(virtual_cameras.url("gate", drop=2)), sink, SystemClock(), random=lambda: 0.9
    )
    until(
        lambda: session.poll(time.monotonic()),
        lambda: "jump" in sink.calls and sink.calls[-1] != "format",
    )
    session.close()
    at = sink.calls.index("jump")
    assert sink.calls[at + 1 : at + 3] == ["format", "key"]
    times = [unit.pts for unit in sink.units if unit.track is Track.VIDEO]
    assert times == sorted(set(times))


def test_a_frozen_camera_is_a_stall(virtual_cameras: Any, sink: Any, until: Until) -> None:
    """The connection stays open and nothing comes."""
    session = StreamSession(
        StreamAddress(virtual_cameras.url("gate", freeze=1)), sink, SystemClock(), stall_seconds=1.0
    )
    until(lambda: session.poll(time.monotonic()), lambda: session.state is StreamState.STALLED)
    session.close()


def test_a_good_camera_gets_a_good_verdict(virtual_cameras: Any) -> None:
    """With its figures, and a keyframe to decode."""
    found = probe(StreamAddress(virtual_cameras.url("gate")))
    assert (found.verdict, found.codec, found.audio_codec) == ("good", "h264", "aac")
    assert (found.width, found.height, found.fps, found.gop_seconds) == (320, 180, 10.0, 1.0)
    assert found.key is not None
    assert found.key.key
    assert found.format is not None
    assert found.kbps


@pytest.mark.parametrize(
    ("codec", "audio", "words"),
    [("av1", "l16", "AV1, 320×192, 10 fps"), ("mjpeg", "pcma", "Motion JPEG, 320×192, 10 fps")],
)
def test_every_kind_we_keep_gets_a_good_verdict(
    camera_factory: Any, clip_factory: Any, codec: str, audio: str, words: str
) -> None:
    """In the words people use, with what becomes of it in browsers."""
    server = camera_factory([VirtualCamera("one", clip_factory(codec=codec, audio=audio, height=192))])
    found = probe(StreamAddress(server.url("one")))
    assert (found.verdict, found.codec, found.audio_codec) == ("good", codec, audio)
    assert found.sentence == f"This camera can be recorded: {words}."
    assert any("converted" in text for _, text in found.remarks)
    assert found.key is not None


@pytest.mark.parametrize("make", [RtspSource, fallback_source])
@pytest.mark.parametrize(("codec", "audio"), [("av1", "aac"), ("mjpeg", "l16")])
def test_the_newer_kinds_arrive_through_either_client(
    camera_factory: Any, clip_factory: Any, sink: Any, until: Until, make: Any, codec: str, audio: str
) -> None:
    """FFmpeg, as another reader of our camera's packets, and we agree on formats and times."""
    server = camera_factory([VirtualCamera("one", clip_factory(codec=codec, audio=audio, height=192))])
    _pull(make, server.url("one"), sink, until)
    video = sink.formats[0].video
    assert (video.codec, video.width, video.height) == (codec, 320, 192)
    assert sink.formats[0].audio.codec == audio
    assert {b.pts - a.pts for a, b in itertools.pairwise(sink.video)} == {9000}


@pytest.mark.parametrize(
    ("camera", "fault"),
    [("none", {}), ("lawn", {"unknown_codec": 1}), ("lawn", {"unauthorised": 0}), ("lawn", {"refuse": 404})],
)
def test_a_bad_camera_gets_a_sentence(virtual_cameras: Any, camera: str, fault: dict[str, object]) -> None:
    """Never an exception, never the password."""
    secret = "not-to-be-seen"
    found = probe(StreamAddress(virtual_cameras.url(camera, **fault), "user", secret), seconds=3)
    assert found.verdict == "bad"
    assert found.sentence.endswith(".")
    assert found.next_step
    assert secret not in repr(found)


def test_a_silent_camera_is_bad_in_time(virtual_cameras: Any) -> None:
    """The time given is kept to, and the verdict says that nothing came."""
    found = probe(StreamAddress(virtual_cameras.url("lawn", silent="")), seconds=1)
    assert found.verdict == "bad"
    assert found.key is None


def test_a_camera_that_only_the_fallback_can_pull_is_not_bad(virtual_cameras: Any) -> None:
    """The verdict is that of the client a recorder would use in the end."""
    address = StreamAddress(virtual_cameras.url("lawn"))

    def refused(*_: object, **__: object) -> FakeSource:
        state, cause = StreamState.UNSUPPORTED, GapCause.STREAM_UNSUPPORTED
        error = SourceError(state, cause, "no_tcp", "Only UDP.", "", fallback=True)
        return FakeSource(Nothing(), SystemClock(), [error])

    assert probe(address, make_source=refused).transport == "pyav"
    found = probe(address, make_source=refused, make_fallback=refused)
    assert (found.verdict, found.sentence) == ("bad", "Only UDP.")


class Nothing:
    """A sink nothing reaches."""

    def on_format(self, stream_format: object) -> None: ...
    def on_access_unit(self, unit: object) -> None: ...
    def on_discontinuity(self) -> None: ...


def _refusal(url: str, sink: Any, until: Until) -> SourceError:
    source = RtspSource(StreamAddress(url), sink, SystemClock())
    with pytest.raises(SourceError) as caught:
        until(lambda: source.poll(time.monotonic()), lambda: False)
    source.close()
    return caught.value


def test_a_redirect_to_the_same_host_is_followed(virtual_cameras: Any, sink: Any, until: Until) -> None:
    """To another camera of it: the one with the other format."""
    _pull(RtspSource, virtual_cameras.url("lawn", redirect="hall"), sink, until, 3)
    assert sink.formats[0].video.codec == "h265"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"redirect": "//192.0.2.7"}, "other_host"),
        ({"redirect_loop": True}, "redirect_loop"),
        ({"absolute_control": "192.0.2.7"}, "other_host"),
        ({"refuse": "453"}, "camera_busy"),
        ({"refuse": "500:SETUP"}, "camera_error"),
        ({"refuse": "403"}, "stream_forbidden"),
        ({"refuse": "405:PLAY"}, "stream_refused"),
    ],
)
def test_what_is_not_followed_is_refused_with_the_reason(
    virtual_cameras: Any, sink: Any, until: Until, fault: dict[str, object], code: str
) -> None:
    """And nothing is pulled."""
    error = _refusal(virtual_cameras.url("lawn", **fault), sink, until)
    assert error.code == code
    assert sink.units == []


def test_the_camera_is_told_of_the_end(
    camera_factory: Any, clip_factory: Any, sink: Any, until: Until
) -> None:
    """TEARDOWN reaches it even with media unread, so it stops sending and has room for the next viewer."""
    server = camera_factory([VirtualCamera("one", clip_factory())])
    _pull(RtspSource, server.url("one"), sink, until, 15)
    until(lambda: None, lambda: server.torn_down >= 1, 10)


def test_half_open_connections_are_stalls(virtual_cameras: Any, sink: Any, until: Until) -> None:
    """Nothing is sent, answered or reset: only the stall tells, and the camera is tried again."""
    session = StreamSession(
        StreamAddress(virtual_cameras.url("lawn", half_open=1)), sink, SystemClock(), stall_seconds=1.0
    )
    until(lambda: session.poll(time.monotonic()), lambda: session.state is StreamState.STALLED)
    until(lambda: session.poll(time.monotonic()), lambda: session.state is StreamState.LIVE)
    session.close()
    assert session.reconnects == 1


def test_a_slow_trickle_is_a_stall_that_says_so(virtual_cameras: Any, sink: Any, until: Until) -> None:
    """Bytes come, pictures do not."""
    session = StreamSession(
        StreamAddress(virtual_cameras.url("wide", trickle=400)), sink, SystemClock(), stall_seconds=2.0
    )
    until(lambda: session.poll(time.monotonic()), lambda: session.state is StreamState.STALLED)
    assert "no complete picture" in session.reason
    session.close()


def test_a_restarted_server_is_back_soon(clip_factory: Any, sink: Any, until: Until) -> None:
    """The session is live again with the pictures after the restart."""
    cameras = [VirtualCamera("one", clip_factory())]
    first = start_virtual_cameras(cameras)
    session = StreamSession(StreamAddress(first.url("one")), sink, SystemClock())
    poll = lambda: session.poll(time.monotonic())  # noqa: E731
    until(poll, lambda: session.state is StreamState.LIVE)
    first.stop()
    until(poll, lambda: session.state is StreamState.OFFLINE)
    with start_virtual_cameras(cameras, port=first.port):
        until(poll, lambda: session.state is StreamState.LIVE)
        session.close()
    assert session.reconnects == 1


def test_many_cameras_start_together(camera_factory: Any, clip_factory: Any) -> None:
    """Sixty-four pulls in one loop: none waits for another, and each is greeted as its answers come."""
    clip = clip_factory()
    server = camera_factory([VirtualCamera(f"c{number}", clip) for number in range(64)])
    loop, clock = IngestLoop(SystemClock()), SystemClock()
    sessions = [
        StreamSession(StreamAddress(server.url(f"c{number}")), Nothing(), clock) for number in range(64)
    ]
    for session in sessions:
        loop.add(session)
    began, live = time.monotonic(), []

    def look() -> None:
        now = time.monotonic() - began
        live.append((now, sum(session.state is StreamState.LIVE for session in sessions)))
        if live[-1][1] == 64 or now > 60:
            loop.stop()

    loop.call_every(0.05, look)
    loop.run()
    for session in sessions:
        session.close()
    loop.close()
    assert live[-1][1] == 64
    assert server.connections == 64
