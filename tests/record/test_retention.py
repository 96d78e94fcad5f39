"""What retention may take, in which order, what it never takes, and what it says of it."""

from __future__ import annotations

import errno
import itertools
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from beholden.catalog import cameras, events, holds, volumes
from beholden.model.event import Box, ObjectClass
from beholden.model.gap import GapCause
from beholden.model.segment import SegmentKey
from beholden.record.expire import expire_events
from beholden.store.fake import FakeStore

T0 = 1_795_472_104_250
DAY = 86_400_000
NEVER = threading.Event()


def change(place: Any, camera: int, **settings: Any) -> None:
    """Set a camera's rules long ago, so that it counts as no answer of a person."""
    with place.catalog.write() as conn:
        cameras.change(conn, place.box, 0, camera, settings)


def put_event(place: Any, start_ms: int, end_ms: int | None) -> int:
    """Somebody was seen."""
    with place.catalog.write() as conn:
        number = events.start_event(
            conn, place.camera, ObjectClass.PERSON, start_ms, 0.5, Box(0, 0, 1, 1), start_ms
        )
        if end_ms is not None:
            events.end_event(conn, number, end_ms)
        return number


def test_old_footage_goes_oldest_first_and_young_stays(place: Any) -> None:
    """keep_days is 5: files that ended before go, with rows and what was derived, journalled; at the oldest
    end of the timeline that leaves no gap, for it is what was promised."""
    keys = place.put_both(10, step_ms=DAY)
    assert place.retain() == 5
    assert place.keys() == keys[5:]
    assert sorted(place.store.walk()) == keys[5:]
    assert place.expired == [(place.camera, place.clock.now_ms() - 5 * DAY)]
    facts = place.facts("segments_deleted")
    assert {(fact["cause"], fact["by"]) for fact in facts} == {("too_old", "retention")}
    assert [row[0] for fact in facts for row in fact["segments"]] == [key.start_ms for key in keys[:5]]
    assert place.gaps() == []


def test_a_file_is_marked_unlinked_and_only_then_forgotten(place: Any) -> None:
    """Rule 6: at the unlink the row is marked, after it the row is gone."""
    (key,) = place.put_both(1)
    seen: list[tuple[str, bool, bool]] = []

    def look(step: str) -> None:
        (row,) = place.rows()
        seen.append((step, row.leaves, place.store.path_of(key).exists()))

    place.store.before = look
    assert place.retain() == 1
    assert seen == [("delete", True, True)]
    assert place.rows() == []


@pytest.mark.parametrize("dies_at", range(6))
def test_an_interrupted_deletion_is_finished(place: Any, dies_at: int) -> None:
    """Killed before any of its unlinks, or after: the next start finishes it, with the right cause."""
    keys = place.put_both(10, step_ms=DAY)
    steps = iter(range(100))

    def die(_step: str) -> None:
        if next(steps) == dies_at:
            raise KeyboardInterrupt

    place.store.before = die
    if dies_at < 5:
        with pytest.raises(KeyboardInterrupt):
            place.retain()
        assert [row.key for row in place.rows() if not row.leaves] == keys[5:]
    place.store.before = None
    place.retain()
    assert place.keys() == keys[5:]
    assert sorted(place.store.walk()) == keys[5:]
    assert {fact["cause"] for fact in place.facts("segments_deleted")} == {"too_old"}
    assert place.gaps() == []


def test_what_is_due_of_all_cameras_is_marked_and_forgotten_together(place: Any) -> None:
    """A pass that finds a file or two of each camera is two transactions and not two for each camera."""
    cameras_of = [place.camera, place.add_camera("b", keep_days=5), place.add_camera("c", keep_days=5)]
    for camera in cameras_of:
        place.put_both(3, camera=camera)
    seen: list[tuple[int, int]] = []

    def look(_step: str) -> None:
        rows = [row for camera in cameras_of for row in place.rows(camera)]
        seen.append((len(rows), sum(row.leaves for row in rows)))

    place.store.before = look
    assert place.retain() == 9
    assert seen == [(9, 9)] * 9
    assert [len(fact["segments"]) for fact in place.facts("segments_deleted")] == [3, 3, 3]


def test_a_disk_that_fails_at_one_batch_leaves_the_others_marked(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one batch is forgotten the next is unlinked: its error is told, what went before it is forgotten
    with its files gone, and everything else is finished by a later pass."""
    monkeypatch.setattr("beholden.record.retention.BATCH", 3)
    all_cameras = [place.camera, place.add_camera("b", keep_days=5), place.add_camera("c", keep_days=5)]
    for camera in all_cameras:
        place.put_both(3, camera=camera)
    delete_many = place.store.delete_many

    def fail(keys: Any) -> None:
        keys = list(keys)
        if any(key.camera != place.camera for key in keys):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        delete_many(keys)

    monkeypatch.setattr(place.store, "delete_many", fail)
    retention = place.retention()
    retention.run_once(threading.Event())
    assert [alarm.code for alarm in retention.alarms] == ["cannot_delete"]
    left = [[row.leaves for row in place.rows(camera)] for camera in all_cameras]
    assert left == [[], [True] * 3, [True] * 3]
    monkeypatch.setattr(place.store, "delete_many", delete_many)
    assert place.retain() == 6
    assert list(place.store.walk()) == []


@pytest.mark.parametrize("dies_at", range(3))
def test_a_mark_of_several_batches_outlives_a_crash_between_them(
    place: Any, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    """What is forgotten is gone, of the others any files may be: the next start finishes them, each once."""
    monkeypatch.setattr("beholden.record.retention.BATCH", 3)
    all_cameras = [place.camera, place.add_camera("b", keep_days=5), place.add_camera("c", keep_days=5)]
    for camera in all_cameras:
        place.put_both(3, camera=camera)
    from beholden.catalog import leaving

    steps = itertools.count()
    forget = leaving.forget

    def die(*words: Any, **more: Any) -> None:
        if next(steps) == dies_at:
            raise KeyboardInterrupt
        forget(*words, **more)

    monkeypatch.setattr(leaving, "forget", die)
    with pytest.raises(KeyboardInterrupt):
        place.retain()
    monkeypatch.setattr(leaving, "forget", forget)
    assert {key.camera for key in place.store.walk()}.isdisjoint(all_cameras[: dies_at + 1])
    left = [[row.leaves for row in place.rows(camera)] for camera in all_cameras]
    assert left == [[]] * dies_at + [[True] * 3] * (3 - dies_at)
    assert place.retain() == 3 * (3 - dies_at)
    assert list(place.store.walk()) == []
    facts = place.facts("segments_deleted")
    assert [(fact["cause"], len(fact["segments"])) for fact in facts] == [("too_old", 3)] * 3


def test_a_page_with_two_reasons_says_each_of_its_own(place: Any) -> None:
    """Beyond the hard maximum, and beyond the days alone; of one camera in one pass."""
    change(place, place.camera, keep_event_days=30, max_days=8)
    keys = place.put_both(10, step_ms=DAY)
    place.retain()
    assert place.keys() == keys[5:]
    facts = {fact["cause"]: [row[0] for row in fact["segments"]] for fact in place.facts("segments_deleted")}
    old = [key.start_ms for key in keys[:5]]
    assert facts == {"hard_maximum": old[:2], "too_old": old[2:]}


def test_a_disk_that_refuses_to_delete_is_an_alarm_and_tried_again(place: Any) -> None:
    """Rows stay marked while the files are there; nothing is claimed to be gone."""
    keys = place.put_both(10, step_ms=DAY)
    retention = place.retention()
    place.store.broken = True
    assert retention.run_once(NEVER) == 0
    assert [alarm.code for alarm in retention.alarms] == ["cannot_delete"]
    assert len(place.rows()) == 10
    assert place.facts("segments_deleted") == []
    place.store.broken = False
    retention.run_once(NEVER)
    assert place.keys() == keys[5:]
    assert retention.alarms == []


def test_the_wrong_disk_is_left_alone_and_the_others_are_not(place: Any) -> None:
    """No row of it goes while a volume is not there; another volume's old footage does."""
    place.put_both(10, step_ms=DAY)
    second = place.add_volume("second", floor_bytes=0)
    other = place.add_camera("b", keep_days=5)
    place.put_both(10, step_ms=DAY, camera=other, volume=second)
    place.store.lost = True
    retention = place.retention()
    assert retention.run_once(NEVER) == 5
    assert len(place.rows()) == 10
    assert len(place.rows(other)) == 5
    assert [alarm.code for alarm in retention.alarms] == ["volume_missing"]


# --- parts with events, the hard maximum, holds -------------------------------


def test_parts_with_events_are_kept_longer(place: Any) -> None:
    """With the seconds before and after; what is deleted between them is a gap that says by which rule."""
    change(place, place.camera, keep_event_days=9, pre_seconds=5, post_seconds=2)
    keys = place.put_both(10, step_ms=10_000)  # 3 s each, ten seconds apart, ten days ago
    place.clock.advance(-2 * 86_400)
    put_event(place, T0 + 21_000, T0 + 21_500)  # within the third
    put_event(place, T0 + 47_000, T0 + 48_500)  # between the fifth and the sixth: 42 to 50.5
    place.retain()
    assert place.keys() == [keys[2], keys[4], keys[5]]
    found = [(gap.cause, gap.start_ms, gap.detail) for gap in place.gaps()]
    assert [start for _, start, _ in found] == [key.start_ms for key in (keys[3], *keys[6:])]
    assert {cause for cause, _, _ in found} == {GapCause.DELETED}
    assert all("retention" in detail for _, _, detail in found)
    place.clock.advance(2 * 86_400)
    place.retain()
    assert place.keys() == []
    assert place.gaps() == [], "the oldest end of the timeline moved past them"


def test_an_event_that_lasts_keeps_all_that_follows(place: Any) -> None:
    """Until it ends."""
    change(place, place.camera, keep_event_days=20, pre_seconds=0)
    keys = place.put_both(5)
    put_event(place, T0 + 3500, None)
    place.retain()
    assert place.keys() == keys[1:]


def test_what_is_kept_is_not_read_again_by_every_pass(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for events nor for holds; released, changed or after ten minutes it is looked at afresh."""
    change(place, place.camera, keep_event_days=20)
    place.put_both(20)
    put_event(place, T0, T0 + 60_000)
    retention = place.retention()
    read: list[int] = []
    from beholden.catalog import segments

    def spy(*words: Any, **more: Any) -> Any:
        found = original(*words, **more)
        read.append(len(found))
        return found

    original = segments.oldest
    monkeypatch.setattr(segments, "oldest", spy)
    for _ in range(3):
        retention.run_once(NEVER)
        place.clock.advance(60)
    assert sum(read) == 20
    place.clock.advance(700)
    retention.run_once(NEVER)
    assert sum(read) == 40
    change(place, place.camera, keep_event_days=None)
    place.clock.advance(60)
    retention.run_once(NEVER)
    assert place.keys() == []


def test_the_hard_maximum_wins_over_events(place: Any) -> None:
    """keep_event_days says 30, max_days says 8: at eight days it goes, and its derived facts with it."""
    change(place, place.camera, keep_event_days=30, max_days=8)
    keys = place.put_both(10, step_ms=DAY)
    put_event(place, T0, T0 + 9 * DAY)
    place.retain()
    assert place.keys() == keys[2:]
    assert place.expired == [(place.camera, place.clock.now_ms() - 8 * DAY)]
    assert {fact["cause"] for fact in place.facts("segments_deleted")} == {"hard_maximum"}


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_hold_wins_over_everything(place: Any, everywhere: bool) -> None:
    """Over days, the hard maximum, a share, a limit, and a person who removes the camera with its footage."""
    change(place, place.camera, max_days=5)
    keys = place.put_both(10, step_ms=DAY)
    hold = place.hold(T0 + DAY, T0 + 3 * DAY, None if everywhere else place.camera)
    place.retain()
    assert place.keys() == [*keys[1:3], *keys[5:]]
    place.store.free = 0
    place.set_volume(place.volume_id, floor_bytes=10_000)
    for _ in range(3):
        place.retain()
    assert place.keys() == keys[1:3]
    with place.catalog.write() as conn:
        cameras.remove(conn, place.clock.now_ms(), place.camera, delete_footage=True, by="eve")
    place.retain()
    assert place.keys() == keys[1:3]
    with place.catalog.write() as conn:
        holds.release(conn, place.clock.now_ms(), hold.id, by="ada")
    place.retain()
    assert place.keys() == []
    assert place.facts("segments_deleted")[-1]["cause"] == "asked"


def test_a_hold_added_after_the_mark_saves_what_is_still_there(place: Any) -> None:
    """A crash left files marked; meanwhile somebody holds them."""
    keys = place.put_both(3)
    place.store.before = lambda _: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        place.retain()
    place.store.before = None
    place.hold(T0 + 3500, T0 + 4000)
    place.retain()
    assert place.keys() == [keys[1]]
    assert not place.rows()[0].leaves


# --- space --------------------------------------------------------------------


def test_space_is_freed_to_the_floor_and_no_further(place: Any) -> None:
    """With 2500 bytes too few, the three oldest files of 1000 go, and the gap says why."""
    place.clock.advance(-9 * 86_400)
    keys = place.put_both(10)
    place.store.free = lambda: 7500 - 1000 * len(list(place.store.walk())) + 10_000
    place.set_volume(place.volume_id, floor_bytes=10_000)
    assert place.retain() == 3
    assert place.keys() == keys[3:]
    (gap,) = place.gaps()
    assert (gap.cause, gap.start_ms, gap.end_ms) == (GapCause.DELETED, T0, T0 + 9000)
    assert "before its days were over: the disk needed room" in gap.detail


def test_the_oldest_of_all_cameras_goes_first(place: Any) -> None:
    """Not the first camera's."""
    place.clock.advance(-9 * 86_400)
    other = place.add_camera("b")
    mine = place.put_both(10, step_ms=6000)
    theirs = place.put_both(5, step_ms=12_000, camera=other)
    place.store.free = lambda: 15_000 - 1000 * len(list(place.store.walk()))
    place.retain()
    assert (place.keys(), place.keys(other)) == (mine, theirs)
    place.set_volume(place.volume_id, floor_bytes=6000)
    assert place.retain() == 6
    assert (place.keys(), place.keys(other)) == (mine[4:], theirs[2:])


def test_a_limit_counts_files_that_are_being_written(place: Any) -> None:
    """Indexed and open bytes together are held to it: 5000 + 400 in a limit of 4500 costs one file."""
    place.clock.advance(-9 * 86_400)
    keys = place.put_both(5)
    place.put_file(place.key(T0 + 20_000), b"x" * 400)
    with place.catalog.write() as conn:
        conn.exec_driver_sql("update volume set limit_bytes = 4500")
    assert place.retain() == 1
    assert place.keys() == keys[1:]
    assert "the storage reached its limit" in place.gaps()[0].detail


def test_a_limit_holds_while_cameras_write(place: Any) -> None:
    """Pass after pass, with new files in between: never more than the limit and what came since; the margin
    follows the rate, so that after some passes it is not exceeded at all."""
    place.clock.advance(-9 * 86_400)
    with place.catalog.write() as conn:
        conn.exec_driver_sql("update volume set limit_bytes = 100000")
    retention = place.retention()
    most = []
    for round_number in range(12):
        for number in range(10):
            key = place.key(T0 + (round_number * 10 + number) * 3000)
            place.put_file(key, b"x" * 1000)
            place.put_row(key)
        most.append(1000 * len(list(place.store.walk())))
        retention.run_once(NEVER)
    assert max(most) <= 110_000
    assert len(place.rows()) <= 100
    assert len(place.rows()) >= 80, "no more is deleted than is needed"
    assert retention.alarms == []


def test_a_cameras_share_is_its_own(place: Any) -> None:
    """Beyond max_bytes its own oldest footage goes, on whatever volume; nobody else's."""
    place.clock.advance(-9 * 86_400)
    second = place.add_volume("second", floor_bytes=0)
    other = place.add_camera("b")
    place.put_both(5, camera=other)
    keys = place.put_both(6, volume=second)
    with place.catalog.write() as conn:
        conn.exec_driver_sql(f"update camera set max_bytes = 4500 where id = {place.camera}")
    assert place.retain() == 2
    assert place.keys() == keys[2:]
    assert len(place.rows(other)) == 5
    assert "the camera's share was used up" in place.gaps()[0].detail


# --- doubt --------------------------------------------------------------------


def test_half_of_all_footage_is_never_deleted_unasked(place: Any) -> None:
    """A clock that jumps years ahead makes everything old: nothing goes, pass after pass, and a person is
    asked; days that were set today are an answer."""
    place.put_both(150)
    retention = place.retention()
    for _ in range(3):
        assert retention.run_once(NEVER) == 0
        place.clock.advance(60)
    (alarm,) = retention.alarms
    assert alarm.code == "retention_asks"
    assert "150 of 150" in alarm.message
    assert f"`beholden volume confirm {place.volume_id} --deletion`" in alarm.next_step
    with place.catalog.write() as conn:
        cameras.change(conn, place.box, place.clock.now_ms(), place.camera, {"keep_days": 4})
    retention.run_once(NEVER)
    assert place.rows() == []
    assert retention.alarms == []


def test_the_hard_maximum_waits_for_nobody_when_recordings_prove_it(place: Any) -> None:
    """Most is beyond max_days at once (the disk was away, a hold was released), and more than max_days were
    recorded since: no clock that jumped can explain that, so it goes and no question is asked. What is left
    is then judged by itself."""
    change(place, place.camera, max_days=5)
    place.put_both(160)
    hours = [place.key(T0 + 4 * DAY + hour * 3_600_000) for hour in range(6 * 24)]
    for key in hours:
        place.put_file(key, b"x" * 1000)
        place.put_row(key, seconds=3600)
    retention = place.retention()
    assert retention.run_once(NEVER) == 160 + 24
    assert place.keys() == hours[24:]
    assert retention.alarms == []


@pytest.mark.parametrize("days", [0, 4])
def test_a_clock_that_jumped_proves_no_hard_maximum(place: Any, days: int) -> None:
    """The same footage is as old by the clock, but in between nothing was recorded, or less than max_days:
    a person is asked. keep_days proves nothing either, however much was recorded."""
    change(place, place.camera, max_days=5 if days else None)
    place.put_both(160)
    first = 4 if days == 0 else 10 - days
    for hour in range((10 - first) * 24):
        key = place.key(T0 + first * DAY + hour * 3_600_000)
        place.put_file(key, b"x" * 1000)
        place.put_row(key, seconds=3600)
    before = len(place.rows())
    retention = place.retention()
    assert retention.run_once(NEVER) == 0
    assert len(place.rows()) == before
    assert [alarm.code for alarm in retention.alarms] == ["retention_asks"]


def test_what_is_proved_of_one_camera_is_not_of_others(place: Any) -> None:
    """What is beyond the hard maximum of one goes; the doubt about the other, by its days, stays."""
    change(place, place.camera, max_days=5)
    other = place.add_camera("b", keep_days=5)
    place.put_both(60)
    theirs = place.put_both(200, camera=other)
    for hour in range(6 * 24):
        key = place.key(T0 + 4 * DAY + hour * 3_600_000)
        place.put_file(key, b"x" * 1000)
        place.put_row(key, seconds=3600)
    retention = place.retention()
    assert retention.run_once(NEVER) > 60
    assert (place.keys()[0].start_ms > T0 + 3 * DAY, place.keys(other)) == (True, theirs)
    (alarm,) = retention.alarms
    assert alarm.code == "retention_asks"


def test_a_persons_answer_lets_deletion_go_on(place: Any) -> None:
    """`volume confirm --deletion`, for that volume."""
    place.put_both(150)
    with place.catalog.write() as conn:
        volumes.confirm(conn, place.clock.now_ms(), place.volume_id, "deletion", by="ada")
    assert place.retain() == 150
    assert place.rows() == []


def test_one_doubted_camera_does_not_keep_the_others_of_whom_a_person_decided(place: Any) -> None:
    """A camera removed with its footage goes, though another's clock trouble is being asked about."""
    place.put_both(150)
    other = place.add_camera("b")
    place.put_both(20, camera=other)
    with place.catalog.write() as conn:
        cameras.remove(conn, place.clock.now_ms(), other, delete_footage=True, by="ada")
    place.retain()
    assert (len(place.rows()), len(place.rows(other))) == (150, 0)


def test_a_disk_that_others_fill_does_not_cost_all_footage(place: Any) -> None:
    """Deleting does not help: it says so, goes on little by little, and stops at half until answered."""
    place.clock.advance(-9 * 86_400)
    place.put_both(150)
    place.store.free = 0
    place.set_volume(place.volume_id, floor_bytes=10_000)
    retention = place.retention()
    retention.run_once(NEVER)
    assert len(place.rows()) == 140
    retention.run_once(NEVER)
    assert len(place.rows()) == 130
    assert [alarm.code for alarm in retention.alarms] == ["disk_used_by_others"]
    for _ in range(20):
        retention.run_once(NEVER)
    assert len(place.rows()) >= 75
    assert "Half of the footage" in retention.alarms[0].message
    with place.catalog.write() as conn:
        volumes.confirm(conn, place.clock.now_ms(), place.volume_id, "deletion", by="ada")
    retention.run_once(NEVER)
    assert len(place.rows()) < 75
    place.store.free = 10**9
    retention.run_once(NEVER)
    assert retention.alarms == []


def test_limits_a_person_has_just_lowered_are_meant(place: Any) -> None:
    """From much to little: no question is asked."""
    place.clock.advance(-9 * 86_400)
    place.put_both(150)
    place.store.free = lambda: 150_000 - 1000 * len(list(place.store.walk()))
    with place.catalog.write() as conn:
        volumes.change(conn, place.clock.now_ms(), place.volume_id, {"floor_bytes": 140_000}, by="ada")
    assert place.retain() == 140


# --- around it ----------------------------------------------------------------


def test_events_and_stills_go_with_their_footage(place: Any, tmp_path: Path) -> None:
    """Old events and their stills go, journalled; young, lasting and held ones stay."""
    stills = tmp_path / "stills"
    ids = [put_event(place, T0 + start, end) for start, end in ((0, T0 + 10), (9000, T0 + 9010), (0, None))]
    held = put_event(place, T0 + 100, T0 + 200)
    with place.catalog.write() as conn:
        for number in ids:
            events.update_event(conn, number, still_size=5)
    still = stills / f"cam-{place.camera}" / "2026-11-23" / f"{ids[0]}.jpg"
    still.parent.mkdir(parents=True)
    still.write_bytes(b"jpeg!")
    hold = place.hold(T0 + 150, T0 + 160)
    expire_events(place.catalog, stills, place.clock, place.camera, T0 + 5000, [hold])
    assert not still.exists()
    with place.catalog.read() as conn:
        assert [events.get(conn, n) is not None for n in (*ids, held)] == [False, True, True, True]
    assert len(place.facts("still_deleted")) == 1


def test_a_catalog_that_is_away_for_a_moment_only_delays(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No exception leaves a pass."""
    place.put_both(2)
    retention = place.retention()
    from beholden.catalog import CatalogError, holds

    def busy(_conn: Any) -> Any:
        raise CatalogError("catalog_unavailable", "It is locked.", "Wait.")

    monkeypatch.setattr(holds, "standing", busy)
    assert retention.run_once(NEVER) == 0
    monkeypatch.undo()
    assert retention.run_once(NEVER) == 2


def test_what_the_catalog_refuses_ends_a_pass_and_not_retention(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constraint that is broken by a fact we do not expect: said in the log, tried again."""
    from sqlalchemy.exc import IntegrityError

    from beholden.catalog import keeping

    place.put_both(2)
    retention = place.retention()

    def refuse(_conn: Any) -> Any:
        raise IntegrityError("insert", {}, Exception())

    monkeypatch.setattr(keeping, "all_cameras", refuse)
    assert retention.run_once(NEVER) == 0
    monkeypatch.undo()
    place.clock.advance(60)
    assert retention.run_once(NEVER) == 2


def test_it_runs_until_it_is_stopped(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pass after pass in a thread of its own, and a stop ends a pass that has much to do."""
    monkeypatch.setattr("beholden.record.retention.PASS_SECONDS", 0.01)
    place.put_both(4)
    stop = threading.Event()
    thread = threading.Thread(target=place.retention().run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 30
    while place.rows():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    place.put_both(4)
    assert place.retention().run_once(stop) == 0


def test_folders_are_pruned_and_side_cars_leave_with_the_last_file(place: Any) -> None:
    """Nothing of a day that is gone stays behind but the volume itself."""
    from beholden.store import sidecars

    (key, later) = place.put_both(2)
    for each in (key, later):
        assert sidecars.append(place.store.path, each, sidecars.SideKind.MOTION, [(each.start_ms, b"moved")])
    place.retain()
    assert [path.name for path in place.store.path.iterdir()] == [".beholden-volume"]


def test_a_writer_is_not_disturbed_by_folders_that_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention removes the hour's folder between its making and its use: the writer makes it again."""
    store = FakeStore(tmp_path)
    made: list[int] = []

    def make_and_lose(make: Callable[[Path], None], folder: Path) -> None:
        make(folder)
        made.append(1)
        if len(made) < 3:
            folder.rmdir()

    monkeypatch.setattr(store, "_make_folders", partial(make_and_lose, store._make_folders))
    from beholden.model.camera import StreamRole

    store.create_exclusive(SegmentKey(1, StreamRole.MAIN, T0))
    assert len(made) == 3


def test_a_folder_that_cannot_be_removed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a folder that still holds something is expected."""
    from beholden.model.camera import StreamRole

    store = FakeStore(tmp_path)
    key = SegmentKey(1, StreamRole.MAIN, T0)
    store.create_exclusive(key)

    def refuse(_self: Path) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(Path, "rmdir", refuse)
    with pytest.raises(OSError, match="read-only"):
        store.delete(key)
