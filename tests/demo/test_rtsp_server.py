"""The virtual cameras as RTSP clients see them: protocol, sign-in, clocks, and the record of what was
sent."""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from beholden.demo.camera import VirtualCamera
from beholden.demo.rtsp_server import RunningCameras, VirtualCameras, start_virtual_cameras
from beholden.demo.synthetic import read_frame_number
from beholden.model.errors import BeholdenError

pytestmark = pytest.mark.rtsp

Connect = Callable[[str], Any]


def _decoded(url: str, count: int, transport: str = "tcp") -> tuple[list[int | None], list[str], int]:
    """Frame numbers read back with FFmpeg, the stream's codecs, and how many audio packets came."""
    options = {"rtsp_transport": transport, "analyzeduration": "500000"}
    numbers: list[int | None] = []
    audio = 0
    with av.open(url, options=options, timeout=20) as container:
        codecs = [stream.codec_context.name for stream in container.streams]
        for packet in container.demux():
            if packet.stream.type == "audio":
                audio += 1
                continue
            for frame in packet.decode():
                numbers.append(read_frame_number(frame.to_ndarray(format="bgr24")))
            if len(numbers) >= count:
                break
    return numbers[:count], codecs, audio


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("gate", ["h264", "aac"]),
        ("yard", ["h264", "pcm_mulaw"]),
        ("dock", ["h264", "pcm_alaw"]),
        ("roof", ["h264", "opus"]),
        ("hall", ["hevc", "aac"]),
        ("lawn", ["h264"]),
    ],
)
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_another_client_sees_the_frames_in_order(
    virtual_cameras: RunningCameras, name: str, codecs: list[str], transport: str
) -> None:
    """FFmpeg plays every codec over TCP and UDP; the burnt-in numbers follow one another."""
    numbers, found, audio = _decoded(virtual_cameras.url(name), 15, transport)
    assert found == codecs
    assert (audio > 0) == (len(codecs) > 1)
    first = numbers[0]
    assert first is not None
    assert numbers == [(first + step) % 20 for step in range(15)]


def test_time_runs_on_over_the_loop(virtual_cameras: RunningCameras, rtsp_client: Connect) -> None:
    """Over two rounds of the 2 s clip the RTP time rises by one picture each and the sequence by one
    packet."""
    client = rtsp_client(virtual_cameras.url("gate"))
    client.play()
    times = client.pictures(45)
    steps = [(later - earlier) % 2**32 for earlier, later in itertools.pairwise(times)]
    assert len(steps) == 44
    assert all(abs(step - 9000) <= 2 for step in steps)
    for channel in (0, 2):
        sequence = [packet.sequence for packet in client.of(channel)]
        assert sequence == [(sequence[0] + step) % 65536 for step in range(len(sequence))]


def test_time_runs_on_after_a_reconnect(virtual_cameras: RunningCameras, rtsp_client: Connect) -> None:
    """A camera nobody watched for a while has not stopped its clock, nor changed its SSRC."""
    first = rtsp_client(virtual_cameras.url("wide"))
    first.play()
    before = first.pictures(3)[-1]
    first.close()
    second = rtsp_client(virtual_cameras.url("wide"))
    second.play()
    after = second.pictures(1)[0]
    assert 0 < (after - before) % 2**32 < 90_000 * 60
    assert first.of(0)[0].ssrc == second.of(0)[0].ssrc


def test_sender_reports_tell_wall_time(virtual_cameras: RunningCameras, rtsp_client: Connect) -> None:
    """The first report comes with the first picture and maps its RTP time, within a second, to now."""
    client = rtsp_client(virtual_cameras.url("gate"))
    client.play()
    client.pictures(2)
    assert len(client.reports) == 2
    _, kind, _, ssrc, _seconds, _, rtp, *_ = struct.unpack(">BBHIIIIII", client.reports[0])
    video = client.of(0)[0]
    assert (kind, ssrc) == (200, video.ssrc)
    assert abs(((rtp - video.timestamp + 2**31) % 2**32) - 2**31) < 90_000


def test_what_was_sent_is_recorded(
    camera_factory: Callable[..., RunningCameras], clip_factory: Callable[..., Path], rtsp_client: Connect
) -> None:
    """``sent_pictures`` is exactly what a client got: timestamps in order, keyframes first, sizes to the
    byte."""
    server = camera_factory([VirtualCamera("gate", clip_factory(audio="aac"))])
    client = rtsp_client(server.url("gate", count=25))
    client.play()
    assert client.pictures(25, seconds=5) == [picture.timestamp for picture in server.sent_pictures("gate")]
    sent = server.sent_pictures("gate")
    assert [picture.key for picture in sent] == [index % 10 == 0 for index in range(25)]
    assert [picture.number for picture in sent] == [index % 20 for index in range(25)]
    assert [picture.round for picture in sent] == [index // 20 for index in range(25)]
    assert sum(picture.size for picture in sent) == sum(len(packet.payload) + 12 for packet in client.packets)
    assert {picture.session for picture in sent} == {client.session}


def test_main_and_sub_show_the_same_moment(virtual_cameras: RunningCameras, rtsp_client: Connect) -> None:
    """Both streams of a camera play the same second of their clips at the same time."""
    main, sub = (rtsp_client(virtual_cameras.url("gate", stream)) for stream in ("main", "sub"))
    main.play()
    main.pictures(12)
    sub.play()
    sub.pictures(3)
    last = virtual_cameras.sent_pictures("gate", "sub")[-1]
    main.pictures(30)
    by_second = {p.at_ms // 200: p.number // 10 for p in virtual_cameras.sent_pictures("gate")}
    near = [by_second[key] for key in range(last.at_ms // 200 - 2, last.at_ms // 200 + 3) if key in by_second]
    assert last.number // 5 in near


@pytest.mark.parametrize("scheme", ["digest", "digest-sha256", "basic", "any"])
def test_a_login_is_asked_for_and_checked(
    camera_factory: Callable[..., RunningCameras],
    clip_factory: Callable[..., Path],
    rtsp_client: Connect,
    authorize: Callable[..., str],
    scheme: str,
) -> None:
    """Without the login, or with a wrong one, DESCRIBE is 401; with the right one it is answered."""
    server = camera_factory(
        [VirtualCamera("gate", clip_factory())], user="viewer", password="s3:cret", scheme=scheme
    )
    client = rtsp_client(server.url("gate"))
    refused = client.ask("DESCRIBE")
    assert refused.status == 401
    challenges = refused.headers["www-authenticate"].split("\n")
    assert len(challenges) == (3 if scheme == "any" else 1)
    for challenge in challenges:
        given = None if challenge.startswith("Basic") else challenge
        for password, status in (("wrong", 401), ("s3:cret", 200)):
            header = authorize(given, "DESCRIBE", client.url, "viewer", password)
            assert client.ask("DESCRIBE", Authorization=header).status == status


def test_a_scheme_that_is_not_offered_is_refused(
    camera_factory: Callable[..., RunningCameras],
    clip_factory: Callable[..., Path],
    rtsp_client: Connect,
    authorize: Callable[..., str],
) -> None:
    """A password in clear text does not open a camera that asks for Digest."""
    server = camera_factory([VirtualCamera("gate", clip_factory())], user="viewer", password="pw")
    client = rtsp_client(server.url("gate"))
    header = authorize(None, "DESCRIBE", client.url, "viewer", "pw")
    assert client.ask("DESCRIBE", Authorization=header).status == 401
    assert client.ask("DESCRIBE", Authorization="Basic %%%").status == 401
    assert client.ask("DESCRIBE", Authorization="Bearer x").status == 401


def test_wrong_requests_get_their_status(virtual_cameras: RunningCameras, rtsp_client: Connect) -> None:
    """Unknown camera or stream 404, unknown method 501, PLAY before SETUP 455, multicast 461, unknown
    fault 400."""
    base = virtual_cameras.url("gate")
    assert rtsp_client(virtual_cameras.url("nowhere")).ask("DESCRIBE").status == 404
    assert rtsp_client(virtual_cameras.url("lawn", "sub")).ask("DESCRIBE").status == 404
    assert rtsp_client(base + "?melt").ask("DESCRIBE").status == 400
    client = rtsp_client(base)
    assert client.ask("OPTIONS").headers["public"].startswith("OPTIONS, DESCRIBE")
    assert client.ask("RECORD").status == 501
    assert client.ask("PLAY").status == 455
    assert client.ask("SETUP", base + "/track0", Transport="RTP/AVP;multicast").status == 461
    assert client.ask("SETUP", base + "/track7", Transport="RTP/AVP/TCP").status == 404
    assert client.ask("GET_PARAMETER").status == 200


def test_chosen_channels_and_tracks_are_kept_to(
    virtual_cameras: RunningCameras, rtsp_client: Connect
) -> None:
    """A client that sets up only audio, on channel 6, gets only that."""
    client = rtsp_client(virtual_cameras.url("gate"))
    client.describe()
    transport = "RTP/AVP/TCP;unicast;interleaved=6-7"
    answer = client.ask("SETUP", client.url + "/track1", Transport=transport)
    assert "interleaved=6-7" in answer.headers["transport"]
    client.session = answer.headers["session"].partition(";")[0]
    client.ask("PLAY")
    assert client.read(lambda: len(client.packets) > 20)
    assert {packet.channel for packet in client.packets} == {6}
    assert {packet.payload_type for packet in client.packets} == {97}


def test_teardown_and_pause_end_the_media(virtual_cameras: RunningCameras, rtsp_client: Connect) -> None:
    """After PAUSE nothing comes until PLAY; after TEARDOWN nothing comes at all."""
    client = rtsp_client(virtual_cameras.url("gate"))
    client.play()
    client.pictures(2)
    assert client.ask("PAUSE").status == 200
    paused = len(client.packets)
    assert not client.read(lambda: len(client.packets) > paused, seconds=0.5)
    assert client.ask("PLAY").status == 200
    assert client.read(lambda: len(client.packets) > paused)
    assert client.ask("TEARDOWN").status == 200
    ended = len(client.packets)
    assert not client.read(lambda: len(client.packets) > ended, seconds=0.5)


def test_clients_can_be_cut_off(virtual_cameras: RunningCameras, rtsp_client: Connect) -> None:
    """``drop_clients`` ends the connections of the named camera and of no other."""
    lost, kept = rtsp_client(virtual_cameras.url("wide")), rtsp_client(virtual_cameras.url("roof"))
    for client in (lost, kept):
        client.play()
        client.pictures(1)
    assert virtual_cameras.drop_clients("wide") >= 1
    assert not lost.read(lambda: False, seconds=10)
    assert lost.closed
    count = len(kept.packets)
    assert kept.read(lambda: len(kept.packets) > count)


def test_a_port_in_use_is_told(clip_factory: Callable[..., Path]) -> None:
    """One sentence and no thread left when the port is taken."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(BeholdenError, match="cannot listen") as caught,
    ):
        start_virtual_cameras([VirtualCamera("gate", clip_factory())], port=taken.getsockname()[1])
    assert caught.value.code == "port_in_use"


def test_a_file_that_is_no_clip_is_told(tmp_path: Path) -> None:
    """A broken clip names itself and the next step."""
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    with pytest.raises(BeholdenError, match=r"broken\.mp4 cannot be read") as caught:
        start_virtual_cameras([VirtualCamera("gate", tmp_path / "broken.mp4")])
    assert caught.value.code == "bad_clip"


async def test_it_runs_inside_a_loop_too(clip_factory: Callable[..., Path]) -> None:
    """``async with`` gives a server with a port, which is closed at the end."""
    async with VirtualCameras([VirtualCamera("gate", clip_factory())]) as server:
        assert server.port > 0
        assert server.url("gate", "sub", drop=3, no_marker=True).endswith("/gate/sub?drop=3&no_marker")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_stopping_twice_is_harmless(clip_factory: Callable[..., Path]) -> None:
    """``stop`` may be called by a test and again by its fixture."""
    running = start_virtual_cameras([VirtualCamera("gate", clip_factory())])
    running.stop()
    running.stop()
