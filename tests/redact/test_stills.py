"""Every still leaves as the pass allows: people hidden without the right, masks black for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from beholden.access.door import Pass
from beholden.access.refusal import NotPermittedError
from beholden.model.access import Action
from beholden.model.errors import BeholdenError
from beholden.model.event import Box
from beholden.play import still
from beholden.play.workshop import InlineWorkshop
from beholden.redact.find import FakeFinder
from beholden.redact.picture import redacted
from beholden.redact.stills import Stills

START_MS = 1_767_225_600_000
LEFT = (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)


@dataclass
class Leave:
    """A pass for stills of one camera."""

    clear: bool
    camera: int = 1

    def require(self, camera: int, *actions: Action) -> None:
        """As a pass does."""
        if camera != self.camera or actions != (Action.STILL,):
            raise NotPermittedError()


def leave(*, clear: bool, camera: int = 1) -> Pass:
    """A pass, as far as stills look at it."""
    return cast(Pass, Leave(clear, camera))


def noise() -> np.ndarray:
    """A picture full of detail, smooth enough for JPEG."""
    rough = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)
    return np.asarray(cv2.resize(rough, (320, 240), interpolation=cv2.INTER_NEAREST), np.uint8)


def shown(jpeg: bytes) -> np.ndarray:
    """The picture in a JPEG."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def test_people_are_hidden_where_the_finder_finds_them() -> None:
    """And only when asked for; masks are black before people are looked for."""
    seen: list[np.ndarray] = []

    def find(picture: np.ndarray) -> list[Box]:
        seen.append(picture.copy())
        return [Box(0.6, 0.1, 0.9, 0.9)]

    blurred = shown(redacted(noise(), LEFT, True, lambda: FakeFinder(find)))
    clear = shown(redacted(noise(), LEFT, False, lambda: FakeFinder(find)))
    assert len(seen) == 1
    assert seen[0][:, :160].max() == 0
    assert blurred[:, :155].max() < 12
    person = (slice(30, 210), slice(195, 285))
    assert np.abs(np.diff(blurred[person].astype(int), axis=1)).max() < 40
    assert np.abs(np.diff(clear[person].astype(int), axis=1)).max() > 100


@pytest.fixture
def still_file(tmp_path: Path) -> Path:
    """An event's still."""
    path = tmp_path / "17.jpg"
    assert cv2.imwrite(str(path), noise())
    return path


async def test_a_clear_still_is_the_file_itself(still_file: Path) -> None:
    """Nothing is decoded or coded again."""
    hiding = InlineWorkshop()
    stills = Stills(InlineWorkshop(), hiding)
    assert await stills.of_event(still_file, "17-1", (), leave(clear=True)) is None
    assert hiding.tasks == []


async def test_others_are_made_once(still_file: Path) -> None:
    """Kept until the still, the masks or the right change."""
    hiding = InlineWorkshop()
    stills = Stills(InlineWorkshop(), hiding)
    blurred = await stills.of_event(still_file, "17-1", (), leave(clear=False))
    assert blurred is not None
    assert blurred != still_file.read_bytes()
    assert await stills.of_event(still_file, "17-1", (), leave(clear=False)) is blurred
    assert len(hiding.tasks) == 1
    masked = await stills.of_event(still_file, "17-1", LEFT, leave(clear=True))
    assert masked is not None
    assert shown(masked)[:, :155].max() < 12
    await stills.of_event(still_file, "17-2", (), leave(clear=False))
    assert len(hiding.tasks) == 3


async def test_a_missing_or_damaged_file_is_told(tmp_path: Path) -> None:
    """In one sentence."""
    stills = Stills(InlineWorkshop(), InlineWorkshop())
    (tmp_path / "bad.jpg").write_bytes(b"jpg")
    for name, code in (("gone.jpg", "event_not_found"), ("bad.jpg", "not_decodable")):
        with pytest.raises(BeholdenError) as caught:
            await stills.of_event(tmp_path / name, "1-1", (), leave(clear=False))
        assert caught.value.code == code


async def test_of_footage_too(archive: Any, clip_factory: Any) -> None:
    """A still of an instant is the plain one when clear, and redacted otherwise; not without the pass."""
    archive.record(clip_factory())
    found = still.find(archive.footage, archive.camera, START_MS + 1250)
    decoding, hiding = InlineWorkshop(), InlineWorkshop()
    stills = Stills(decoding, hiding)
    plain = await stills.at(*found, START_MS + 1250, (), leave(clear=True, camera=archive.camera))
    assert (decoding.tasks, hiding.tasks) == (["decode_recorded"], [])
    blurred = await stills.at(*found, START_MS + 1250, (), leave(clear=False, camera=archive.camera))
    masked = await stills.at(*found, START_MS + 1250, LEFT, leave(clear=True, camera=archive.camera))
    assert hiding.tasks == ["redact_recorded"] * 2
    pictures = [shown(jpeg) for jpeg in (plain, blurred, masked)]
    assert len({picture.shape for picture in pictures}) == 1
    half = pictures[0].shape[1] // 2
    assert pictures[2][:, : half - 6].max() < 12
    assert np.abs(pictures[2][:, half + 8 :].astype(int) - pictures[0][:, half + 8 :].astype(int)).mean() < 6
    with pytest.raises(NotPermittedError):
        await stills.at(*found, START_MS + 1250, (), leave(clear=True, camera=archive.camera + 1))
