"""Pictures as they may be seen: privacy masks black, and people hidden. Runs in worker processes."""

from __future__ import annotations

import functools
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from beholden.analyse.detect.detector import Picture
from beholden.analyse.mask import PictureMask
from beholden.model.errors import BeholdenError
from beholden.model.place import Point
from beholden.redact.find import Finder, PeopleFinder
from beholden.redact.hide import hide

_QUALITY = 85


def redacted(
    picture: Picture,
    masks: tuple[tuple[Point, ...], ...],
    blurred: bool,
    finder: Callable[[], Finder] | None = None,
) -> bytes:
    """The JPEG of a picture (changed in place) as it may be seen. People are looked for behind the masks'
    black, so nothing of what they hide is used."""
    if masks:
        PictureMask(masks).burn(picture)
    if blurred:
        hide(picture, (finder or shared_finder)().people(picture))
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise BeholdenError("not_decodable", "This still cannot be shown.", "")
    return data.tobytes()


def decoded_jpeg(jpeg: NDArray[np.uint8]) -> Picture:
    """[height, width, 3]; BeholdenError ``not_decodable`` when it is no picture."""
    picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR) if jpeg.size else None
    if picture is None:
        raise BeholdenError("not_decodable", "This still is damaged and cannot be shown.", "")
    return np.asarray(picture, np.uint8)


@functools.cache
def shared_finder() -> Finder:
    """Made once a process, when it is first needed."""
    return PeopleFinder()
