"""What a camera's mode keeps, moment by moment: by the clock, by events, and everything when in doubt."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from beholden.model.camera import CameraConfig, RecordingMode, RecordingWindow, StreamAddress
from beholden.record.latch import LATE_SECONDS, Latch, Seeing

UTC = ZoneInfo("UTC")
MONDAY = 1_795_996_800_000  # 2026-11-30 00:00 UTC
HOUR = 3_600_000
CAMERA = CameraConfig(
    id=1, name="gate", main=StreamAddress("rtsp://h/"), sub=None, enabled=True, record=True,
    record_audio=True, analyse="always", keep_days=14, shard=0, rev=1, created_ms=0,
    mode=RecordingMode.EVENTS, pre_seconds=5, post_seconds=10,
)  # fmt: skip
WATCHES = Seeing(well_ms=MONDAY)


def _latch(**changes: object) -> Latch:
    return Latch(replace(CAMERA, **changes), UTC)  # type: ignore[arg-type]


def test_continuous_keeps_everything() -> None:
    """Whatever analysis says; and it never listens."""
    latch = _latch(mode=RecordingMode.CONTINUOUS)
    assert latch.judge(MONDAY, False, Seeing(trouble="gone")).keep
    assert (latch.listens, latch.prelude_seconds) == (False, 0.0)


def test_events_are_kept_with_the_time_around_them() -> None:
    """From ``pre_seconds`` before the first sight to ``post_seconds`` after the last; nothing else."""
    latch = _latch()
    assert (latch.listens, latch.prelude_seconds) == (True, 5.0 + LATE_SECONDS)
    before = latch.judge(MONDAY, True, WATCHES)
    assert not before.keep
    assert before.why
    during = latch.judge(MONDAY + 2000, True, replace(WATCHES, lasting=True, start_ms=MONDAY + 1000))
    assert (during.keep, during.since_ms, during.trouble) == (True, MONDAY - 4000, "")
    ended = replace(WATCHES, start_ms=MONDAY + 1000, end_ms=MONDAY + 8000)
    assert latch.judge(MONDAY + 17_900, True, ended).keep
    assert not latch.judge(MONDAY + 18_100, True, ended).keep


def test_an_event_that_is_over_when_it_is_heard_of_is_kept() -> None:
    """News may come late; memory still holds it."""
    seen = replace(WATCHES, start_ms=MONDAY + 1000, end_ms=MONDAY + 1500)
    verdict = _latch().judge(MONDAY + 3000, True, seen)
    assert (verdict.keep, verdict.since_ms) == (True, MONDAY - 4000)


@pytest.mark.parametrize("analyse", ["off", "always"])
def test_without_analysis_everything_is_kept_and_said(analyse: str) -> None:
    """Off, away, sick: fail open, from the moment it was last well, and for the post-time after."""
    latch = _latch(analyse=analyse)
    seeing = Seeing(trouble="" if analyse == "off" else "It hangs.", well_ms=MONDAY - 3000)
    verdict = latch.judge(MONDAY, True, seeing)
    assert (verdict.keep, verdict.since_ms) == (True, MONDAY - 8000)
    assert "everything is kept" in verdict.trouble.lower()
    if analyse == "always":
        assert "It hangs." in verdict.trouble
        assert latch.judge(MONDAY + 9000, True, WATCHES).keep
        assert not latch.judge(MONDAY + 11_000, True, WATCHES).keep


def test_a_lost_camera_is_doubt() -> None:
    """Who cuts a cable does it for a reason: all that memory holds is kept, and the time after the return."""
    latch = _latch(post_seconds=0)
    assert latch.judge(MONDAY, False, WATCHES).keep
    assert latch.judge(MONDAY, False, WATCHES).since_ms == 0
    assert latch.judge(MONDAY + LATE_SECONDS * 1000 - 1, True, WATCHES).keep
    assert not latch.judge(MONDAY + LATE_SECONDS * 1000, True, WATCHES).keep


def test_a_schedule_has_its_own_modes() -> None:
    """Continuous and event windows, and nothing outside, where neither events nor doubt count."""
    windows = (
        RecordingWindow(0, 480, 600, RecordingMode.CONTINUOUS),
        RecordingWindow(0, 600, 720, RecordingMode.EVENTS),
    )
    latch = _latch(mode=RecordingMode.SCHEDULE, windows=windows)
    event = replace(WATCHES, lasting=True, start_ms=MONDAY)
    assert latch.listens
    assert not latch.judge(MONDAY + 7 * HOUR, False, Seeing(trouble="gone")).keep
    assert not latch.judge(MONDAY + 7 * HOUR, True, event).keep
    assert latch.judge(MONDAY + 8 * HOUR, True, WATCHES).keep
    assert not latch.judge(MONDAY + 10 * HOUR, True, WATCHES).keep
    assert latch.judge(MONDAY + 10 * HOUR, True, event).keep
    assert not latch.judge(MONDAY + 12 * HOUR, True, event).keep
    assert not _latch(mode=RecordingMode.SCHEDULE, windows=windows[:1]).listens
