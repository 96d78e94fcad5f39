"""People are found to be hidden, near and far, and a changed model is refused."""

from __future__ import annotations

import csv
import itertools
import os
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as Xml

import av
import cv2
import numpy as np
import pytest

from beholden.model.errors import BeholdenError
from beholden.model.event import Box
from beholden.redact.find import FACE_WEIGHTS, PeopleFinder

FOOTAGE = Path(
    os.environ.get("BEHOLDEN_FOOTAGE", Path(__file__).resolve().parents[2].parent / "shared" / "footage")
)


@pytest.fixture(scope="module")
def finder() -> PeopleFinder:
    """The real one."""
    return PeopleFinder()


def hidden(boxes: list[Box], height: int, width: int) -> np.ndarray:
    """Which pixels the boxes cover."""
    covered = np.zeros((height, width), bool)
    for box in boxes:
        rows = slice(int(box.top * height), int(np.ceil(box.bottom * height)))
        covered[rows, int(box.left * width) : int(np.ceil(box.right * width))] = True
    return covered


def clip(name: str) -> Path:
    """A real clip, or the test is skipped."""
    path = FOOTAGE / name
    if not path.exists():
        pytest.skip(f"there is no {name} in {FOOTAGE}")
    return path


@pytest.mark.footage
def test_heads_of_walkers_are_covered(finder: PeopleFinder) -> None:
    """At least 95 of 100 heads of people on PETS09-S2L1 lie in what is hidden."""
    people = defaultdict(list)
    with clip("PETS09-S2L1/gt/gt.txt").open() as file:
        for row in csv.reader(file):
            people[int(row[0])].append([float(value) for value in row[2:6]])
    covered = []
    with av.open(str(clip("PETS09-S2L1/vtest.avi"))) as container:
        for number, frame in enumerate(itertools.islice(container.decode(video=0), 790), 1):
            if number % 80:
                continue
            picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            shown = hidden(finder.people(picture), *picture.shape[:2])
            for left, top, width, height in people[number]:
                head = shown[
                    max(0, int(top)) : int(top + height / 4),
                    max(0, int(left + width / 4)) : int(left + width * 3 / 4),
                ]
                covered.append(head.mean() > 0.9)
    assert len(covered) > 40
    assert np.mean(covered) >= 0.95


@pytest.mark.footage
def test_faces_are_covered(finder: PeopleFinder) -> None:
    """At least 95 of 100 labelled faces lie in what is hidden."""
    folder, covered = clip("faces_dlib/testing.xml").parent, []
    for image in Xml.parse(folder / "testing.xml").iter("image"):
        picture = cv2.imread(str(folder / image.attrib["file"]))
        assert picture is not None
        shown = hidden(finder.people(np.asarray(picture, np.uint8)), *picture.shape[:2])
        for box in image.iter("box"):
            left, top, width, height = (int(box.attrib[key]) for key in ("left", "top", "width", "height"))
            covered.append(shown[max(0, top) : top + height, max(0, left) : left + width].mean() > 0.9)
    assert len(covered) > 20
    assert np.mean(covered) >= 0.95


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (40, 40), (1080, 1920)])
def test_any_size_of_picture(finder: PeopleFinder, size: tuple[int, int]) -> None:
    """Nobody is found in an even picture, however large."""
    assert finder.people(np.full((*size, 3), 110, np.uint8)) == []


@pytest.mark.parametrize("change", ["missing", "changed"])
def test_other_weights_are_refused(tmp_path: Path, change: str) -> None:
    """In one sentence, before they are loaded."""
    weights = tmp_path / FACE_WEIGHTS.name
    if change == "changed":
        weights.write_bytes(FACE_WEIGHTS.read_bytes()[:-1] + b"x")
    with pytest.raises(BeholdenError) as caught:
        PeopleFinder(weights=weights)
    assert caught.value.code == "model_changed"
    assert caught.value.next_step
