"""How well people are seen, through the product's own way: RTSP in, detections, tracks and events out.

A virtual camera plays a clip with ground truth, a recorder process pulls it, the analyser looks at it about
five times a second, as it does at every camera. Which of the clip's pictures was looked at is found by
comparing pictures. The camera plays the clip in a loop and is joined somewhere in it, so people who come
again after its end are other people: nobody could follow them across the cut. Compared with ground truth are
what the detector found in the crops it was shown, and the tracks that rules and side-cars are told. Plain
CLEAR MOT and identity measures at an overlap of 0.5.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from trackers.eval.clear import compute_clear_metrics
from trackers.eval.identity import compute_identity_metrics

from beholden.analyse.decode import Decoded
from beholden.analyse.detect.crops import Crop, detect_in
from beholden.analyse.detect.network import Network
from beholden.analyse.detect.overlap import overlaps
from beholden.catalog import events
from beholden.catalog.events import EventFilter
from beholden.demo.encode import Encoding, write_clip
from beholden.model.errors import BeholdenError
from beholden.model.event import Box, Detection, ObjectClass
from benchmarks.closeup import distant, look_twice, within
from benchmarks.coded import read_clip
from benchmarks.figures import Figures
from benchmarks.seeing import Seeing, Witness, first_picture, footage, seeing

SUMMARY = "AP50, MOTA and IDF1 of persons through the product's own pipeline (RTSP in, tracks out)"
FIGURES = {
    "pets_ap50": "PETS09-S2L1, persons, as detected in the running pipeline (at least 0.90 wanted)",
    "pets_mota": "PETS09-S2L1, tracks (at least 0.80 wanted)",
    "pets_idf1": "PETS09-S2L1, tracks (at least 0.75 wanted)",
    "pets_track_ap50": "PETS09-S2L1, the boxes of tracks alone",
    "pets_whole_ap50": "PETS09-S2L1, the whole picture shrunk, no crops, the same pictures",
    "pets_far_ap50": "PETS09-S2L1 seen from afar, people 12 pixels high in the sub stream (media time)",
    "pets_close_up_ap50": "the same looks with close-ups of the main stream, three times as wide",
    "pets_switches": "PETS09-S2L1, how often a person's track number changed",
    "pets_events": "events of persons; 19 people walk there",
    "pets_looks": "pictures a second that the detector was shown",
    "tud_ap50": "TUD-Stadtmitte, as above",
    "tud_mota": "TUD-Stadtmitte, as above",
    "tud_idf1": "TUD-Stadtmitte, as above",
}
Boxes = NDArray[np.float32]
_SCALE = (48, 36)
_FAR, _PATCH = (512, 288), (96, 72)  # the sub stream, and the part of it in which the distant scene lies
_SOMEBODY_ELSE = 1000  # added to people's numbers each time the clip begins again


@dataclass(frozen=True)
class Filmed:
    """A clip with ground truth in MOT15 format; ``fps`` at which it was filmed."""

    key: str
    folder: str
    file: str
    fps: int


SEQUENCES = (
    Filmed("pets", "PETS09-S2L1", "vtest.avi", 7),
    Filmed("tud", "TUD-Stadtmitte", "TUD-Stadtmitte.mp4", 25),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the clips are."""
    parser.add_argument("--footage", type=Path, metavar="DIR", help="folder of real clips")
    parser.add_argument("--only", choices=[each.key for each in SEQUENCES], help="one of the clips")
    parser.add_argument("--only-close-ups", action="store_true", help="what these add, without a live run")


def run(options: argparse.Namespace) -> Figures:
    """Measure; BeholdenError without footage. Takes as long as the clips, about two and a half minutes."""
    folder = footage(options.footage)
    named: dict[str, float] = {}
    if options.only_close_ups:
        return Figures(_close_ups(SEQUENCES[0], folder / SEQUENCES[0].folder))
    for sequence in SEQUENCES:
        if options.only in (None, sequence.key):
            named |= _measure(sequence, folder / sequence.folder)
    if options.only in (None, "pets"):
        named |= _close_ups(SEQUENCES[0], folder / SEQUENCES[0].folder)
    return Figures(named, notes=["Thresholds were chosen on these clips too: expect less on new scenes."])


def _measure(sequence: Filmed, folder: Path) -> dict[str, float]:
    source = folder / sequence.file
    pictures = list(_pictures(source))
    height, width = pictures[0].shape[:2]
    truth = read_truth(folder / "gt" / "gt.txt")
    seconds = len(pictures) / sequence.fps
    with tempfile.TemporaryDirectory(prefix="beholden-bench-") as name:
        clip = as_camera(source, Path(name) / f"{sequence.key}.mp4", sequence.fps, (width, height))
        witness = Witness()
        with seeing(Path(name) / "data", {sequence.key: clip}, {sequence.key: "always"}, witness) as site:
            camera = site.ids[sequence.key]
            first_picture(witness, camera)
            time.sleep(seconds + 4 + (seconds if seconds < 30 else 0))  # a short clip is seen twice
            told = _events(site, camera)
    numbers = _numbers(witness, camera, pictures, sequence.fps)
    found = {at: [(d.score, _pixels(d.box, width, height)) for d in items if d.kind is ObjectClass.PERSON]
             for at, items in witness.detections[camera]}  # fmt: skip
    tracks = {frame.at_ms: frame for frame in witness.frames[camera]}
    looked = [(at, numbers[at]) for at in found if at in numbers]
    result = {
        "ap50": average_precision([found[at] for at, _ in looked], [truth[n] for _, n in looked]),
        **_tracking(looked, tracks, truth, (width, height)),
        "events": told,
        "looks": len(looked) / ((looked[-1][0] - looked[0][0]) / 1000),
    }
    if sequence.key == "pets":
        result["whole_ap50"] = _whole([pictures[n - 1] for _, n in looked], [truth[n] for _, n in looked])
    return {f"{sequence.key}_{name}": value for name, value in result.items()}


def _close_ups(sequence: Filmed, folder: Path) -> dict[str, float]:
    """The clip as a distant part of a larger picture, so that people are 12 pixels high in the sub stream."""
    source, truth = folder / sequence.file, read_truth(folder / "gt" / "gt.txt")
    height, width = next(iter(_pictures(source))).shape[:2]
    with tempfile.TemporaryDirectory(prefix="beholden-bench-") as name:
        clips = []
        for stream, scale in (("sub", 1), ("main", 3)):
            path, size = Path(name) / f"{stream}.mp4", (_FAR[0] * scale, _FAR[1] * scale)
            pictures = distant(_pictures(source), size, (_PATCH[0] * scale, _PATCH[1] * scale))
            write_clip(path, pictures, Encoding(*size, fps=sequence.fps, gop=sequence.fps * 2))
            clips.append(read_clip(path))
        seen = look_twice(*clips, sequence.fps)
    found = {"far_ap50": seen.sub, "close_up_ap50": seen.both}
    return {
        f"{sequence.key}_{what}": average_precision(
            [_far_people(items, (width, height)) for items in by_number.values()],
            [truth[number] for number in by_number],
        )
        for what, by_number in found.items()
    }


def _far_people(found: Sequence[Detection], size: tuple[int, int]) -> list[tuple[float, Boxes]]:
    people = [item for item in found if item.kind is ObjectClass.PERSON]
    return [(item.score, _pixels(within(item.box, _FAR, _PATCH), *size)) for item in people]


def as_camera(source: Path, target: Path, fps: int, size: tuple[int, int]) -> Path:
    """Every picture of a clip once, at ``fps``, whatever rate its file claims."""
    write_clip(target, _pictures(source), Encoding(*size, fps=fps, gop=fps * 2))
    return target


def _pictures(source: Path) -> Iterable[NDArray[np.uint8]]:
    with av.open(str(source)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def read_truth(path: Path) -> dict[int, list[tuple[int, Boxes]]]:
    """(person's number, [left, top, right, bottom] in pixels) by picture number from 1."""
    found: dict[int, list[tuple[int, Boxes]]] = defaultdict(list)
    for line in path.read_text().splitlines():
        frame, who, x, y, width, height, *_ = (float(part) for part in line.split(","))
        found[int(frame)].append((int(who), np.array([x, y, x + width, y + height], np.float32)))
    return found


def _numbers(
    witness: Witness, camera: int, pictures: Sequence[NDArray[np.uint8]], fps: int
) -> dict[int, int]:
    """The clip's picture number (from 1) of each analysed time of which it is sure."""
    known = np.stack([_tiny(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY)) for p in pictures])
    seen = witness.pictures[camera]
    guesses = [(at, int(np.abs(known - _tiny(small)).mean(axis=1).argmin()) + 1) for at, small in seen]
    numbers: dict[int, int] = {}
    for (at, number), (later, next_number) in itertools.pairwise(guesses):
        step = round((later - at) * fps / 1000)
        if next_number - number == step:  # sure, since both agree with the clock
            numbers[at], numbers[later] = number, next_number
    if len(numbers) < len(guesses) / 2:
        raise BeholdenError("not_matched", "The analysed pictures could not be matched with the clip's.")
    return numbers


def _tiny(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    return cv2.resize(small, _SCALE, interpolation=cv2.INTER_AREA).astype(np.float32).ravel()


def _pixels(box: Box, width: int, height: int) -> Boxes:
    return np.array([box.left * width, box.top * height, box.right * width, box.bottom * height], np.float32)


def average_precision(
    found: Sequence[Sequence[tuple[float, Boxes]]], truth: Sequence[Sequence[tuple[int, Boxes]]]
) -> float:
    """All points, overlap 0.5."""
    judged = [one for items, people in zip(found, truth, strict=True) for one in _judged(items, people)]
    judged.sort(key=lambda item: -item[0])
    hits = np.cumsum([hit for _, hit in judged])
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    recall = hits / sum(len(people) for people in truth)
    return float(np.sum(np.diff(np.concatenate([[0], recall])) * best))


def _judged(
    found: Sequence[tuple[float, Boxes]], people: Sequence[tuple[int, Boxes]]
) -> list[tuple[float, bool]]:
    ordered = sorted(found, key=lambda item: -item[0])
    matrix = overlaps(_stacked([box for _, box in ordered]), _stacked([box for _, box in people]))
    used: set[int] = set()
    judged = []
    for row, (score, _) in zip(matrix, ordered, strict=True):
        free = [int(i) for i in np.argsort(-row) if int(i) not in used and row[i] >= 0.5]
        used.update(free[:1])
        judged.append((score, bool(free)))
    return judged


def _tracking(
    looked: Sequence[tuple[int, int]],
    tracks: dict[int, object],
    truth: dict[int, list[tuple[int, Boxes]]],
    size: tuple[int, int],
) -> dict[str, float]:
    people, followed, similar, scored = [], [], [], []
    played = before = 0
    for at, number in looked:
        played, before = played + (number < before), number
        objects = [o for o in getattr(tracks.get(at), "objects", ()) if o.kind is ObjectClass.PERSON]
        boxes = [_pixels(o.box, *size) for o in objects]
        people.append([who + played * _SOMEBODY_ELSE for who, _ in truth[number]])
        followed.append([o.track for o in objects])
        similar.append(overlaps(_stacked([box for _, box in truth[number]]), _stacked(boxes)))
        scored.append([(o.score, box) for o, box in zip(objects, boxes, strict=True)])
    ids = _from_zero(people), _from_zero(followed)
    clear = compute_clear_metrics(*ids, similar)
    return {
        "mota": float(clear["MOTA"]),
        "idf1": float(compute_identity_metrics(*ids, similar)["IDF1"]),
        "switches": int(clear["IDSW"]),
        "track_ap50": average_precision(scored, [truth[number] for _, number in looked]),
    }


def _whole(pictures: Sequence[NDArray[np.uint8]], truth: Sequence[Sequence[tuple[int, Boxes]]]) -> float:
    detector = Network()
    found = []
    for picture in pictures:
        height, width = picture.shape[:2]
        frame = Decoded(av.VideoFrame.from_ndarray(picture, format="bgr24"), 0)
        items = detect_in(detector, [(frame, [Crop(0, 0, width, height)])])[0]
        people = [item for item in items if item.kind is ObjectClass.PERSON]
        found.append([(item.score, _pixels(item.box, width, height)) for item in people])
    return average_precision(found, truth)


def _stacked(boxes: Sequence[Boxes]) -> Boxes:
    return np.array(boxes, np.float32).reshape(-1, 4)


def _from_zero(numbers: Sequence[Sequence[int]]) -> list[NDArray[np.int64]]:
    known = {number: index for index, number in enumerate(sorted({n for each in numbers for n in each}))}
    return [np.array([known[n] for n in each], np.int64) for each in numbers]


def _events(site: Seeing, camera: int) -> int:
    with site.catalog.read() as conn:
        return events.count(conn, EventFilter(cameras=[camera], kinds=[ObjectClass.PERSON]))
