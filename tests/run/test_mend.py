"""Repairs when things change between the look and the repair, and what is left to a person."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from beholden.catalog import Catalog, cameras, segments, volumes
from beholden.catalog.secrets import SecretBox
from beholden.catalog.segments import MediaFormat, Segment
from beholden.model.camera import StreamRole
from beholden.model.segment import SegmentKey
from beholden.model.time import SystemClock
from beholden.run.check import Depth, Fault, Finding, Tally, check
from beholden.run.mend import mend
from beholden.store.volume import Volume

KEY = SegmentKey(1, StreamRole.MAIN, 1_795_472_104_250)
CLOCK = SystemClock()


class Kept:
    """A catalog with one camera and one file on one volume."""

    def __init__(self, path: Path) -> None:
        self.catalog = Catalog.open(path)
        self.volume = Volume.create(path / "footage")
        with self.catalog.write() as conn:
            volumes.add(conn, 0, self.volume.uuid, str(self.volume.path))
            cameras.add(conn, SecretBox.open(path), 0, cameras.NewCamera("a", "rtsp://192.0.2.1/"))
            media = MediaFormat(0, b"i", "h264", "avc1", 2, 2, None, None, None)
            number = segments.format_id(conn, media)
            row = Segment(KEY, KEY.start_ms + 9, 7, 1, number, False, bytes(32), b"")
            segments.close_segment(conn, 0, row)

    def found(self, fault: Fault) -> Finding:
        return Finding(fault, self.volume.path_of(KEY), "", "", 1, KEY)

    def write(self, data: bytes, key: SegmentKey = KEY) -> None:
        fd = self.volume.create_exclusive(key)
        os.write(fd, data)
        os.utime(fd, (0, 0))
        os.close(fd)

    def check(self) -> list[Fault]:
        return [f.fault for f in check(self.catalog, Depth.HASH, CLOCK.now_ms(), Tally())]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """One such place."""
    return Kept(tmp_path)


@pytest.mark.parametrize("fault", [Fault.UNKNOWN, Fault.COPY])
def test_what_is_gone_by_itself_needs_no_repair(kept: Kept, fault: Fault) -> None:
    """The file went between check and repair."""
    assert mend(kept.catalog, CLOCK, [kept.found(fault)], "ada") == []


def test_a_row_that_is_gone_needs_no_cut(kept: Kept) -> None:
    """Retention deleted it meanwhile."""
    with kept.catalog.write() as conn:
        conn.exec_driver_sql("delete from segment")
    assert mend(kept.catalog, CLOCK, [kept.found(Fault.SIZE)], "ada") == []


def test_what_cannot_be_read_or_was_changed_inside_is_left(kept: Kept) -> None:
    """And said again: a missing file, a longer one with other bytes, a hash."""
    wrong = [kept.found(Fault.SIZE), kept.found(Fault.HASH), kept.found(Fault.UNREADABLE)]
    assert mend(kept.catalog, CLOCK, wrong, "ada") == wrong
    kept.write(b"other bytes")
    assert kept.check() == [Fault.SIZE]
    assert mend(kept.catalog, CLOCK, wrong[:1], "ada") == wrong[:1]
    assert kept.volume.path_of(KEY).read_bytes() == b"other bytes"


def test_a_file_that_cannot_be_read_is_found_as_such(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk refuses its bytes, not its name."""
    kept.write(b"footage")

    def refuse(_self: Volume, _key: SegmentKey) -> int:
        raise OSError(5, "x")

    monkeypatch.setattr(Volume, "open_read", refuse)
    assert kept.check() == [Fault.UNREADABLE]


def test_files_that_are_written_now_are_no_faults(kept: Kept) -> None:
    """One without a row, younger than three minutes; and one whose row moves while we look."""
    kept.write(b"footage")
    young = SegmentKey(1, StreamRole.MAIN, KEY.start_ms + 60_000)
    kept.write(b"x", young)
    os.utime(kept.volume.path_of(young))
    assert kept.check() == [Fault.HASH]
