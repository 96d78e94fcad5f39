"""What a viewer is sent: a start, an init segment, fragments that decode; and what it is told."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import av
import pytest

from beholden.demo.synthetic import read_frame_number
from beholden.live.session import LiveSession, Wish
from beholden.model.camera import StreamRole
from beholden.model.media import AccessUnit, Track
from beholden.model.time import SystemClock
from beholden.play.ability import Ability
from beholden.play.fragments import by_track, read_fragments

MAIN, SUB = StreamRole.MAIN, StreamRole.SUB
CHROMIUM = Ability.parse("avc1,mp4a,opus,flac")


class Leave:
    """Grants all."""

    def require(self, camera: int, *actions: Any) -> None:
        """Yes."""


def session(hub: Any, socket: Any, prefer: Any = "main", ability: Ability = CHROMIUM, **more: Any) -> Any:
    """A session's work."""
    streams = more.pop("streams", frozenset({MAIN}))
    state_of = more.pop("state_of", lambda stream: None)
    made = LiveSession(hub, SystemClock(), socket, Wish(1, ability, prefer, streams), state_of)
    return made.run(Leave())  # type: ignore[arg-type]


async def feed(recorders: Any, coded: Any, units: list[AccessUnit], stream: StreamRole = MAIN) -> Any:
    """Push a format and units to whoever subscribed."""
    bus = await recorders.bus(1, stream)
    bus.push_format(1, stream, coded.format)
    for unit in units:
        bus.push_unit(1, stream, unit)
    return bus


def numbers(stream: bytes) -> list[int | None]:
    """The picture numbers of a stream as a browser gets it."""
    with av.open(io.BytesIO(stream)) as container:
        return [read_frame_number(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


async def steady(
    hub: Any, recorders: Any, coded: Any, stream: StreamRole = MAIN, *, fast: bool = True
) -> Any:
    """A second viewer that keeps the feed running from before the session looks."""
    place = hub.watch(1, stream, fast=fast)
    await place.__aenter__()
    bus = await recorders.bus(1, stream)
    bus.push_format(1, stream, coded.format)
    return place, bus


@pytest.mark.parametrize(
    ("audio", "codec"),
    [("none", None), ("aac", "mp4a.40.2"), ("opus", "opus"), ("pcmu", "flac"), ("l16", "flac")],
)
async def test_every_picture_and_sound_comes_through(
    hub: Any, recorders: Any, socket: Any, coded: Any, wait: Any, run: Any, audio: str, codec: str | None
) -> None:
    """In order, decodable from the first fragment on, one picture a fragment in the single view, at the times
    of the recording, with the arrival of its picture in front."""
    clip = coded(audio=audio)
    place, bus = await steady(hub, recorders, clip)
    async with run(session(hub, socket)):
        await wait(lambda: socket.binary)
        for unit in clip.units:
            bus.push_unit(1, MAIN, unit)
        await wait(lambda: _shown(socket) == 20)
    await place.__aexit__(None, None, None)
    assert numbers(socket.stream) == [*range(20)]
    start = socket.texts[0]
    names = clip.format.video.codec_string + (f",{codec}" if codec else "")
    assert start["mime"] == f'video/mp4; codecs="{names}"'
    assert (start["stream"], start["width"], start["choice"]) == ("main", 320, "main stream")
    assert socket.order[:2] == ["start", "init"]
    arrivals = [int.from_bytes(data[:8], "big") for data in socket.binary[1:]]
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] == clip.pictures[-1].arrival_ms
    runs = by_track(read_fragments(b"".join(data[8:] for data in socket.binary[1:])))
    assert runs[1].time == clip.pictures[0].pts
    assert [sample.key for sample in runs[1].samples] == [unit.key for unit in clip.pictures]
    assert (2 in runs) == (audio != "none")


async def test_h265_is_converted_in_a_process_of_its_own(
    hub: Any, recorders: Any, socket: Any, coded: Any, wait: Any, run: Any
) -> None:
    """The same pictures at the same times as H.264, and the viewer is told why."""
    clip = coded(codec="h265", audio="aac", seconds=4)
    async with run(session(hub, socket)):
        probe = await recorders.bus(1, MAIN)
        probe.push_format(1, MAIN, clip.format)
        await wait(lambda: probe.closed)  # the look at the format is over; the conversion comes
        await feed(recorders, clip, clip.units)
        await wait(lambda: _shown(socket) >= 38, 60)
    assert socket.texts[0]["mime"].startswith('video/mp4; codecs="avc1.')
    assert socket.texts[0]["choice"] == "main stream, converted to H.264"
    assert "H.265" in socket.texts[0]["reason"]
    shown = numbers(socket.stream)
    assert shown == [*range(len(shown))]
    runs = by_track(read_fragments(b"".join(data[8:] for data in socket.binary[1:])))
    assert runs[1].time == clip.pictures[0].pts
    assert [n for n, sample in enumerate(runs[1].samples) if sample.key] == [0, 10, 20, 30][
        : len(shown) // 10 + 1
    ]


@pytest.mark.parametrize(("codec", "name"), [("av1", "AV1"), ("mjpeg", "Motion JPEG")])
async def test_av1_and_motion_jpeg_are_converted_too(
    hub: Any, recorders: Any, socket: Any, coded: Any, wait: Any, run: Any, codec: str, name: str
) -> None:
    """For a browser that plays H.264 only, which is told why."""
    clip = coded(codec=codec, height=192, seconds=4)
    async with run(session(hub, socket)):
        probe = await recorders.bus(1, MAIN)
        probe.push_format(1, MAIN, clip.format)
        await wait(lambda: probe.closed)
        await feed(recorders, clip, clip.units)
        await wait(lambda: _shown(socket) >= 30, 60)
    assert socket.texts[0]["choice"] == "main stream, converted to H.264"
    assert name in socket.texts[0]["reason"]
    shown = numbers(socket.stream)
    assert shown == [*range(shown[0], shown[0] + len(shown))]


async def test_av1_goes_as_it_is_to_a_browser_that_plays_it(
    hub: Any, recorders: Any, socket: Any, coded: Any, wait: Any, run: Any
) -> None:
    """Untouched, named as the browser knows it."""
    clip = coded(codec="av1")
    place, bus = await steady(hub, recorders, clip)
    async with run(session(hub, socket, ability=Ability.parse("avc1,av01,mp4a"))):
        await wait(lambda: socket.binary)
        for unit in clip.units:
            bus.push_unit(1, MAIN, unit)
        await wait(lambda: _shown(socket) == 20)
    await place.__aexit__(None, None, None)
    assert socket.texts[0]["mime"] == f'video/mp4; codecs="{clip.format.video.codec_string}"'
    assert socket.texts[0]["choice"] == "main stream"
    assert numbers(socket.stream) == [*range(20)]


async def test_a_browser_without_h265_gets_the_sub_stream(
    hub: Any, recorders: Any, socket: Any, coded: Any, wait: Any, run: Any
) -> None:
    """It costs nothing, unlike a conversion."""
    big, small = coded(codec="h265"), coded(width=160, height=90, fps=5)
    places = [await steady(hub, recorders, big), await steady(hub, recorders, small, SUB)]
    async with run(session(hub, socket, streams=frozenset({MAIN, SUB}))):
        await wait(lambda: socket.texts)
    for place, _ in places:
        await place.__aexit__(None, None, None)
    assert (socket.texts[0]["stream"], socket.texts[0]["choice"]) == ("sub", "sub stream")
    assert "H.265" in socket.texts[0]["reason"]


async def test_the_wall_gathers_pictures(
    hub: Any, recorders: Any, socket: Any, coded: Any, wait: Any, run: Any
) -> None:
    """Several in a fragment, none lost."""
    clip = coded()
    place, bus = await steady(hub, recorders, clip, fast=False)
    async with run(session(hub, socket, "sub")):
        await wait(lambda: socket.texts)
        for unit in clip.units:
            bus.push_unit(1, MAIN, unit)
        await wait(lambda: _shown(socket) == 20)
    await place.__aexit__(None, None, None)
    assert numbers(socket.stream) == [*range(20)]
    assert len(socket.binary) < 20


async def test_a_slow_viewer_loses_gops_and_others_nothing(
    hub: Any, recorders: Any, socket: Any, coded: Any, wait: Any, run: Any
) -> None:
    """What it gets after the jam begins with a keyframe; the quick one has every picture."""
    clip = coded()
    quick = type(socket)()
    place, bus = await steady(hub, recorders, clip)
    async with run(session(hub, quick)), run(session(hub, socket)):
        await wait(lambda: quick.binary and socket.binary)
        for feed in hub._feeds.values():
            for queue in feed.subscriptions:
                queue._limit = 3 * sum(unit.size for unit in clip.pictures)
        bus.push_unit(1, MAIN, clip.units[0])
        await wait(lambda: len(socket.binary) == 2)
        socket.hold()
        length = clip.pictures[1].pts - clip.pictures[0].pts
        sent = 1
        for turn in range(30):
            for unit in clip.pictures if turn else clip.pictures[1:]:
                pts = clip.pictures[0].pts + sent * length
                bus.push_unit(1, MAIN, AccessUnit(Track.VIDEO, pts, unit.key, unit.parts, unit.size, 1))
                sent += 1
            await wait(lambda n=sent: sum(_pictures(data) for data in quick.binary[1:]) == n)
        socket.release()
        await wait(lambda: _last(socket) == _last(quick))
    await place.__aexit__(None, None, None)
    got = [_first_and_key(data) for data in socket.binary[1:]]
    assert sum(_pictures(data) for data in socket.binary[1:]) < sent
    holes = [key for (before, _, n), (after, key, _) in pairwise(got) if after - before > n * length * 1.5]
    assert holes
    assert all(holes)


def _pictures(data: bytes) -> int:
    return len(by_track(read_fragments(data[8:]))[1].samples)


def _first_and_key(data: bytes) -> tuple[int, bool, int]:
    run = by_track(read_fragments(data[8:]))[1]
    return run.time, run.samples[0].key, len(run.samples)


def _last(socket: Any) -> int:
    run = by_track(read_fragments(socket.binary[-1][8:]))[1]
    return run.end


async def test_a_new_format_starts_anew(
    hub: Any, recorders: Any, socket: Any, coded: Any, wait: Any, run: Any
) -> None:
    """A second start and init segment, then pictures of the new size."""
    one, other = coded(), coded(width=480, height=270)
    place, bus = await steady(hub, recorders, one)
    async with run(session(hub, socket)):
        await wait(lambda: socket.binary)
        for unit in one.units[:5]:
            bus.push_unit(1, MAIN, unit)
        await wait(lambda: len(socket.binary) > 1)
        bus.push_format(1, MAIN, other.format)
        bus.push_unit(1, MAIN, other.units[0])
        await wait(lambda: len(socket.texts) == 2 and socket.order[-1] == "fragment")
    await place.__aexit__(None, None, None)
    assert socket.texts[1]["width"] == 480
    assert socket.order[socket.order.index("start", 1) :][:2] == ["start", "init"]


async def test_a_stall_and_its_reason_are_told_once(
    hub: Any, recorders: Any, socket: Any, coded: Any, wait: Any, run: Any
) -> None:
    """A still picture is never passed off as a live one."""
    clip = coded()
    row = {
        "state": "offline",
        "reason": "The camera does not answer.",
        "next_step": "Check it.",
        "since_ms": 1000,
    }
    place, bus = await steady(hub, recorders, clip)
    async with run(session(hub, socket, state_of=lambda stream: row)):
        bus.push_unit(1, MAIN, clip.units[0])
        await wait(lambda: len(socket.texts) >= 3)
    await place.__aexit__(None, None, None)
    assert [text["kind"] for text in socket.texts] == ["start", "stalled", "state"]
    assert socket.texts[2]["reason"] == "The camera does not answer."
    assert socket.texts[2]["since"] == "1970-01-01T00:00:01.000Z"


async def test_a_camera_that_never_came_says_why(
    hub: Any, recorders: Any, socket: Any, wait: Any, run: Any
) -> None:
    """There is no format to choose by."""
    row = {"state": "refused", "reason": "The camera refused the login.", "next_step": "", "since_ms": None}
    async with run(session(hub, socket, state_of=lambda stream: row)):
        await wait(lambda: socket.texts)
    assert (socket.texts[0]["kind"], socket.texts[0]["state"]) == ("state", "refused")


async def test_sound_that_stops_does_not_stop_the_pictures(
    hub: Any, recorders: Any, socket: Any, coded: Any, wait: Any, run: Any
) -> None:
    """A browser waits for the track that is behind, so a track without sound must go; and come back."""
    clip = coded(audio="aac")
    length = clip.pictures[1].pts - clip.pictures[0].pts
    place, bus = await steady(hub, recorders, clip)

    def picture(number: int) -> AccessUnit:
        unit = clip.pictures[number % 20]
        pts = clip.pictures[0].pts + number * length
        return AccessUnit(Track.VIDEO, pts, unit.key, unit.parts, unit.size, 1)

    async with run(session(hub, socket)):
        await wait(lambda: socket.binary)
        for unit in clip.units:
            bus.push_unit(1, MAIN, unit)
        await wait(lambda: _shown(socket) == 20)
        for number in range(20, 80):
            bus.push_unit(1, MAIN, picture(number))
        await wait(lambda: len(socket.texts) == 2)
        assert socket.texts[1]["mime"].endswith(f'"{clip.format.video.codec_string}"')
        sound = next(unit for unit in clip.units if unit.track is Track.AUDIO)
        number = 80
        while len(socket.texts) < 3:
            bus.push_unit(1, MAIN, sound)
            bus.push_unit(1, MAIN, picture(number))
            number += 1
            before = len(socket.order)
            await wait(lambda n=before: len(socket.order) > n, 0.2) if number % 10 else None
    await place.__aexit__(None, None, None)
    assert "mp4a" in socket.texts[2]["mime"]


def _shown(socket: Any) -> int:
    return sum(_pictures(data) for data in socket.binary[1:] if data[:8] != bytes(8))
