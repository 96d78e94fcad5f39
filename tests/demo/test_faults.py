"""Every fault a virtual camera knows is reachable through the URL and does what its name says."""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Callable
from typing import Any

import av
import pytest

from beholden.demo import faults
from beholden.demo.rtsp_server import RunningCameras

pytestmark = pytest.mark.rtsp

Play = Callable[..., Any]


@pytest.fixture
def play(virtual_cameras: RunningCameras, rtsp_client: Callable[[str], Any]) -> Play:
    """``play(name, fault=value)``: a client that has sent PLAY."""

    def start(name: str = "gate", **wanted: object) -> Any:
        client = rtsp_client(virtual_cameras.url(name, **wanted))
        client.play()
        return client

    return start


def _types(client: Any) -> list[int]:
    return [packet.payload[0] & 31 for packet in client.of(0)]


def _signed(difference: int) -> int:
    return (difference + 2**31) % 2**32 - 2**31


def test_every_fault_is_described() -> None:
    """Each has a name and a docstring that begins with how to ask for it."""
    assert len(faults.FAULTS) >= 20
    for name, fault in faults.FAULTS.items():
        assert fault.__doc__ is not None
        assert fault.__doc__.startswith(f"``{name}"), name


def test_drop_closes_each_time(play: Play) -> None:
    """The connection ends after the given time, and the next one too."""
    for _ in range(2):
        client = play(drop=0.5)
        assert not client.read(lambda: False, seconds=10)
        assert client.closed
        assert 3 <= len(client.pictures(100)) <= 10


def test_freeze_stays_open_and_answers(play: Play) -> None:
    """Media stops, requests are still answered."""
    client = play(freeze=0.5)
    client.read(lambda: False, seconds=1.5)
    count = len(client.packets)
    assert count > 0
    assert not client.read(lambda: len(client.packets) > count, seconds=0.7)
    assert client.ask("GET_PARAMETER").status == 200


def test_count_sends_exactly_that_many(play: Play) -> None:
    """Twelve pictures, then silence on an open connection."""
    client = play(count=12)
    assert len(client.pictures(100, seconds=3)) == 12
    assert not client.closed


def test_garbage_lies_between_frames(play: Play) -> None:
    """Bytes that are no frame appear, and every real packet is still there."""
    client = play(garbage=40)
    assert client.read(lambda: len(client.junk) >= 80)
    assert len(client.junk) % 40 == 0
    sequence = [packet.sequence for packet in client.of(0)]
    assert sequence == [(sequence[0] + step) % 65536 for step in range(len(sequence))]


def test_bad_frames_have_another_payload(virtual_cameras: RunningCameras, play: Play) -> None:
    """Every third packet differs from what the undisturbed camera sends, at the same length."""
    good, bad = play("lawn"), play("lawn", bad_frames=3)
    for client in (good, bad):
        client.pictures(12)
    right = {packet.sequence: packet.payload for packet in good.of(0)}
    both = [packet for packet in bad.of(0) if packet.sequence in right]
    changed = [packet for packet in both if packet.payload != right[packet.sequence]]
    assert changed
    assert {packet.sequence % 3 for packet in changed} == {0}
    assert all(len(packet.payload) == len(right[packet.sequence]) for packet in changed)


@pytest.mark.parametrize("step", [10, -5])
def test_jump_moves_both_clocks(play: Play, step: int) -> None:
    """One step in the RTP time of picture and sound, by that many seconds of their own clocks."""
    client = play(jump=f"0.5:{step}")
    client.pictures(15)
    for channel, rate in ((0, 90_000), (2, 16_000)):
        times = [packet.timestamp for packet in client.of(channel)]
        steps = [_signed(later - earlier) / rate for earlier, later in itertools.pairwise(times)]
        jumps = [value for value in steps if abs(value) > 1]
        assert len(jumps) == 1
        assert abs(jumps[0] - step) < 0.5


def test_wrap_passes_the_end_of_the_clock(play: Play) -> None:
    """RTP time and sequence numbers go through zero and on, without a step."""
    client = play(wrap=0.5)
    times = client.pictures(12)
    assert times[0] > 2**32 - 90_000
    assert times[-1] < 90_000 * 2
    assert all(abs(_signed(b - a) - 9000) <= 2 for a, b in itertools.pairwise(times))
    sequence = [packet.sequence for packet in client.of(0)]
    assert sequence[0] > 65_500
    assert min(sequence) == 0


def test_no_parameter_sets_in_the_description(play: Play) -> None:
    """Neither H.264 nor H.265 parameter sets are in the SDP; they are in band."""
    for name in ("gate", "hall"):
        client = play(name, no_parameter_sets=True)
        assert "sprop" not in client.describe()
        client.pictures(1)
    assert "sprop" in play("gate").describe()
    assert "sprop-vps" in play("hall").describe()


def test_no_in_band_parameter_sets(play: Play) -> None:
    """No SPS or PPS packet comes; without the fault they come before each keyframe."""
    with_fault, without = play(no_in_band=True), play()
    for client in (with_fault, without):
        client.pictures(3)
    assert not {7, 8} & set(_types(with_fault))
    assert {7, 8} <= set(_types(without))
    hall = play("hall", no_in_band=True)
    hall.pictures(12)
    assert not {32, 33, 34} & {packet.payload[0] >> 1 & 63 for packet in hall.of(0)}


def test_no_marker(play: Play) -> None:
    """No video packet has the marker bit; without the fault one per picture has."""
    with_fault, without = play(no_marker=True), play()
    for client in (with_fault, without):
        client.pictures(5)
    assert not any(packet.marker for packet in with_fault.of(0))
    assert sum(packet.marker for packet in without.of(0)) >= 5


def test_swap_changes_the_resolution_in_mid_session(virtual_cameras: RunningCameras) -> None:
    """320x180 becomes 480x270 in one session, with RTP time and sequence going on."""
    widths: list[int] = []
    with av.open(
        virtual_cameras.url("lawn", swap="1:wide"), options={"rtsp_transport": "tcp"}, timeout=20
    ) as container:
        for frame in container.decode(video=0):
            widths.append(frame.width)
            if widths.count(480) > 3:
                break
    assert set(widths) == {320, 480}
    assert widths == sorted(widths)


def test_swap_keeps_ssrc_time_and_sequence(play: Play) -> None:
    """The new clip goes on where the old one stopped; only the parameter sets tell."""
    client = play("lawn", swap="1:wide")
    times = client.pictures(25)
    assert len({packet.ssrc for packet in client.of(0)}) == 1
    assert len({packet.payload for packet in client.of(0) if packet.payload[0] & 31 == 7}) == 2
    sequence = [packet.sequence for packet in client.of(0)]
    assert sequence == [(sequence[0] + step) % 65536 for step in range(len(sequence))]
    assert all(0 < _signed(b - a) < 3 * 90_000 for a, b in itertools.pairwise(times))


def test_no_audio_in_the_description(play: Play) -> None:
    """The SDP has one media section, and no sound comes."""
    client = play(no_audio=True)
    assert client.describe().count("m=") == 1
    client.pictures(5)
    assert client.of(2) == []


def test_audio_late_and_audio_stops(play: Play) -> None:
    """Sound begins after the pictures did, or ends before them."""
    late, stops = play(audio_late=0.8), play(audio_stops=0.8)
    for client in (late, stops):
        client.pictures(20)
    before_sound = next(index for index, packet in enumerate(late.packets) if packet.channel == 2)
    assert len({packet.timestamp for packet in late.packets[:before_sound]}) >= 5
    last_sound = max(index for index, packet in enumerate(stops.packets) if packet.channel == 2)
    assert len({packet.timestamp for packet in stops.packets[last_sound:] if packet.channel == 0}) >= 5


def test_loss_leaves_holes(play: Play) -> None:
    """About a third of the sequence numbers are missing."""
    client = play(loss=0.3)
    client.pictures(20)
    sequence = [packet.sequence for packet in client.of(0)]
    span = (sequence[-1] - sequence[0]) % 65536 + 1
    assert 0.45 < len(sequence) / span < 0.95


def test_reorder_and_duplicate(play: Play) -> None:
    """Packets change places, or come twice; none is missing."""
    swapped, doubled = play(reorder=True), play(duplicate=True)
    for client in (swapped, doubled):
        client.pictures(12)
    order = [packet.sequence for packet in swapped.packets if packet.channel == 0]
    assert order != sorted(order, key=lambda number: (number - order[0] + 100) % 65536)
    numbers = [packet.sequence for packet in doubled.of(0)]
    assert len(numbers) > len(set(numbers))


def test_silent_never_answers(virtual_cameras: RunningCameras, rtsp_client: Callable[[str], Any]) -> None:
    """``silent`` says nothing at all; ``silent=play`` only from PLAY on."""
    client = rtsp_client(virtual_cameras.url("gate", silent=True))
    with pytest.raises(TimeoutError):
        client.ask("OPTIONS", seconds=0.5)
    client = rtsp_client(virtual_cameras.url("gate", silent="play"))
    with pytest.raises(TimeoutError):
        _play_briefly(client)
    with pytest.raises(TimeoutError):
        client.ask("OPTIONS", seconds=0.5)


def _play_briefly(client: Any) -> None:
    client.describe()
    client.session = client.ask("SETUP", client.url + "/track0", Transport="RTP/AVP/TCP").headers["session"][
        :8
    ]
    client.ask("PLAY", seconds=0.5)


def test_trickle_is_slow(play: Play) -> None:
    """At 400 bytes a second far less arrives than is filmed, in pieces that cut frames."""
    client = play(trickle=400)
    client.read(lambda: False, seconds=2)
    assert 0 < sum(len(packet.payload) + 16 for packet in client.packets) < 2000


def test_unauthorised_after_a_while(
    virtual_cameras: RunningCameras, rtsp_client: Callable[[str], Any]
) -> None:
    """The stream ends and the same address is 401 from then on, also for a new client."""
    url = virtual_cameras.url("gate", unauthorised=0.8)
    client = rtsp_client(url)
    client.play()
    assert not client.read(lambda: False, seconds=10)
    assert client.packets
    refused = rtsp_client(url).ask("DESCRIBE")
    assert refused.status == 401
    assert "www-authenticate" in refused.headers


@pytest.mark.parametrize(
    ("value", "method", "status"), [("404", "DESCRIBE", 404), ("454:OPTIONS", "OPTIONS", 454)]
)
def test_refuse(
    virtual_cameras: RunningCameras, rtsp_client: Callable[[str], Any], value: str, method: str, status: int
) -> None:
    """The named method gets the named status."""
    assert rtsp_client(virtual_cameras.url("gate", refuse=value)).ask(method).status == status


def test_mid_gop_begins_without_a_keyframe(play: Play) -> None:
    """The first picture is no keyframe: no IDR slice, no parameter sets."""
    client = play("lawn", mid_gop=True)
    first = client.pictures(2)[0]
    kinds = {packet.payload[0] & 31 for packet in client.of(0) if packet.timestamp == first}
    fragments = {
        packet.payload[1] & 31
        for packet in client.of(0)
        if packet.timestamp == first and packet.payload[0] & 31 == 28
    }
    assert not {5, 7, 8} & (kinds | fragments)


def test_early_media_comes_before_the_reply(play: Play) -> None:
    """RTP packets are on the wire before PLAY is answered."""
    assert play(early=True).media_before_play_reply > 0
    assert play().media_before_play_reply == 0


def test_no_reports(play: Play) -> None:
    """No RTCP comes."""
    client = play(no_reports=True)
    client.pictures(5)
    assert client.reports == []


def test_a_jump_is_in_the_reports_too(play: Play) -> None:
    """A camera whose clock jumped reports the jumped clock."""
    client = play(wrap=30)
    client.pictures(2)
    reported = struct.unpack(">BBHIIIIII", client.reports[0])[6]
    assert abs(_signed(reported - client.of(0)[0].timestamp)) < 90_000


def test_an_unknown_codec_is_described(play: Play) -> None:
    """The SDP offers a codec nobody records and nothing else for video."""
    sdp = play("lawn", unknown_codec=True).describe()
    assert "MP4V-ES" in sdp
    assert "H264" not in sdp


def test_faults_add_up(play: Play) -> None:
    """Several faults in one address all hold."""
    client = play(no_marker=True, no_audio=True, count=8)
    assert len(client.pictures(100, seconds=2)) == 8
    assert not any(packet.marker for packet in client.packets)
    assert client.of(2) == []


def test_half_open_neither_sends_nor_answers(play: Play) -> None:
    """The connection stays as it is, and no word comes over it."""
    client = play(half_open=0.5)
    client.read(lambda: False, seconds=1.2)
    count = len(client.packets)
    assert count > 0
    with pytest.raises(TimeoutError):
        client.ask("GET_PARAMETER", seconds=0.7)
    assert (len(client.packets), client.closed) == (count, False)


def test_stand_still_holds_the_clock_and_lets_it_go(play: Play) -> None:
    """Pictures go on, with one timestamp for a second, then with the right ones."""
    client = play("lawn", stand_still="0.5:1")
    client.read(lambda: len(client.pictures(100, seconds=0)) >= 12 and client.pictures(100, seconds=0)[-1])
    times = [packet.timestamp for packet in client.of(0) if packet.marker]
    steps = [_signed(later - earlier) for earlier, later in itertools.pairwise(times)]
    assert steps.count(0) >= 8
    assert max(steps) >= 80_000


def test_drift_makes_the_clock_run_fast(play: Play) -> None:
    """By the given share, so that after N pictures the step is that much longer."""
    client = play("lawn", drift=100_000)
    times = client.pictures(12)
    assert _signed(times[10] - times[0]) == pytest.approx(1.1 * 90_000, abs=20)


@pytest.mark.parametrize(("value", "wrong"), [("-7200", [True, True]), ("3600:audio", [False, True])])
def test_wrong_clock_is_in_the_reports_only(play: Play, value: str, wrong: list[bool]) -> None:
    """Of both tracks, or of one."""
    client = play(wrong_clock=value)
    assert client.read(lambda: len(client.reports) >= 2)
    seconds = [int.from_bytes(report[8:12], "big") - 2_208_988_800 for report in client.reports[:2]]
    assert [abs(each - time.time()) > 1000 for each in seconds] == wrong


def test_recode_changes_session_and_description(virtual_cameras: RunningCameras, rtsp_client: Any) -> None:
    """H.264 becomes H.265 in the session; whoever asks afterwards is sent to what it is now."""
    url = virtual_cameras.url("lawn", recode="1:hall")
    client = rtsp_client(url)
    client.play()
    assert client.read(lambda: any(packet.payload[0] == 0x40 for packet in client.of(0)))
    later = rtsp_client(url)
    answer = later.ask("DESCRIBE")
    assert (answer.status, answer.headers["location"]) == (302, virtual_cameras.url("hall"))


@pytest.mark.parametrize(("fault", "way"), [("no_tcp", "RTP/AVP/TCP;unicast;interleaved=0-1"),
                                            ("no_udp", "RTP/AVP;unicast;client_port=6000-6001")])  # fmt: skip
def test_a_transport_can_be_refused(
    virtual_cameras: RunningCameras, rtsp_client: Any, fault: str, way: str
) -> None:
    """With 461."""
    client = rtsp_client(virtual_cameras.url("gate", **{fault: True}))
    assert client.ask("SETUP", f"{client.url}/track0", Transport=way).status == 461


@pytest.mark.parametrize(
    ("value", "where"),
    [("yard", "rtsp://127.0.0.1:{port}/yard/main"), ("//192.0.2.7", "rtsp://192.0.2.7/gate/main")],
)
def test_redirect_sends_elsewhere(
    virtual_cameras: RunningCameras, rtsp_client: Any, value: str, where: str
) -> None:
    """With 302, to another path or another host."""
    answer = rtsp_client(virtual_cameras.url("gate", redirect=value)).ask("DESCRIBE")
    assert (answer.status, answer.headers["location"]) == (302, where.format(port=virtual_cameras.port))


def test_redirect_loop_sends_to_itself(virtual_cameras: RunningCameras, rtsp_client: Any) -> None:
    """Again and again."""
    client = rtsp_client(virtual_cameras.url("gate", redirect_loop=True))
    assert client.ask("DESCRIBE").headers["location"] == client.url


def test_absolute_control_names_the_host(virtual_cameras: RunningCameras, rtsp_client: Any) -> None:
    """This one, or the one asked for."""
    here = rtsp_client(virtual_cameras.url("gate", absolute_control=True))
    assert f"a=control:{here.url}/track0" in here.describe()
    there = rtsp_client(virtual_cameras.url("gate", absolute_control="192.0.2.7"))
    assert "a=control:rtsp://192.0.2.7/gate/main/track0" in there.describe()


def test_session_timeout_ends_a_quiet_session(play: Play) -> None:
    """Requests keep it; without one it ends."""
    client = play(session_timeout=1)
    for _ in range(3):
        client.read(lambda: False, seconds=0.6)
        assert client.ask("OPTIONS").status == 200
    assert not client.read(lambda: False, seconds=10)
    assert client.closed
