"""Footage moves from fast to slow, by age and by space: verified, whole somewhere whenever it is killed."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from beholden.store import sidecars
from beholden.store.sidecars import SideKind

T0 = 1_795_472_104_250
DAY = 86_400_000
NEVER = threading.Event()


@pytest.fixture
def tiers(place: Any) -> Any:
    """A place with a slow volume; its camera keeps everything, and two days are fast."""
    with place.catalog.write() as conn:
        conn.exec_driver_sql("update camera set keep_days = 100")
    place.slow_id = place.add_volume("slow", floor_bytes=0)
    place.slow = place.stores[place.slow_id]
    return place


def where(place: Any) -> list[tuple[int, bool, bool]]:
    """For each row: its volume, and whether the fast and the slow disk have its file."""
    return [
        (row.volume, place.store.path_of(row.key).exists(), place.slow.path_of(row.key).exists())
        for row in place.rows()
    ]


def test_footage_moves_by_age_and_its_source_stays_for_one_pass(tiers: Any) -> None:
    """Older than two days: copied with its side-cars, indexed there, and deleted here at the next pass, so
    that who plays it just now is not cut off."""
    tiers.set_volume(1, move_after_days=2.0)
    keys = tiers.put_both(10, step_ms=DAY)
    sidecars.append(tiers.store.path, keys[0], SideKind.MOTION, [(T0, b"moved")])
    data = tiers.store.path_of(keys[0]).read_bytes()
    retention = tiers.retention()
    retention.run_once(NEVER)
    slow, fast = (tiers.slow_id, True, True), (1, True, False)
    assert where(tiers) == [slow] * 8 + [fast] * 2
    retention.run_once(NEVER)
    assert where(tiers) == [(tiers.slow_id, False, True)] * 8 + [fast] * 2
    assert tiers.slow.path_of(keys[0]).read_bytes() == data
    (block,) = sidecars.read_blocks(
        sidecars.sidecar_path(tiers.slow.path, keys[0], SideKind.MOTION), SideKind.MOTION
    )
    assert bytes(block.payload) == b"moved"
    assert sum(len(fact["segments"]) for fact in tiers.facts("segments_moved")) == 8
    assert tiers.gaps() == []
    assert tiers.facts("segments_deleted") == []


def test_footage_moves_when_the_fast_tier_is_full(tiers: Any) -> None:
    """Instead of being deleted: as much as is needed, the oldest first, held footage too."""
    keys = tiers.put_both(10)
    tiers.hold(T0, T0 + 1000)
    tiers.store.free = lambda: 12_000 - 1000 * len(list(tiers.store.walk()))
    tiers.set_volume(1, floor_bytes=5000)
    retention = tiers.retention()
    retention.run_once(NEVER)
    assert [row.volume for row in tiers.rows()] == [tiers.slow_id] * 3 + [1] * 7
    retention.run_once(NEVER)
    assert sorted(tiers.store.walk()) == keys[3:]
    assert tiers.store.free_bytes() == 5000
    assert tiers.facts("segments_deleted") == []


def test_a_full_slow_tier_lets_its_oldest_go_for_what_moves(tiers: Any) -> None:
    """Footage is deleted from the slow end only."""
    tiers.set_volume(1, move_after_days=2.0)
    old = tiers.put_both(5, volume=tiers.slow_id)
    newer = [tiers.key(T0 + DAY + n * 3000) for n in range(3)]
    for key in newer:
        tiers.put_file(key, b"x" * 1000)
        tiers.put_row(key)
    tiers.slow.free = lambda: 6000 - 1000 * len(list(tiers.slow.walk()))
    retention = tiers.retention()
    retention.run_once(NEVER)
    retention.run_once(NEVER)
    assert tiers.keys() == [*old[2:], *newer]
    assert {row.volume for row in tiers.rows()} == {tiers.slow_id}
    assert "before its days were over" in tiers.gaps()[0].detail


def test_when_moving_cannot_keep_up_the_oldest_goes(tiers: Any) -> None:
    """The slow disk refuses: an alarm, and once the fast one is really full, deletion, so that recording goes
    on."""
    tiers.put_both(10)
    tiers.slow.broken = True
    tiers.store.free = lambda: 12_000 - 1000 * len(list(tiers.store.walk()))
    tiers.set_volume(1, floor_bytes=3900)
    retention = tiers.retention()
    assert retention.run_once(NEVER) == 0
    assert [alarm.code for alarm in retention.alarms] == ["cannot_move"]
    tiers.set_volume(1, floor_bytes=5000)
    retention.run_once(NEVER)
    assert len(tiers.rows()) == 7
    tiers.slow.broken = False
    tiers.set_volume(1, move_after_days=2.0)
    retention.run_once(NEVER)
    assert retention.alarms == []
    assert {row.volume for row in tiers.rows()} == {tiers.slow_id}


def test_a_limit_is_held_though_nothing_can_be_moved(tiers: Any) -> None:
    """The slow disk refuses, and the fast one may not hold more: its oldest goes, and the gap says so."""
    keys = tiers.put_both(10)
    tiers.slow.broken = True
    with tiers.catalog.write() as conn:
        conn.exec_driver_sql("update volume set limit_bytes = 8500 where id = 1")
    tiers.retain()
    assert tiers.keys() == keys[2:]
    assert "the storage reached its limit" in tiers.gaps()[0].detail


def test_a_slow_tier_that_is_not_mounted_is_no_place_to_move_to(tiers: Any) -> None:
    """Space is freed by deleting then."""
    tiers.put_both(10)
    tiers.slow.lost = True
    tiers.store.free = lambda: 12_000 - 1000 * len(list(tiers.store.walk()))
    tiers.set_volume(1, floor_bytes=5000)
    retention = tiers.retention()
    assert retention.run_once(NEVER) == 3
    assert [alarm.code for alarm in retention.alarms] == ["volume_missing"]


def test_damaged_footage_stays_and_is_told(tiers: Any) -> None:
    """What does not have its recorded hash is never moved, and moves no one else's deletion."""
    tiers.set_volume(1, move_after_days=2.0)
    keys = tiers.put_both(3)
    tiers.store.path_of(keys[1]).write_bytes(b"?" * 1000)
    tiers.store.path_of(keys[2]).unlink()
    retention = tiers.retention()
    for _ in range(3):
        retention.run_once(NEVER)
    assert [row.volume for row in tiers.rows()] == [tiers.slow_id, 1, 1]
    assert list(tiers.slow.walk()) == keys[:1]
    (alarm,) = retention.alarms
    assert alarm.code == "footage_damaged"
    assert "2 files" in alarm.message


def test_what_does_not_read_back_the_same_is_not_trusted(tiers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow disk returns other bytes than were written: the row stays where it is."""
    tiers.set_volume(1, move_after_days=2.0)
    tiers.put_both(2)
    write = tiers.slow.write
    monkeypatch.setattr(tiers.slow, "write", lambda fd, data: write(fd, data[:-1] + b"?"))
    retention = tiers.retention()
    retention.run_once(NEVER)
    assert {row.volume for row in tiers.rows()} == {1}
    assert [alarm.code for alarm in retention.alarms] == ["cannot_move"]


def test_a_target_that_vanishes_before_the_source_is_deleted_costs_nothing(tiers: Any) -> None:
    """The copy is looked at again before its source goes; the row goes back."""
    tiers.set_volume(1, move_after_days=2.0)
    (key,) = tiers.put_both(1)
    retention = tiers.retention()
    retention.run_once(NEVER)
    tiers.slow.path_of(key).unlink()
    tiers.set_volume(1, move_after_days=None)
    retention.run_once(NEVER)
    assert where(tiers) == [(1, True, False)]


def test_what_is_deleted_while_it_moves_leaves_no_copy(tiers: Any) -> None:
    """Its row was gone when the copy was ready."""
    tiers.set_volume(1, move_after_days=2.0)
    keys = tiers.put_both(2)

    def delete_first(step: str) -> None:
        if step == "finish copy":
            tiers.slow.before = None
            with tiers.catalog.write() as conn:
                conn.exec_driver_sql("delete from segment where start_ms = ?", (keys[0].start_ms,))

    tiers.slow.before = delete_first
    tiers.retain()
    assert list(tiers.slow.walk()) == keys[1:]


@pytest.mark.parametrize("step_number", range(14))
def test_killed_at_every_step_nothing_is_lost_and_a_start_tidies_up(tiers: Any, step_number: int) -> None:
    """Whatever is written, synced, named, indexed or deleted when it dies: each file is whole on one disk at
    least, its row names one that has it, and after a start and two passes there is one copy of each."""
    tiers.set_volume(1, move_after_days=2.0)
    keys = tiers.put_both(3)
    (tiers.slow.path / ".copies").mkdir()
    (tiers.slow.path / ".copies" / "from-an-earlier-life").write_bytes(b"x")
    contents = {key: tiers.store.path_of(key).read_bytes() for key in keys}
    count = 0

    def die(_step: str) -> None:
        nonlocal count
        count += 1
        if count > step_number:
            raise KeyboardInterrupt

    tiers.store.before = tiers.slow.before = die
    try:
        retention = tiers.retention()
        retention.run_once(NEVER)
        retention.run_once(NEVER)
    except KeyboardInterrupt:
        pass
    tiers.store.before = tiers.slow.before = None
    assert tiers.keys() == keys
    for row in tiers.rows():
        assert tiers.stores[row.volume].path_of(row.key).read_bytes() == contents[row.key]
    for store in (tiers.store, tiers.slow):
        for key in store.walk():
            os.utime(store.path_of(key), (T0 / 1000, T0 / 1000))
    tiers.reconciler().run_due(NEVER)
    assert tiers.index.flush(30)
    retention = tiers.retention()
    retention.run_once(NEVER)
    retention.run_once(NEVER)
    assert where(tiers) == [(tiers.slow_id, False, True)] * 3
    assert {key: tiers.slow.path_of(key).read_bytes() for key in keys} == contents
    assert sorted((tiers.slow.path / ".copies").iterdir()) == []
    assert tiers.gaps() == []
    assert tiers.facts("segments_deleted") == []
