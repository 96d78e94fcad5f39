"""Media over UDP: framing, receiver reports, the way through routers; then real sockets and a real server."""

from __future__ import annotations

import itertools
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from beholden.ingest.datagrams import FakeDatagrams, SocketPair
from beholden.ingest.probe import probe
from beholden.ingest.rtsp import RtspSource
from beholden.ingest.session import StreamSession
from beholden.ingest.source import SourceError
from beholden.ingest.udp import ENOUGH_BUFFER, REPORT_SECONDS, UdpMedia
from beholden.model.camera import StreamAddress, StreamState, Transport
from beholden.model.time import SystemClock

Until = Callable[..., None]
UDP, TCP = Transport.UDP, Transport.TCP
SERVER_PORTS = "RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971"


def _rtp(number: int, payload: bytes = b"media") -> bytes:
    return struct.pack(">BBHII", 0x80, 96, number & 0xFFFF, 1, 0x77) + payload


def _media(fake: FakeDatagrams) -> UdpMedia:
    media = UdpMedia(fake, "127.0.0.1", "192.0.2.9")
    assert media.add(0) == (5000, 5001)
    assert media.add(0) == (5000, 5001)  # asked for again after a 401
    media.aim(0, SERVER_PORTS)
    return media


def test_datagrams_become_interleaved_frames_in_order() -> None:
    """Media on the even channel, reports on the odd one; what is no RTP is left out."""
    fake = FakeDatagrams()
    media = _media(fake)
    fake.media += [_rtp(1), b"?", _rtp(3), _rtp(2), b"\0" * 40]
    fake.reports += [b"report"]
    assert media.read(0.0) == b"$\1\0\6report"
    out = media.read(1.0)
    frames = [_rtp(1), _rtp(2), _rtp(3)]
    assert out == b"".join(struct.pack(">BBH", 0x24, 0, len(frame)) + frame for frame in frames)
    assert media.packets == 3
    media.close()
    assert fake.closed


def test_the_camera_is_told_what_arrived() -> None:
    """A compound receiver report: losses, the highest number, and the sender report it answers."""
    fake = FakeDatagrams()
    media = _media(fake)
    assert fake.aimed == ("192.0.2.9", (6970, 6971))
    fake.media += [_rtp(number) for number in (65_534, 65_535, 0, 1, 6, 7)]
    ntp = 0x1122334455667788
    fake.reports += [struct.pack(">BBHIQIII", 0x80, 200, 6, 0x77, ntp, 0, 0, 0)]
    media.read(0.0)
    media.read(1.0)
    media.read(2.0)
    media.run_timers(3.0)
    assert media.tracks[0].order.received == 6
    (report, data), *others = fake.sent
    assert (report, others) == (True, [])
    head, kind, words, _, sender, lost, highest, _, last, since = struct.unpack_from(">BBHIIIIIII", data)
    assert (head, kind, words, sender) == (0x81, 201, 7, 0x77)
    assert (lost >> 24, lost & 0xFFFFFF, highest) == (256 * 4 // 10, 4, 65_536 + 7)
    assert (last, since) == (0x33445566, 3 * 65_536)
    assert data[32:36] == struct.pack(">BBH", 0x81, 202, 4)
    assert b"beholden" in data[32:]
    media.run_timers(3.0 + REPORT_SECONDS / 2)
    assert len(fake.sent) == 1


def test_the_way_through_a_router_is_opened() -> None:
    """Both ports send something before media is expected; again while none came."""
    fake = FakeDatagrams()
    media = _media(fake)
    media.punch()
    assert [report for report, _ in fake.sent] == [False, True]
    assert fake.sent[0][1][0] == 0x80
    media.run_timers(0.0)
    assert len(fake.sent) == 4


@pytest.mark.parametrize(
    ("said", "ports"),
    [
        ("RTP/AVP;unicast;server_port=6970-6971", (6970, 6971)),
        ("RTP/AVP;unicast;server_port=6970", (6970, 6971)),
        ("RTP/AVP;unicast", (0, 0)),
        ("RTP/AVP;server_port=x-y", (0, 0)),
        ("RTP/AVP;server_port=999999-1", (0, 1)),
        ("RTP/AVP;server_port=65535", (65_535, 0)),
    ],
)
def test_server_ports_are_read_with_care(said: str, ports: tuple[int, int]) -> None:
    """What a camera leaves out or gets wrong is not sent to."""
    fake = FakeDatagrams()
    media = UdpMedia(fake, "127.0.0.1", "192.0.2.9")
    media.add(0)
    media.aim(0, said)
    assert fake.aimed == ("192.0.2.9", ports)


def test_no_ports_is_said_in_words() -> None:
    """As a SourceError with a next step."""

    def none_left(local: str) -> FakeDatagrams:
        raise OSError(98, f"{local} in use")

    with pytest.raises(SourceError) as caught:
        UdpMedia(none_left, "127.0.0.1", "127.0.0.1").add(0)
    assert caught.value.code == "no_udp_ports"
    assert caught.value.next_step


def test_a_stream_with_little_room_in_the_kernel_is_read_at_once() -> None:
    """Only then."""
    for size, urgent in ((ENOUGH_BUFFER, False), (ENOUGH_BUFFER - 1, True)):
        media = UdpMedia(FakeDatagrams(buffer_bytes=size), "127.0.0.1", "127.0.0.1")
        media.add(0)
        assert media.urgent is urgent


def test_real_ports_are_neighbours_and_hear_only_the_camera() -> None:
    """Datagrams from another address are not the camera's; sending to a port not told is nothing."""
    pair = SocketPair("127.0.0.1")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as camera,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        camera.bind(("127.0.0.1", 0))
        camera.settimeout(10)
        other.bind(("127.0.0.2", 0))
        assert pair.ports[0] % 2 == 0
        assert pair.ports[1] == pair.ports[0] + 1
        pair.send(b"early", True)  # nobody to send to yet
        pair.aim("127.0.0.1", (0, camera.getsockname()[1]))
        pair.send(b"nowhere", False)
        pair.send(b"hello", True)
        assert camera.recv(100) == b"hello"
        other.sendto(b"forged", ("127.0.0.1", pair.ports[0]))
        camera.sendto(b"media", ("127.0.0.1", pair.ports[0]))
        end = time.monotonic() + 10
        while (got := pair.receive(False)) is None:
            assert time.monotonic() < end
        assert got == b"media"
        assert pair.receive(False) is None
        assert pair.receive(True) is None
    assert pair.fileno()
    pair.close()


def test_ports_exist_for_ipv6_too() -> None:
    """Where the machine has it."""
    try:
        pair = SocketPair("::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert pair.ports[0] % 2 == 0
    pair.close()


def _pull(url: str, sink: Any, until: Until, transport: Transport, pictures: int = 25) -> RtspSource:
    source = RtspSource(StreamAddress(url, transport=transport), sink, SystemClock())
    try:
        until(lambda: source.poll(time.monotonic()), lambda: len(sink.video) >= pictures)
    finally:
        source.close()
    return source


@pytest.mark.rtsp
@pytest.mark.parametrize(
    ("transport", "fault", "used"),
    [(UDP, {}, "udp"), (Transport.AUTO, {"no_tcp": 1}, "udp"), (Transport.AUTO, {"no_udp": 1}, "tcp")],
)
def test_the_transport_is_the_chosen_one_or_the_one_that_works(
    virtual_cameras: Any, sink: Any, until: Until, transport: Transport, fault: dict[str, int], used: str
) -> None:
    """Every picture and all sound arrive, in order, with the camera's clock told."""
    source = _pull(virtual_cameras.url("gate", **fault), sink, until, transport)
    assert source.status.transport == used
    assert source.status.lost_packets == 0
    steps = {later.pts - earlier.pts for earlier, later in zip(sink.video, sink.video[1:], strict=False)}
    assert steps == {9000}
    assert len(sink.audio) > 20
    assert source.status.clock_offset_ms is not None


@pytest.mark.rtsp
@pytest.mark.parametrize(
    ("transport", "fault", "code"),
    [
        (UDP, {"no_udp": 1}, "no_udp"),
        (TCP, {"no_tcp": 1}, "no_tcp"),
        (Transport.AUTO, {"no_tcp": 1, "no_udp": 1}, "no_transport"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(
    virtual_cameras: Any, sink: Any, until: Until, transport: Transport, fault: dict[str, int], code: str
) -> None:
    """In words, with what to set."""
    with pytest.raises(SourceError) as caught:
        _pull(virtual_cameras.url("gate", **fault), sink, until, transport)
    assert caught.value.code == code
    assert caught.value.state is StreamState.UNSUPPORTED
    assert caught.value.next_step


@pytest.mark.rtsp
@pytest.mark.parametrize("fault", ["reorder", "duplicate"])
def test_disorder_on_the_way_costs_nothing(virtual_cameras: Any, sink: Any, until: Until, fault: str) -> None:
    """What arrived out of order or twice is one picture each, as sent."""
    source = _pull(virtual_cameras.url("wide", **{fault: True}), sink, until, UDP)
    assert source.status.lost_packets == 0
    steps = {later.pts - earlier.pts for earlier, later in zip(sink.video, sink.video[1:], strict=False)}
    assert steps == {9000}
    assert sink.calls.count("jump") == 0


@pytest.mark.rtsp
def test_loss_on_the_way_is_counted_and_costs_only_its_pictures(
    virtual_cameras: Any, sink: Any, until: Until
) -> None:
    """The others come in order and in time; nothing is lost without being counted."""
    source = _pull(virtual_cameras.url("wide", loss=0.05), sink, until, UDP, pictures=30)
    assert source.status.lost_packets > 0
    assert source.status.dropped_pictures > 0
    times = [unit.pts for unit in sink.video]
    assert times == sorted(set(times))
    assert {(later - earlier) % 9000 for earlier, later in itertools.pairwise(times)} == {0}


@pytest.mark.rtsp
def test_udp_that_does_not_arrive_is_a_stall_that_names_the_firewall(
    virtual_cameras: Any, sink: Any, until: Until
) -> None:
    """Everything is answered, and no media comes."""
    address = StreamAddress(virtual_cameras.url("gate", loss=1), transport=UDP)
    session = StreamSession(address, sink, SystemClock(), stall_seconds=1.0)
    until(lambda: session.poll(time.monotonic()), lambda: session.state is StreamState.STALLED)
    assert "UDP" in session.reason
    assert "firewall" in session.next_step
    session.close()


@pytest.mark.rtsp
def test_a_trial_says_how_media_came(virtual_cameras: Any) -> None:
    """With the transport in its facts."""
    found = probe(StreamAddress(virtual_cameras.url("gate", no_tcp=1)))
    assert (found.verdict, found.transport) == ("good", "udp")
