"""What a start finds of what a crash left: repaired, indexed, or set aside, and the hole explained."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beholden.catalog import gaps
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.segment import unpack_fragments
from beholden.record.alive import Alive
from beholden.record.fmp4 import walk
from beholden.record.index import CloseGap
from beholden.record.recover import repair, survey

T0 = 1_795_472_104_250
MAIN = StreamRole.MAIN
MakeFootage = Callable[..., bytes]


@pytest.mark.parametrize("tail", [b"", b"\0\0\1\0moof cut", b"garbage at the end"])
def test_a_file_without_row_is_cut_hashed_and_indexed(
    place: Any, make_footage: MakeFootage, tail: bytes
) -> None:
    """What is whole is kept bit for bit; the row says repaired and agrees with the file."""
    data = make_footage(T0)
    place.put_file(place.key(), data + tail)
    item = repair(place.store, place.volume_id, place.key())
    assert item is not None
    kept = place.store.path_of(place.key()).read_bytes()
    assert kept == data
    assert item.repaired
    assert (item.sha256, item.size, item.end_ms) == (hashlib.sha256(data).digest(), len(data), T0 + 3000)
    assert list(unpack_fragments(item.fragments)) == [ref.entry for ref in walk(data).fragments]


def test_every_cut_of_a_file_is_repaired_or_set_aside(place: Any, make_footage: MakeFootage) -> None:
    """Cut at many places: never an exception, never a row without a whole fragment."""
    data = make_footage(T0, 2)
    for number, cut in enumerate(range(0, len(data), 23)):
        key = place.key(T0 + number)
        place.put_file(key, data[:cut])
        item = repair(place.store, place.volume_id, key)
        whole = [r for r in walk(data).fragments if r.offset + r.size <= cut]
        assert (item is not None) == bool(whole)
        assert place.store.path_of(key).exists() == bool(whole)
    assert list((place.store.path / "quarantine").iterdir())


def test_survey_finds_the_crash(place: Any, make_footage: MakeFootage) -> None:
    """Footage that ends without an open gap ended in a crash, where the last whole fragment ends."""
    place.put_row(place.key())
    place.put_file(place.key(), b"x")
    newer = place.key(T0 + 3000)
    place.put_file(newer, make_footage(T0 + 3000) + b"half")
    found = survey(place.catalog, place.store, [place.camera, 99])
    assert found.unindexed == [newer]
    (gap,) = found.gaps
    assert (gap.camera, gap.start_ms, gap.cause) == (place.camera, T0 + 6000, GapCause.RECORDER_CRASHED)


def test_survey_leaves_an_explained_end_alone(place: Any) -> None:
    """After an orderly stop a gap is open already."""
    place.put_row(place.key())
    with place.catalog.write() as conn:
        stopped = gaps.Gap(place.camera, MAIN, T0 + 3000, None, GapCause.RECORDER_STOPPED, "")
        gaps.open_gap(conn, 0, stopped)
    assert survey(place.catalog, place.store, [place.camera]).gaps == []


def test_a_crash_while_nothing_was_to_be_kept_is_told_from_where_nobody_watched(place: Any) -> None:
    """A camera that rested had its gap by rule; that ends when the recorder was last seen alive, for since
    then an event would have been missed. Without that knowledge nothing is made up."""
    place.put_row(place.key())
    with place.catalog.write() as conn:
        gaps.open_gap(conn, 0, gaps.Gap(place.camera, MAIN, T0 + 3000, None, GapCause.RULE_OFF, ""))
    assert survey(place.catalog, place.store, [place.camera]).gaps == []
    assert survey(place.catalog, place.store, [place.camera], T0 + 2000).gaps == []
    ended, crash = survey(place.catalog, place.store, [place.camera], T0 + 9000).gaps
    assert ended == CloseGap(place.camera, MAIN, T0 + 9000)
    assert (crash.start_ms, crash.cause) == (T0 + 9000, GapCause.RECORDER_CRASHED)


def test_a_gap_whose_end_was_not_told_ends_where_its_file_begins(
    place: Any, make_footage: MakeFootage
) -> None:
    """The camera was back and on the disk, and the recorder died before the catalog knew: the gap ends at the
    file, and the crash begins at the file's end."""
    place.put_row(place.key())
    with place.catalog.write() as conn:
        gaps.open_gap(conn, 0, gaps.Gap(place.camera, MAIN, T0 + 3000, None, GapCause.CAMERA_LOST, ""))
    place.put_file(place.key(T0 + 5000), make_footage(T0 + 5000))
    ended, crash = survey(place.catalog, place.store, [place.camera], T0 + 99_000).gaps
    assert ended == CloseGap(place.camera, MAIN, T0 + 5000)
    assert (crash.start_ms, crash.cause) == (T0 + 8000, GapCause.RECORDER_CRASHED)


def test_a_recorder_that_died_twice_before_the_catalog_knew_leaves_no_hole_untold(
    place: Any, make_footage: MakeFootage
) -> None:
    """Every hole before a file without a row gets its gap, unless one that the catalog has covers it."""
    place.put_row(place.key())  # to T0 + 3000
    for start in (T0 + 5000, T0 + 8000, T0 + 20_000, T0 + 30_000):
        place.put_file(place.key(start), make_footage(start))
    with place.catalog.write() as conn:
        told = gaps.Gap(place.camera, MAIN, T0 + 23_000, T0 + 30_000, GapCause.CAMERA_LOST, "")
        gaps.open_gap(conn, 0, told)
    found = survey(place.catalog, place.store, [place.camera]).gaps
    assert [(gap.start_ms - T0, gap.end_ms and gap.end_ms - T0, gap.cause) for gap in found] == [
        (3000, 5000, GapCause.RECORDER_CRASHED),
        (11_000, 20_000, GapCause.RECORDER_CRASHED),
        (33_000, None, GapCause.RECORDER_CRASHED),
    ]


def test_a_recorder_notes_until_when_it_lived(tmp_path: Path) -> None:
    """The next start reads it; where it cannot be written, nothing is known and nothing fails."""
    alive = Alive(tmp_path / "recorder-0.alive")
    assert alive.last_ms is None
    alive.beat()
    os.utime(tmp_path / "recorder-0.alive", (1, 1))
    assert alive.last_ms == 1000
    alive.beat()
    assert (alive.last_ms or 0) > 1000
    nowhere = Alive(tmp_path / "none" / "recorder-0.alive")
    nowhere.beat()
    assert nowhere.last_ms is None
    below_a_file = Alive(tmp_path / "recorder-0.alive" / "x")
    below_a_file.beat()
    assert below_a_file.last_ms is None


def test_survey_without_the_volume_still_tells_the_crash(place: Any) -> None:
    """An unmounted disk is no reason to be silent about the hole."""
    place.put_row(place.key())
    place.store.lost = True
    found = survey(place.catalog, place.store, [place.camera])
    assert found.unindexed == []
    assert found.gaps[0].start_ms == T0 + 3000
