"""What close-ups of the main stream's keyframes add: the two coded streams of a camera through the analyser's
own parts, in media time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from beholden.analyse.closeup import CloseUp
from beholden.analyse.detect.crops import Size, completed, detect_in
from beholden.analyse.detect.detector import Picture
from beholden.analyse.detect.network import Network
from beholden.analyse.feed import Feed
from beholden.analyse.hooks import Hooks
from beholden.analyse.mailbox import Look
from beholden.analyse.tell import Teller
from beholden.analyse.watch import Watch
from beholden.model.event import Box, Detection
from beholden.model.time import FakeClock
from benchmarks.coded import Clip


@dataclass
class Seen:
    """By the clip's picture number (from 1), of the looks that had a close-up: what the sub stream's crops
    showed, and what both did."""

    sub: dict[int, Sequence[Detection]] = field(default_factory=dict)
    both: dict[int, Sequence[Detection]] = field(default_factory=dict)


def distant(pictures: Iterable[Picture], size: Size, patch: Size) -> Iterator[Picture]:
    """Pictures of a size, in the middle of which, in a still blur, a clip plays as small as the patch."""
    left, top = (size[0] - patch[0]) // 2, (size[1] - patch[1]) // 2
    canvas: Picture | None = None
    for picture in pictures:
        if canvas is None:
            canvas = np.asarray(cv2.GaussianBlur(cv2.resize(picture, size), (0, 0), size[0] / 40), np.uint8)
        shown = canvas.copy()
        shown[top : top + patch[1], left : left + patch[0]] = cv2.resize(
            picture, patch, interpolation=cv2.INTER_AREA
        )
        yield shown


def within(box: Box, size: Size, patch: Size) -> Box:
    """A box of such a picture as one of the clip's."""
    across, down = size[0] / patch[0], size[1] / patch[1]
    left, right = ((x - 0.5) * across + 0.5 for x in (box.left, box.right))
    top, bottom = ((y - 0.5) * down + 0.5 for y in (box.top, box.bottom))
    return Box(left, top, right, bottom)


def look_twice(sub: Clip, main: Clip, fps: int) -> Seen:
    """The whole clip once, as the analyser would with ``detect_main`` in mode always."""
    clock, detector, seen = FakeClock(), Network(), Seen()
    feed = Feed(clock)
    watch, teller, close_up = Watch(1, "always", feed, clock), Teller(1, clock), CloseUp(1, Hooks())
    feed.put(sub.video)
    close_up.put(main.video)
    numbers: Mapping[int, int] = {unit.pts // 90: n for n, unit in enumerate(sub.units, 1)}
    for small, large in zip(sub.units, main.units, strict=True):
        clock.advance(1 / fps)
        close_up.put(large)
        close_up.step(wanted=True)
        feed.put(small)
        while watch.step():
            while (look := watch.mailbox.take()[1]) is not None:
                _see(look, numbers[look.picture.at_ms], detector, teller, close_up, seen)
    return seen


def _see(look: Look, number: int, detector: Network, teller: Teller, close_up: CloseUp, seen: Seen) -> None:
    if not teller.wants(look):
        teller.passed(look)
        return
    crops = teller.crops(look, detector.shown)
    found = detect_in(detector, [(look.picture, crops)])[0]
    picture = close_up.take(look.picture)
    closer = teller.close_ups(look, (picture.width, picture.height), detector.shown) if picture else []
    if picture is not None and closer:
        seen.sub[number] = found
        found = completed(found, detect_in(detector, [(picture, closer)])[0])
        seen.both[number] = found
    teller.detected(look, found, crops)
