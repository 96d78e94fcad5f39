"""Catalog and volumes compared both ways, over all volumes: taken up, explained, or never believed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from beholden.catalog import segments, volumes
from beholden.catalog.segments import Stored
from beholden.model.gap import GapCause
from beholden.model.time import FakeClock
from beholden.record.shelf import Shelf, usable_shelves
from beholden.store import sidecars
from beholden.store.sidecars import SideKind
from beholden.store.store import StoreError

T0 = 1_795_472_104_250
MakeFootage = Callable[..., bytes]


def old(place: Any, *volumes_: int) -> None:
    """Let everything on the disks look as written long ago."""
    for volume in volumes_ or (place.volume_id,):
        for key in place.stores[volume].walk():
            os.utime(place.stores[volume].path_of(key), (T0 / 1000, T0 / 1000))


def shelves(place: Any) -> tuple[Shelf, list[Shelf]]:
    """The first volume, and all of them."""
    found, _ = usable_shelves(place.catalog, place.open_store)
    return found[0], found


def run(place: Any) -> Any:
    """One comparison of all volumes, as at a start."""
    reconciler = place.reconciler()
    reconciler.run_due(threading.Event())
    assert place.index.flush(30)
    return reconciler


def test_orphans_of_any_age_and_volume_are_indexed_by_their_shard(
    place: Any, make_footage: MakeFootage
) -> None:
    """Old files without rows are found; another shard's and fresh ones are left alone."""
    second = place.add_volume("second")
    place.put_file(place.key(), make_footage(T0))
    place.put_file(place.key(T0 + 60_000), make_footage(T0 + 60_000), second)
    place.put_file(place.key(T0, camera=7), make_footage(T0))
    old(place, place.volume_id, second)
    place.reconciler(lambda camera: camera == place.camera).run_due(threading.Event())
    assert [(row.key, row.volume) for row in place.rows()] == [
        (place.key(), place.volume_id),
        (place.key(T0 + 60_000), second),
    ]
    assert place.rows(7) == []
    place.clock = FakeClock(int(time.time() * 1000))
    place.put_file(place.key(T0 + 120_000), make_footage(T0 + 120_000))
    place.reconciler().run_due(threading.Event())
    assert len(place.rows()) == 2, "it may still be written"


def test_what_no_player_could_open_is_set_aside(place: Any) -> None:
    """An orphan without a whole fragment goes to quarantine, an empty one goes."""
    place.put_file(place.key(), b"garbage")
    place.put_file(place.key(T0 + 1), b"")
    old(place)
    run(place)
    assert place.rows() == []
    assert len(list((place.store.path / "quarantine").iterdir())) == 1
    assert list(place.store.walk()) == []


def test_missing_files_become_explained_gaps_on_every_volume(place: Any) -> None:
    """A row whose file is gone: the row goes, a gap says so, the journal has it; what was seen goes too."""
    second = place.add_volume("second")
    other = place.add_camera("b")
    keys = place.put_both(4)
    theirs = place.put_both(2, camera=other, volume=second)
    for each in keys[:2]:
        assert sidecars.append(place.store.path, each, SideKind.MOTION, [(each.start_ms, b"moved")])
    place.store.path_of(keys[1]).unlink()
    place.stores[second].path_of(theirs[1]).unlink()
    run(place)
    seen = sidecars.sidecar_path(place.store.path, keys[0], SideKind.MOTION)
    assert [block.segment_ms for block in sidecars.read_blocks(seen, SideKind.MOTION)] == [keys[0].start_ms]
    assert place.keys() == [keys[0], keys[2], keys[3]]
    (gap,) = place.gaps()
    assert (gap.cause, gap.start_ms, gap.end_ms) == (GapCause.FILE_MISSING, T0 + 3000, T0 + 6000)
    assert [gap.cause for gap in place.gaps(other)] == [GapCause.FILE_MISSING]
    assert [fact["cause"] for fact in place.facts("segments_deleted")] == ["file_missing"] * 2


def test_when_most_is_missing_nothing_is_believed_until_a_person_confirms(place: Any) -> None:
    """Over half of at least 100 rows without files: nothing is touched and a person is asked (rule 7).
    Confirmed, it is looked at again without a restart, and each stretch is explained."""
    keys = place.put_both(120)
    place.store.delete_many(keys[:61])
    reconciler = place.reconciler()
    reconciler.run_due(threading.Event())
    assert len(place.rows()) == 120
    (alarm,) = reconciler.alarms
    assert "61 of 120" in alarm.message
    assert f"`beholden volume confirm {place.volume_id} --missing`" in alarm.next_step
    reconciler.run_due(threading.Event())
    with place.catalog.write() as conn:
        volumes.confirm(conn, place.clock.now_ms(), place.volume_id, "missing", by="ada")
    reconciler.run_due(threading.Event())
    assert len(place.rows()) == 120, "not before its time"
    place.clock.advance(61)
    reconciler.run_due(threading.Event())
    assert place.keys() == keys[61:]
    assert reconciler.alarms == []
    assert [gap.cause for gap in place.gaps()] == [GapCause.FILE_MISSING]


def test_an_unmounted_volume_is_never_read_as_deleted(place: Any) -> None:
    """Few rows, all missing, identity gone: not even looked at; nor believed when it goes meanwhile."""
    keys = place.put_both(3)
    place.store.delete_many(keys)
    place.store.lost = True
    assert run(place).alarms == []
    assert len(place.rows()) == 3
    place.store.lost = False
    answers = iter([None, StoreError("volume_missing", "It is gone.", "Mount it.")])

    def check() -> None:
        answer = next(answers, None)
        if answer is not None:
            raise answer

    place.store.check = check
    assert [alarm.code for alarm in run(place).alarms] == ["volume_missing"]
    assert len(place.rows()) == 3


def test_a_disk_that_is_mounted_later_is_compared_then(place: Any) -> None:
    """Not only at a start."""
    keys = place.put_both(3)
    place.store.path_of(keys[0]).unlink()
    place.store.lost = True
    reconciler = place.reconciler()
    reconciler.run_due(threading.Event())
    place.store.lost = False
    reconciler.run_due(threading.Event())
    assert place.keys() == keys[1:]


def test_of_two_copies_the_one_the_row_names_stays(place: Any) -> None:
    """A crash between indexing and deleting left the source behind: it goes, with nothing lost."""
    second = place.add_volume("second")
    keys = place.put_both(2, volume=second)
    for key in keys:
        place.put_file(key, place.stores[second].path_of(key).read_bytes())
    old(place)
    run(place)
    assert list(place.store.walk()) == []
    assert sorted(place.stores[second].walk()) == keys
    assert place.keys() == keys


def test_the_only_copy_counts_wherever_it_lies(place: Any) -> None:
    """The row names a volume that does not have the file, and another has it whole: the row follows."""
    second = place.add_volume("second")
    (key,) = place.put_both(1)
    data = place.store.path_of(key).read_bytes()
    place.put_file(key, data, second)
    place.store.path_of(key).unlink()
    old(place, second)
    run(place)
    assert [(row.key, row.volume) for row in place.rows()] == [(key, second)]
    assert place.gaps() == []


def test_a_copy_whose_volume_is_not_mounted_is_left_alone(place: Any) -> None:
    """Which of both counts is decided when both can be seen."""
    second = place.add_volume("second")
    (key,) = place.put_both(1, volume=second)
    place.put_file(key, b"x" * 1000)
    old(place)
    place.stores[second].lost = True
    run(place)
    assert list(place.store.walk()) == [key]


def test_a_row_that_left_or_moved_meanwhile_is_not_forgotten(place: Any) -> None:
    """Found missing, and before it is written down the file lies on another volume."""
    second = place.add_volume("second")
    keys = place.put_both(2)
    place.index.stop(30)
    waiting: list[Any] = []
    reconciler = place.reconciler()
    reconciler._put = waiting.append
    place.store.delete_many(keys)
    rows = [Stored(k, k.start_ms + 3000, 1000, place.volume_id, b"") for k in keys]
    assert reconciler.forget(*shelves(place), rows) == 2
    with place.catalog.write() as conn:
        segments.move(conn, 0, rows[:1], second)
        waiting[0](conn, 0)
        assert [row.key for row in segments.on_volume(conn, second)] == keys[:1]
        assert segments.on_volume(conn, place.volume_id) == []


def test_a_stop_ends_it_between_pages(place: Any) -> None:
    """Without deciding anything."""
    keys = place.put_both(3)
    place.store.path_of(keys[0]).unlink()
    stop = threading.Event()
    stop.set()
    place.reconciler().run_due(stop)
    assert len(place.rows()) == 3


@pytest.mark.parametrize("fault", ["broken"])
def test_a_file_that_cannot_be_repaired_now_is_left_for_later(
    place: Any, make_footage: MakeFootage, fault: str
) -> None:
    """A disk error is no verdict on the file."""
    place.put_file(place.key(), make_footage(T0))
    old(place)
    setattr(place.store, fault, True)
    run(place)
    assert list(place.store.walk()) == [place.key()]
    assert place.rows() == []
