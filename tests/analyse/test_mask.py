"""What a privacy mask hides nobody looks at, and no still shows; what a motion mask covers does not move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from beholden.analyse.analyser import Analyser
from beholden.analyse.decode import Decoded, Decoder
from beholden.analyse.detect.fake import FakeDetector
from beholden.analyse.hooks import Hooks
from beholden.analyse.keeper import Keeper
from beholden.analyse.mask import Masks, PictureMask, covered, frozen
from beholden.analyse.motion import MotionDetector
from beholden.analyse.sink import FakeSink
from beholden.bus.fake import FakeBus
from beholden.catalog import Catalog, cameras, places
from beholden.catalog.cameras import NewCamera
from beholden.catalog.secrets import SecretBox
from beholden.model.place import Place, PlaceKind, Point
from beholden.model.time import SystemClock

from .conftest import START_MS, blank, coded, decoded, write_clip
from .test_analyser import Rig, camera, paced, see_bright

RIGHT = [(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)]
TRIANGLE = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]


def place(kind: PlaceKind, points: list[Point]) -> Place:
    """A place of camera 1."""
    return Place(1, 1, kind, "a place", tuple(points), 1, START_MS)


@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "yuv422p", "yuv420p10le", "nv12", "gray"])
@pytest.mark.parametrize("size", [(180, 320), (90, 122)])
def test_the_part_is_black_and_the_rest_is_not(form: str, size: tuple[int, int]) -> None:
    """In brightness and colour, whatever the decoder gives; the picture itself stays as it was."""
    picture = blank(*size, grey=200)
    picture[..., 2] = 90
    original = Decoded(av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=form), START_MS)
    before = original.bgr()
    masked = PictureMask([RIGHT]).apply(original)
    after, half = masked.bgr(), size[1] // 2
    assert (masked.at_ms, masked.width, masked.height) == (START_MS, size[1], size[0])
    assert np.ptp(after[:, half + 2 :]) <= 1
    assert after[:, half + 2 :].max() <= 16  # black, or nearly so where a stream uses the full range
    assert masked.luma()[:, half:].max() <= 16
    left = np.abs(after[:, : half - 6].astype(int) - before[:, : half - 6].astype(int))
    assert left.max() <= 6
    assert np.array_equal(original.bgr(), before)


def test_a_slope_leaves_no_rim() -> None:
    """Every pixel the polygon touches is hidden; what is well outside is not."""
    masked = PictureMask([TRIANGLE]).apply(decoded(blank(grey=255), START_MS)).bgr()
    rows, columns = np.mgrid[0:180, 0:320]
    inside = (columns + 0.5) / 320 + (rows + 0.5) / 180 <= 1.0
    outside = (columns + 0.5) / 320 + (rows + 0.5) / 180 > 1.03
    assert masked[inside].max() <= 2
    assert masked[outside].min() > 200
    still = blank(grey=255)
    PictureMask([TRIANGLE]).burn(still)
    assert still[inside].max() == 0
    assert still[outside].min() == 255


def test_later_pictures_are_not_touched(moving_square: Path) -> None:
    """Masking writes into a copy: the decoder's next pictures are what they would have been."""
    stream, mask = coded(moving_square), PictureMask([RIGHT])
    plain, other = Decoder(stream.video), Decoder(stream.video)
    for unit in stream.units:
        for expected, picture in zip(
            plain.decode(unit.data(), unit.pts), other.decode(unit.data(), unit.pts), strict=True
        ):
            mask.apply(picture)
            assert np.array_equal(picture.luma(), expected.luma())


def test_motion_in_a_motion_mask_does_not_count() -> None:
    """A square within moves nothing, one outside does, and the grid shows only that."""
    detector, ignored = MotionDetector(), frozen([RIGHT])
    empty, left, right = blank(), blank(), blank()
    left[60:120, 40:80] = 230
    right[60:120, 240:280] = 230
    for number in range(10):
        detector.look(decoded(empty, 0).luma(), START_MS + number * 200, ignored)
    within = detector.copy().look(decoded(right, 0).luma(), START_MS + 2000, ignored)
    assert (within.regions, within.fraction, within.grid().any()) == ((), 0.0, False)
    beside = detector.copy().look(decoded(left, 0).luma(), START_MS + 2000, ignored)
    assert len(beside.regions) == 1
    assert beside.grid()[:, :16].any()
    whole = detector.copy().look(decoded(blank(grey=220), 0).luma(), START_MS + 2000, ignored)
    assert not whole.settling  # light that changes everywhere is no motion
    assert not whole.regions


def test_polygons_may_overlap_and_be_many() -> None:
    """Five hundred of them are one mask."""
    many = [[(x / 500, 0.0), ((x + 2) / 500, 0.0), ((x + 2) / 500, 0.5), (x / 500, 0.5)] for x in range(498)]
    plane = covered(frozen(many), 320, 180)
    assert plane[:89, :318].min() == 255
    assert plane[92:].max() == 0


def test_masks_are_replaced_as_a_whole() -> None:
    """A camera without polygons has no mask."""
    masks = Masks()
    motion, zone = place(PlaceKind.MOTION, TRIANGLE), place(PlaceKind.ZONE, RIGHT)
    masks.draw({1: [place(PlaceKind.PRIVACY, RIGHT)], 2: [motion, zone]})
    assert masks.privacy(1) is not None
    assert masks.privacy(2) is None
    assert masks.motion(1) == ()
    assert len(masks.motion(2)) == 1
    masks.draw({1: []})
    assert masks.privacy(1) is None


def test_masks_follow_the_catalog(tmp_path: Path) -> None:
    """Drawn, redrawn and removed there, they are so here at the next look."""
    catalog = Catalog.open(tmp_path)
    masks = Masks()
    masks.follow(catalog)
    with catalog.write() as conn:
        number = cameras.add(conn, SecretBox.open(tmp_path), 0, NewCamera("Gate", "rtsp://127.0.0.1/a"))
        made = places.add(conn, 0, number, PlaceKind.PRIVACY, "window", RIGHT, "admin")
    assert masks.privacy(number) is None
    masks.follow(catalog)
    mask = masks.privacy(number)
    assert mask is not None
    assert mask.hidden(320, 180)[:, 165:].min() == 255
    masks.follow(catalog)
    assert masks.privacy(number) is mask
    with catalog.write() as conn:
        places.change(conn, 0, made.id, points=TRIANGLE, by="admin")
    masks.follow(catalog)
    assert masks.privacy(number) is not mask
    with catalog.write() as conn:
        places.remove(conn, 0, made.id, "admin")
    masks.follow(catalog)
    assert masks.privacy(number) is None
    catalog.close()


@pytest.fixture
def two_squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright square walks down on the left, another on the right."""

    def pictures() -> Iterator[np.ndarray]:
        for number in range(60):
            picture = blank()
            if number >= 15:
                top = min((number - 15) * 3, 110)
                picture[top : top + 60, 60:100] = 230
                picture[top : top + 60, 220:260] = 230
            yield picture

    return write_clip(tmp_path_factory.mktemp("two") / "two.mp4", pictures(), 10, 10)


def test_nothing_behind_a_privacy_mask_is_seen_or_kept(tmp_path: Path, two_squares: Path) -> None:
    """Of two squares only the one outside is detected, and the still of its event is black there."""
    masks = Masks()
    masks.draw({1: [place(PlaceKind.PRIVACY, RIGHT)]})
    bus = FakeBus()
    detector, sink = FakeDetector(see_bright), FakeSink()
    keeper = Keeper(tmp_path, sink, lambda _: None)
    hooks = Hooks(mask=masks.privacy, ignored=masks.motion)
    analyser = Analyser(
        detector, keeper, lambda _: bus, lambda n: tmp_path / f"{n}.sock", SystemClock(), hooks
    )
    rig = Rig(analyser, detector, sink, [bus], [], tmp_path)
    analyser.configure([camera()])
    paced(coded(two_squares), rig)
    rig.until(lambda: "start" in rig.phases())
    rig.until(lambda: any((tmp_path / "stills").rglob("*.jpg")))
    analyser.close()
    keeper.close()
    assert all(change.box.right < 0.5 for _, _, change in sink.told)
    for path in (tmp_path / "stills").rglob("*.jpg"):
        still = cv2.imread(str(path))
        assert still is not None
        assert still[:, 168:].max() < 12
        assert still[:, :150].max() > 200
