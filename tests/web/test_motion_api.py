"""Motion memory over the API: found by who may see the past, refused to who may not, plain about mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beholden.analyse.grid import MotionSeconds, pack_blocks
from beholden.analyse.motion import Motion
from beholden.catalog import users, volumes
from beholden.catalog.users import Grant
from beholden.model.access import Action
from beholden.model.boxes import pack_frames
from beholden.model.camera import StreamRole
from beholden.model.event import Box, ObjectClass
from beholden.model.frame import TrackedFrame, TrackedObject
from beholden.model.levels import pack_levels
from beholden.model.segment import SegmentKey
from beholden.model.time import to_rfc3339
from beholden.store import sidecars
from beholden.store.sidecars import SideKind
from beholden.store.volume import Volume

T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
MONTH = "from=2025-12-15T00:00:00Z&to=2026-01-14T00:00:00Z"
PERSON = TrackedObject(7, ObjectClass.PERSON, 0.8, Box(0.1, 0.2, 0.3, 0.4), stationary=False)


@pytest.fixture
def remembered(site: Any, tmp_path: Path) -> Any:
    """A minute of both cameras: something moves on the left for five seconds, a person is seen."""
    volume = Volume.create(tmp_path / "footage")
    with site.catalog.write() as conn:
        volumes.add(conn, T0, volume.uuid, str(volume.path))
    mask = np.zeros((180, 320), np.uint8)
    mask[:, :80] = 255
    for camera in (site.gate, site.yard):
        key = SegmentKey(camera, StreamRole.MAIN, T0)
        path = volume.path_of(key)
        path.parent.mkdir(parents=True)
        path.touch()
        seconds = MotionSeconds()
        for second in range(60):
            regions = (Box(0, 0, 0.25, 1),) if 20 <= second < 25 else ()
            seconds.look(T0 + second * 1000, Motion(regions, 0.2, settling=False, mask=mask))
        sidecars.append(volume.path, key, SideKind.MOTION, pack_blocks(seconds.take(0, 1 << 40)))
        frames = [TrackedFrame(camera, T0 + 20_400, (PERSON,)), TrackedFrame(camera, T0 + 21_000, ())]
        sidecars.append(volume.path, key, SideKind.BOXES, [(T0, pack_frames(T0, frames))])
        levels = {T0 // 1000: -40.0, T0 // 1000 + 21: -30.0, T0 // 1000 + 25: -12.5}
        sidecars.append(volume.path, key, SideKind.SOUND, [pack_levels(levels)])
    return site


def test_what_moved_in_a_rectangle_last_month(remembered: Any) -> None:
    """Stretches with their times where it moved, none where it did not, and what was watched."""
    viewer = remembered.client("viewer")
    path = f"/api/v1/cameras/{remembered.gate}/motion?{MONTH}"
    left = viewer.get(f"{path}&right=0.2").json()
    assert left["stretches"] == [
        {"start": to_rfc3339(T0 + 20_000), "end": to_rfc3339(T0 + 25_000), "seconds": 5}
    ]
    assert (left["total"], left["watched_seconds"]) == (1, 60)
    assert viewer.get(f"{path}&left=0.5").json()["stretches"] == []


def test_a_heat_map(remembered: Any) -> None:
    """Eight of 32 columns moved for five seconds."""
    answer = remembered.client("viewer").get(f"/api/v1/cameras/{remembered.gate}/motion/heat?{MONTH}").json()
    rows = np.array(answer["seconds"]).reshape(answer["rows"], answer["columns"])
    assert rows[:, :8].tolist() == [[5] * 8] * 18
    assert not rows[:, 8:].any()
    assert answer["watched_seconds"] == 60


def test_boxes_of_a_moment(remembered: Any) -> None:
    """What was seen in each picture, as it was."""
    path = f"/api/v1/cameras/{remembered.gate}/boxes"
    span = f"from={to_rfc3339(T0)}&to={to_rfc3339(T0 + 60_000)}"
    frames = remembered.client("viewer").get(f"{path}?{span}").json()["frames"]
    assert [frame["at"] for frame in frames] == [to_rfc3339(T0 + 20_400), to_rfc3339(T0 + 21_000)]
    [seen] = frames[0]["objects"]
    assert (seen["track"], seen["kind"], seen["stationary"]) == (7, "person", False)
    assert seen["box"]["right"] == pytest.approx(0.3, abs=1e-4)
    assert remembered.client("viewer").get(f"{path}?{MONTH}").status_code == 422


def test_how_loud_it_was(remembered: Any) -> None:
    """The loudest of each step, and nothing where nobody listened."""
    span = f"from={to_rfc3339(T0)}&to={to_rfc3339(T0 + 60_000)}"
    path = f"/api/v1/cameras/{remembered.gate}/sound?{span}"
    answer = remembered.client("viewer").get(f"{path}&step=10").json()
    assert answer["levels"] == [
        {"at": to_rfc3339(T0), "db": -40.0},
        {"at": to_rfc3339(T0 + 20_000), "db": -12.5},
    ]
    assert (
        remembered.client("viewer").get(f"/api/v1/cameras/{remembered.gate}/sound?{MONTH}&step=1").status_code
        == 422
    )


@pytest.mark.parametrize("what", ["motion", "motion/heat", "boxes", "sound"])
def test_not_without_the_right_to_the_past(remembered: Any, what: str) -> None:
    """Another camera, or a right to live alone: refused. A camera that is not there: not found."""
    span = f"from={to_rfc3339(T0)}&to={to_rfc3339(T0 + 60_000)}"
    viewer = remembered.client("viewer")
    assert viewer.get(f"/api/v1/cameras/{remembered.yard}/{what}?{span}").status_code == 403
    with remembered.catalog.write() as conn:
        users.set_grants(conn, remembered.viewer, frozenset({Grant(remembered.gate, Action.LIVE)}))
    assert viewer.get(f"/api/v1/cameras/{remembered.gate}/{what}?{span}").status_code == 403
    assert remembered.client("admin").get(f"/api/v1/cameras/999/{what}?{span}").status_code == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (f"{MONTH}&left=0.5&right=0.5", "bad_rectangle"),
        (f"{MONTH}&right=1.5", "bad_request"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "bad_range"),
        ("from=2020-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "bad_range"),
    ],
)
def test_mistakes_are_told(remembered: Any, query: str, code: str) -> None:
    """An empty rectangle, one outside the picture, a range that is none or too long."""
    answer = remembered.client("admin").get(f"/api/v1/cameras/{remembered.gate}/motion?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == code
