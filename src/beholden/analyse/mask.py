"""Parts of a camera's pictures that nobody may look at, and parts in which motion does not count."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from beholden.analyse.decode import Decoded
from beholden.catalog import Catalog, places
from beholden.model.place import Place, PlaceKind, Point

_BLACK = 16  # of 8-bit video: what a screen shows as black
_GREY = 128
_SHIFT = 4  # polygons are drawn to a sixteenth of a pixel
Polygon = Sequence[Point]
Plane = NDArray[np.uint8]


class PictureMask:
    """Makes polygons (0..1 of the picture) black in decoded pictures: a ``Mask`` of the analyser's hooks."""

    def __init__(self, polygons: Sequence[Polygon]) -> None:
        self.polygons = frozen(polygons)
        self._hidden: dict[tuple[int, int], Plane] = {}

    def apply(self, picture: Decoded) -> Decoded:
        """A copy with the polygons black. The given one is the decoder's own and stays as it is."""
        hidden = self.hidden(picture.width, picture.height)
        return picture.rewritten(lambda luma, chroma: _blacken(hidden, luma, chroma))

    def burn(self, bgr: NDArray[np.uint8]) -> None:
        """The same in a picture [height, width, 3], in place."""
        bgr[self.hidden(bgr.shape[1], bgr.shape[0]) > 0] = 0

    def hidden(self, width: int, height: int) -> Plane:
        """255 where pixels are hidden, [height, width]; drawn a pixel wide of the edge, so that no rounding
        leaves a rim."""
        known = self._hidden.get((width, height))
        if known is None:
            wide = cv2.dilate(covered(self.polygons, width, height), np.ones((3, 3), np.uint8))
            known = self._hidden[width, height] = np.asarray(wide, np.uint8)
        return known


class Masks:
    """The masks of all cameras as they are now. Read from any thread, replaced as a whole."""

    def __init__(self) -> None:
        self._privacy: Mapping[int, PictureMask] = {}
        self._motion: Mapping[int, tuple[Polygon, ...]] = {}
        self._revision: tuple[int, ...] | None = None

    def draw(self, found: Mapping[int, Sequence[Place]]) -> None:
        """The places of each camera from now on; only its masks matter."""
        privacy = {camera: points_of(drawn, PlaceKind.PRIVACY) for camera, drawn in found.items()}
        motion = {camera: points_of(drawn, PlaceKind.MOTION) for camera, drawn in found.items()}
        self._privacy = {camera: PictureMask(polygons) for camera, polygons in privacy.items() if polygons}
        self._motion = {camera: polygons for camera, polygons in motion.items() if polygons}

    def follow(self, catalog: Catalog) -> None:
        """Draw them anew when they changed in the catalog; CatalogError."""
        with catalog.read() as conn:
            revision = places.revision(conn)
            if revision == self._revision:
                return
            self.draw(places.present(conn))
        self._revision = revision

    def privacy(self, camera: int) -> PictureMask | None:
        """What hides parts of a camera's pictures."""
        return self._privacy.get(camera)

    def motion(self, camera: int) -> tuple[Polygon, ...]:
        """Polygons of a camera in which motion does not count."""
        return self._motion.get(camera, ())


@functools.lru_cache(maxsize=256)
def covered(polygons: tuple[Polygon, ...], width: int, height: int) -> Plane:
    """255 where any of the polygons (0..1, of tuples) lies, [height, width]. Not to be written to."""
    plane = np.zeros((height, width), np.uint8)
    scale = np.array([width, height], np.float64)
    for polygon in polygons:
        corners = np.round((np.array(polygon, np.float64) * scale - 0.5) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(plane, [corners], 255, cv2.LINE_8, _SHIFT)
    return plane


def points_of(drawn: Sequence[Place], kind: PlaceKind) -> tuple[Polygon, ...]:
    """The polygons of the places of a kind."""
    return tuple(place.points for place in drawn if place.kind is kind)


def frozen(polygons: Sequence[Polygon]) -> tuple[Polygon, ...]:
    """Polygons that do not change."""
    return tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in polygons)


def _blacken(hidden: Plane, luma: Plane, chroma: Sequence[Plane]) -> None:
    luma[hidden > 0] = _BLACK
    for plane in chroma:
        rows, columns = plane.shape
        small = cv2.resize(hidden, (columns, rows), interpolation=cv2.INTER_AREA)
        plane[small > 0] = _GREY
