"""Which parts of a picture the detector is shown, so that what is small is not shrunk away.

Coordinates: crops in pixels of the picture, boxes 0..1 of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from beholden.analyse.decode import Decoded
from beholden.analyse.detect.detector import Detector, Picture
from beholden.analyse.geometry import covered, overlap, strides_apart
from beholden.model.event import Box, Detection

Size = tuple[int, int]  # width, height

_LARGEST = (832, 512)  # a whole picture need not be larger
_MARGIN = 0.25  # of a box's size around it, since objects move and motion shows only a part of them
_LEAST_MARGIN = 12  # pixels
_JOIN = 1.15  # crops are joined when one costs no more pixels than so many times both
_GAIN = 1.2  # a crop must show things so much larger than the whole picture does
_EDGE = 2.0  # pixels from a crop's inner border: the object is cut
_CUT = 0.55  # what the score of a cut object is worth
_SAME = 0.55  # overlap at which two crops saw one object
_SAME_SOON, _STEP = 0.3, 0.4  # overlap, or sizes apart, of one object in pictures a moment apart
_INSIDE = 0.75  # of a cut box that lies within a whole one: the same object


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle of a picture, in its pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height


def plan(picture: Size, shown: Size, boxes: Sequence[Box], most: int) -> list[Crop]:
    """At most ``most`` crops that hold all boxes; the whole picture when nothing is gained by cropping.

    ``shown`` is the size the detector sees without shrinking: no crop is smaller, and all have its shape.
    """
    whole = Crop(0, 0, *picture)
    if not boxes or most < 1 or (picture[0] <= shown[0] and picture[1] <= shown[1]):
        return [whole]
    rectangles = [_grown(box, picture) for box in boxes]
    while len(rectangles) > 1:
        cost, first, second = _cheapest_pair(rectangles, shown, picture)
        if len(rectangles) <= most and cost > 0:
            break
        union = _union(rectangles[first], rectangles[second])
        rectangles = [r for i, r in enumerate(rectangles) if i not in (first, second)] + [union]
    crops = [_shaped(rectangle, shown, picture) for rectangle in rectangles]
    needed = _scale(picture, shown) * _GAIN
    if any(_scale((crop.width, crop.height), shown) < needed for crop in crops):
        return [whole]
    return crops


def detect_in(detector: Detector, asked: Sequence[tuple[Decoded, Sequence[Crop]]]) -> list[list[Detection]]:
    """For each picture what its crops show, 0..1 of the picture, best first. DetectorError."""
    parts = [part for picture, crops in asked for part in _cut_out(picture, crops)]
    found = iter(detector.detect(parts))
    return [
        joined(crops, [next(found) for _ in crops], (picture.width, picture.height))
        for picture, crops in asked
    ]


def joined(crops: Sequence[Crop], found: Sequence[Sequence[Detection]], picture: Size) -> list[Detection]:
    """What was found in the crops of one picture, 0..1 of that picture. An object cut by a crop's inner
    border counts less, and not at all when it lies within one that is whole."""
    whole: list[Detection] = []
    cut: list[Detection] = []
    for crop, detections in zip(crops, found, strict=True):
        for item in detections:
            placed = replace(item, box=_placed(item.box, crop, picture))
            (cut if _is_cut(item.box, crop, picture) else whole).append(placed)
    kept: list[Detection] = []
    for item in sorted(whole, key=lambda each: -each.score):
        if len(crops) == 1 or not _is_known(item, kept, _SAME):
            kept.append(item)
    for item in cut:
        if not any(item.kind is other.kind and covered(item.box, other.box) > _INSIDE for other in kept):
            kept.append(replace(item, score=item.score * _CUT))
    return sorted(kept, key=lambda each: -each.score)


def completed(found: Sequence[Detection], closer: Sequence[Detection]) -> list[Detection]:
    """What a picture showed and what only a larger one, a moment apart, did; best first. Where both show one
    object it is where the first has it, and as sure as the surer."""
    kept = list(found)
    for item in closer:
        place = next((i for i, other in enumerate(kept[: len(found)]) if _near(item, other)), None)
        if place is None:
            kept.append(item)
        elif kept[place].score < item.score:
            kept[place] = replace(kept[place], score=item.score)
    return sorted(kept, key=lambda each: -each.score)


def _near(first: Detection, second: Detection) -> bool:
    return first.kind is second.kind and (
        overlap(first.box, second.box) > _SAME_SOON or strides_apart(first.box, second.box) < _STEP
    )


def _is_known(item: Detection, kept: Sequence[Detection], limit: float) -> bool:
    return any(item.kind is other.kind and overlap(item.box, other.box) > limit for other in kept)


def seen_in(crops: Sequence[Crop], box: Box, picture: Size) -> bool:
    """Whether a box lies within one of the crops."""
    return any(covered(box, _box(crop, picture)) > 0.9 for crop in crops)


def _cut_out(picture: Decoded, crops: Sequence[Crop]) -> list[Picture]:
    if len(crops) == 1 and crops[0].width == picture.width and crops[0].height == picture.height:
        return [picture.bgr(*_LARGEST)]
    pixels = picture.bgr()
    return [pixels[c.top : c.top + c.height, c.left : c.left + c.width] for c in crops]


def _grown(box: Box, picture: Size) -> tuple[float, float, float, float]:
    width, height = picture
    left, top, right, bottom = box.left * width, box.top * height, box.right * width, box.bottom * height
    across = max((right - left) * _MARGIN, _LEAST_MARGIN)
    down = max((bottom - top) * _MARGIN, _LEAST_MARGIN)
    return max(0, left - across), max(0, top - down), min(width, right + across), min(height, bottom + down)


def _cheapest_pair(
    rectangles: Sequence[tuple[float, float, float, float]], shown: Size, picture: Size
) -> tuple[float, int, int]:
    """(pixels that joining costs beyond what it may, first, second)."""
    areas = [_shaped(rectangle, shown, picture).area for rectangle in rectangles]
    pairs = (
        (
            _shaped(_union(rectangles[i], rectangles[j]), shown, picture).area
            - _JOIN * (areas[i] + areas[j]),
            i,
            j,
        )
        for i in range(len(rectangles))
        for j in range(i)
    )
    return min(pairs)


def _union(
    first: tuple[float, float, float, float], second: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )


def _shaped(rectangle: tuple[float, float, float, float], shown: Size, picture: Size) -> Crop:
    """The crop around a rectangle: of the detector's shape, not smaller than it sees, inside the picture."""
    left, top, right, bottom = rectangle
    factor = max(1.0, (right - left) / shown[0], (bottom - top) / shown[1])
    width, height = min(picture[0], round(shown[0] * factor)), min(picture[1], round(shown[1] * factor))
    x = min(max(round((left + right - width) / 2), 0), picture[0] - width)
    y = min(max(round((top + bottom - height) / 2), 0), picture[1] - height)
    return Crop(x, y, width, height)


def _scale(size: Size, shown: Size) -> float:
    return min(shown[0] / size[0], shown[1] / size[1], 1.0)


def _placed(box: Box, crop: Crop, picture: Size) -> Box:
    width, height = picture
    return Box(
        (crop.left + box.left * crop.width) / width,
        (crop.top + box.top * crop.height) / height,
        (crop.left + box.right * crop.width) / width,
        (crop.top + box.bottom * crop.height) / height,
    )


def _is_cut(box: Box, crop: Crop, picture: Size) -> bool:
    across, down = _EDGE / crop.width, _EDGE / crop.height
    return (
        (box.left < across and crop.left > 0)
        or (box.top < down and crop.top > 0)
        or (box.right > 1 - across and crop.left + crop.width < picture[0])
        or (box.bottom > 1 - down and crop.top + crop.height < picture[1])
    )


def _box(crop: Crop, picture: Size) -> Box:
    width, height = picture
    return Box(
        crop.left / width,
        crop.top / height,
        (crop.left + crop.width) / width,
        (crop.top + crop.height) / height,
    )
