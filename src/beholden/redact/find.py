"""Where people are in a still, so that they can be hidden. Missing one costs more than hiding too much."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from beholden.analyse.detect.detector import Detector, Picture
from beholden.analyse.detect.network import Network
from beholden.model.errors import BeholdenError
from beholden.model.event import Box, ObjectClass

FACE_WEIGHTS = Path(__file__).parent / "models" / "face_detection_yunet_2023mar.onnx"
FACE_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
_PERSON_SCORE = 0.2
_FACE_SCORE = 0.4
_FACE_OVERLAP = 0.3
_FACE_WIDTH = 1280  # larger pictures are shrunk before faces are looked for
_TILES = (0.0, 0.4)  # where tiles of six tenths of the picture begin
_TILE = 0.6
_PERSON_GROWN, _FACE_GROWN = 0.08, 0.35


class Finder(Protocol):
    """Finds people. Real: ``PeopleFinder``. Fake: ``FakeFinder``."""

    def people(self, picture: Picture) -> list[Box]:
        """Boxes that cover every person and face, with a margin, in a picture [height, width, 3]."""
        ...


class PeopleFinder:
    """Persons by the default detector, in the whole picture and in four parts of it, and faces by YuNet."""

    def __init__(self, detector: Detector | None = None, weights: Path = FACE_WEIGHTS) -> None:
        """BeholdenError when a model is missing or changed."""
        self._detector = detector or Network(minimum_score=_PERSON_SCORE)
        _check_weights(weights)
        cv2.setNumThreads(1)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # its hints are not ours
        self._faces = cv2.FaceDetectorYN.create(
            str(weights), "", (320, 320), _FACE_SCORE, _FACE_OVERLAP, 5000
        )

    def people(self, picture: Picture) -> list[Box]:
        parts = [(0.0, 0.0, 1.0), *((left, top, _TILE) for left, top in product(_TILES, _TILES))]
        found = self._detector.detect([_part(picture, *part) for part in parts])
        persons = [
            _grown(_placed(item.box, *part), _PERSON_GROWN)
            for part, items in zip(parts, found, strict=True)
            for item in items
            if item.kind is ObjectClass.PERSON
        ]
        return persons + [_grown(box, _FACE_GROWN) for box in self._find_faces(picture)]

    def _find_faces(self, picture: Picture) -> list[Box]:
        height, width = picture.shape[:2]
        scale = min(1.0, _FACE_WIDTH / width)
        columns, rows = max(32, round(width * scale)), max(32, round(height * scale))
        small = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
        self._faces.setInputSize((columns, rows))
        _, rows_found = self._faces.detect(small)
        found = np.zeros((0, 4)) if rows_found is None else np.asarray(rows_found)[:, :4]
        return [
            Box(x / columns, y / rows, (x + across) / columns, (y + down) / rows)
            for x, y, across, down in found.tolist()
        ]


class FakeFinder:
    """Finds what a test says."""

    def __init__(self, find: Callable[[Picture], Sequence[Box]] = lambda _: ()) -> None:
        self._find = find

    def people(self, picture: Picture) -> list[Box]:
        return list(self._find(picture))


def _part(picture: Picture, left: float, top: float, size: float) -> Picture:
    height, width = picture.shape[:2]
    rows = slice(int(top * height), max(int((top + size) * height), 1))
    columns = slice(int(left * width), max(int((left + size) * width), 1))
    return np.ascontiguousarray(picture[rows, columns])


def _placed(box: Box, left: float, top: float, size: float) -> Box:
    """A box of a part in the whole picture."""
    return Box(left + box.left * size, top + box.top * size, left + box.right * size, top + box.bottom * size)


def _grown(box: Box, share: float) -> Box:
    across, down = (box.right - box.left) * share, (box.bottom - box.top) * share
    return Box(
        max(0.0, box.left - across),
        max(0.0, box.top - down),
        min(1.0, box.right + across),
        min(1.0, box.bottom + down),
    )


def _check_weights(weights: Path) -> None:
    try:
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        raise _bad_weights(weights, "cannot be read") from error
    if found != FACE_SHA256:
        raise _bad_weights(weights, "are not the ones this program was made with")


def _bad_weights(weights: Path, why: str) -> BeholdenError:
    return BeholdenError(
        "model_changed",
        f"The weights {weights.name} {why}, so people in stills cannot be hidden.",
        "Take the file from a fresh copy, or fetch it with scripts/build-detector.",
    )
