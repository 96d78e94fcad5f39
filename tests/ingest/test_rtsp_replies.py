"""Replies and requests of cameras that are not the usual ones, said over a fake wire."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from beholden.ingest.connection import FakeWire
from beholden.ingest.datagrams import FakeDatagrams
from beholden.ingest.loop import IngestLoop
from beholden.ingest.rtsp import RtspSource
from beholden.ingest.session import StreamSession
from beholden.ingest.source import SourceError
from beholden.model.camera import StreamAddress, StreamState, Transport
from beholden.model.time import FakeClock, SystemClock

OK = "RTSP/1.0 200 OK\r\nCSeq: {0}\r\n{1}\r\n"
TCP = "Session: 5;timeout=4\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
UDP = "Session: 5\r\nTransport: RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001\r\n"
SDP = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:1\r\n"


def _described(description: str = SDP, public: str = "OPTIONS, GET_PARAMETER") -> list[str]:
    body = f"Content-Length: {len(description)}\r\n\r\n{description}"
    return [OK.format(1, f"Public: {public}\r\n"), f"RTSP/1.0 200 OK\r\nCSeq: 2\r\n{body}"]


def _source(sink: Any, said: list[str], transport: Transport = Transport.AUTO) -> tuple[RtspSource, FakeWire]:
    wire = FakeWire([text.encode() for text in said])
    address = StreamAddress("rtsp://192.0.2.1/live", transport=transport)
    return RtspSource(address, sink, FakeClock(), connect=wire, bind=FakeDatagrams()), wire


def _poll(source: RtspSource, wire: FakeWire, now: float = 0.0) -> None:
    source.poll(now)
    while wire.left:
        source.poll(now)


def _ends(source: RtspSource, wire: FakeWire, now: float = 0.0) -> SourceError:
    with pytest.raises(SourceError) as caught:
        _poll(source, wire, now)
    return caught.value


def test_what_a_camera_asks_is_answered(sink: Any) -> None:
    """With its own number."""
    playing = [OK.format(3, TCP), OK.format(4, "Session: 5\r\n")]
    asked = "GET_PARAMETER rtsp://192.0.2.1/live RTSP/1.0\r\nCSeq: 77\r\n\r\n"
    source, wire = _source(sink, [*_described(), *playing, asked])
    _poll(source, wire)
    assert b"RTSP/1.0 200 OK\r\nCSeq: 77\r\n" in wire.sent


def test_keep_alives_come_in_half_the_time_and_change_when_refused(sink: Any) -> None:
    """GET_PARAMETER where the camera says it knows it, else OPTIONS. 454 ends the pull."""
    playing = [OK.format(3, TCP), OK.format(4, "Session: 5\r\n")]
    source, wire = _source(sink, [*_described(), *playing])
    _poll(source, wire)
    source.poll(1.9)
    assert b"GET_PARAMETER" not in wire.sent
    source.poll(2.1)
    assert wire.sent.count(b"GET_PARAMETER rtsp") == 1
    wire.left.append(b"RTSP/1.0 501 Not Implemented\r\nCSeq: 5\r\n\r\n")
    _poll(source, wire, 2.2)
    source.poll(4.3)
    assert wire.sent.count(b"GET_PARAMETER rtsp") == 1
    assert wire.sent.count(b"OPTIONS rtsp") == 2
    wire.left.append(b"RTSP/1.0 454 Session Not Found\r\nCSeq: 6\r\n\r\n")
    assert _ends(source, wire, 4.4).code == "session_ended"
    source.close()
    assert wire.sent.endswith(b"Session: 5\r\n\r\n")
    assert b"TEARDOWN" in wire.sent


def test_a_keep_alive_without_reply_is_not_the_end(sink: Any) -> None:
    """Only missing pictures are."""
    source, wire = _source(sink, [*_described(), OK.format(3, TCP), OK.format(4, "")])
    _poll(source, wire)
    source.poll(2.1)
    source.poll(30.0)
    source.poll(30.1)
    assert wire.sent.count(b"GET_PARAMETER rtsp") == 2


@pytest.mark.parametrize("parameters", ["packetization-mode=2", "sprop-max-don-diff=3"])
def test_interleaved_pictures_are_left_to_the_fallback(sink: Any, parameters: str) -> None:
    """Our client does not put them in order."""
    description = SDP + f"a=fmtp:96 {parameters}\r\n"
    error = _ends(*_source(sink, _described(description)))
    assert (error.code, error.fallback) == ("interleaved_mode", True)


def test_a_camera_that_answers_with_udp_is_pulled_by_udp(sink: Any) -> None:
    """Where that is left to it: asked again, with our own ports."""
    source, wire = _source(sink, [*_described(), OK.format(3, UDP), OK.format(4, UDP), OK.format(5, "")])
    _poll(source, wire)
    assert source.status.transport == "udp"
    assert b"RTP/AVP;unicast;client_port=5000-5001" in wire.sent
    assert source.status.playing


@pytest.mark.parametrize(
    ("transport", "reply", "code"),
    [(Transport.UDP, TCP, "no_udp"), (Transport.TCP, UDP, "no_tcp")],
)
def test_another_transport_than_the_chosen_one_is_refused(
    sink: Any, transport: Transport, reply: str, code: str
) -> None:
    """What a person chose is kept to."""
    assert _ends(*_source(sink, [*_described(), OK.format(3, reply)], transport)).code == code


def test_a_session_may_end_before_it_began(sink: Any) -> None:
    """A body or header that cannot be is no RTSP."""
    for said in ("RTSP/1.0 200 OK\r\nContent-Length: x\r\n\r\n", "RTSP/1.0 2\r\n\r\n",
                 "RTSP/1.0 200 OK\r\nContent-Length: 999999\r\n\r\n"):  # fmt: skip
        assert _ends(*_source(sink, [said])).code == "not_rtsp"


@pytest.mark.rtsp
def test_a_watched_stream_over_udp_is_read_as_it_arrives(
    virtual_cameras: Any, sink: Any, until: Callable[..., None]
) -> None:
    """In the real loop: much sooner than its tick would."""
    address = StreamAddress(virtual_cameras.url("lawn"), transport=Transport.UDP)
    session = StreamSession(address, sink, SystemClock())
    session.fast = True
    loop = IngestLoop(SystemClock(), tick=5.0)
    loop.add(session)
    began = time.monotonic()

    class Enough:
        eager = False

        def poll(self, now: float) -> None:
            if now - began > 11:
                loop.stop()

        def fileno(self) -> None:
            return None

        def wants_write(self) -> bool:
            return False

        def fail(self, now: float) -> None:
            raise AssertionError(now)

    loop.add(Enough())
    loop.run()
    assert session.state is StreamState.LIVE
    assert len(sink.video) > 50
    assert len({unit.arrival_ms for unit in sink.video}) > 40  # not a handful of ticks
    session.close()
    loop.close()
