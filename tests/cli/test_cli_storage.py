"""`beholden volume …`, `hold …` and `check --repair`: storage as its keeper sees it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from beholden.catalog import Catalog, gaps, segments, volumes
from beholden.catalog.segments import MediaFormat, Segment, Stored
from beholden.cli.sizes import days_or_none, parse_size, size_or_none
from beholden.model.camera import StreamRole
from beholden.model.deletion import Reason
from beholden.model.errors import BeholdenError
from beholden.model.gap import GapCause
from beholden.model.segment import SegmentKey
from beholden.model.time import SystemClock
from beholden.store.volume import Volume

HOUR_MS = 3_600_000
FAR = 1 << 62


def record(catalog: Catalog, volume: Volume, start_ms: int, data: bytes = b"footage " * 100) -> SegmentKey:
    """A file of a minute, written long ago, with its row."""
    key = SegmentKey(1, StreamRole.MAIN, start_ms)
    fd = volume.create_exclusive(key)
    volume.write(fd, data)
    os.close(fd)
    os.utime(volume.path_of(key), (start_ms / 1000, start_ms / 1000))
    with catalog.write() as conn:
        media = MediaFormat(0, b"init", "h264", "avc1", 2, 2, None, None, None)
        number, digest = segments.format_id(conn, media), hashlib.sha256(data).digest()
        row = Segment(key, start_ms + 60_000, len(data), 1, number, False, digest, b"")
        segments.close_segment(conn, start_ms, row)
    return key


def test_a_volume_is_added_listed_and_changed(beholden: Any, catalog: Catalog, tmp_path: Path) -> None:
    """With its limits in the sizes people write."""
    slow = tmp_path / "slow"
    made = beholden("volume", "add", str(slow), "--floor", "1gb", "--limit", "1.5TB", "--json")
    assert made.json() == {"id": 2, "path": str(slow), "tier": 1}
    assert beholden("volume", "change", "1", "--move-after", "2", "--sync", "2").code == 0
    assert beholden("volume", "change", str(slow), "--limit", "none", "--tier", "3").code == 0
    first, second = beholden("volume", "list", "--json").json()["volumes"]
    assert (first["tier"], first["move_after_days"], first["sync_seconds"]) == (0, 2, 2)
    assert (second["tier"], second["limit_bytes"], second["floor_bytes"]) == (3, None, 10**9)
    assert second["free_bytes"] > 0
    (slow / ".beholden-volume").unlink()
    table = beholden("volume", "list").out
    assert "2 days" in table
    assert "is probably not mounted" in table
    new_first = beholden("volume", "add", str(tmp_path / "new"), "--tier", "0")
    assert "from their next start" in new_first.out
    with catalog.read() as conn:
        assert [row.id for row in volumes.all_volumes(conn)] == [3, 1, 2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "/no/such/disk/x"), "no directory that could be used"),
        (("add", "/tmp", "--limit", "lots"), "'lots' is not a size"),
        (("change", "1"), "Nothing was given to change"),
        (("change", "9", "--tier", "1"), "no volume '9'"),
        (("change", "1", "--move-after", "soon"), "not a number of days"),
        (("confirm", "1"), "Say what is meant"),
        (("confirm", "1", "--missing", "--deletion"), "Say what is meant"),
    ],
)
def test_what_makes_no_sense_for_a_volume_is_refused(
    beholden: Any, catalog: Catalog, words: tuple[str, ...], said: str
) -> None:
    """In one sentence."""
    answer = beholden("volume", *words)
    assert (answer.code, answer.out) == (1, "")
    assert said in answer.err


def test_the_recorders_question_is_answered(beholden: Any, catalog: Catalog) -> None:
    """Each of the two, with who did."""
    for word in ("missing", "deletion"):
        assert beholden("volume", "confirm", "1", f"--{word}").code == 0
        with catalog.read() as conn:
            by = volumes.confirmed_by(conn, SystemClock().now_ms(), 1, word)  # type: ignore[arg-type]
        assert by is not None
        assert by.startswith("command line")


def test_a_hold_is_added_listed_and_released(beholden: Any, catalog: Catalog) -> None:
    """By camera or for all, with times as people give them."""
    made = beholden("hold", "add", "Gate", "--from", "2h", "--to", "1h", "--reason", "theft", "--json").json()
    assert (made["camera"], made["reason"], made["released"]) == (1, "theft", None)
    words = ("--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z", "--reason", "court")
    assert "Hold 2 stands" in beholden("hold", "add", "all", *words).out
    assert "theft" in beholden("hold", "list").out
    assert beholden("hold", "release", "1").code == 0
    assert [hold["id"] for hold in beholden("hold", "list", "--json").json()["holds"]] == [2]
    assert [hold["id"] for hold in beholden("hold", "list", "--released", "--json").json()["holds"]] == [2, 1]
    again = beholden("hold", "release", "1")
    assert (again.code, "released already" in again.err) == (1, True)


def test_repair_does_what_the_remedies_say(
    beholden: Any, catalog: Catalog, volume: Volume, tmp_path: Path
) -> None:
    """Missing: a gap. Unknown: set aside or indexed. A copy left from a move: gone. Half deleted: finished.
    Longer: cut. Changed: left, and said; then nothing else is wrong."""
    now = SystemClock().now_ms()
    keys = [record(catalog, volume, now - HOUR_MS - n * 60_000) for n in range(7)]
    beholden("volume", "add", str(tmp_path / "slow"))
    slow = Volume.create(tmp_path / "slow")
    volume.path_of(keys[0]).unlink()
    data = b"footage " * 100
    with volume.path_of(keys[1]).open("ab") as file:
        file.write(b"more")
    volume.path_of(keys[2]).write_bytes(b"?" * 800)
    copy = slow.create_exclusive(keys[3])
    os.write(copy, data)
    os.close(copy)
    os.utime(slow.path_of(keys[3]), (0, 0))
    unknown = SegmentKey(1, StreamRole.MAIN, now - 9 * HOUR_MS)
    os.close(volume.create_exclusive(unknown))
    os.utime(volume.path_of(unknown), (0, 0))
    volume.path_of(keys[5]).write_bytes(b"short")
    with catalog.write() as conn:
        from beholden.catalog import leaving

        (row,) = [row for row in segments.on_volume(conn, 1) if row.key == keys[4]]
        leaving.mark(conn, 1, leaving.runs([row]), Reason.TOO_OLD)
    found = beholden("check", "--json").json()["findings"]
    kinds = ["copy", "leaving", "missing", "size", "size", "unknown"]
    assert sorted(item["fault"] for item in found) == kinds
    answer = beholden("check", "--depth", "hash", "--repair", "--json")
    assert answer.code == 1
    assert sorted(item["fault"] for item in answer.json()["repaired"]) == [
        "copy",
        "leaving",
        "missing",
        "size",
        "unknown",
    ]
    left = answer.json()["findings"]
    assert sorted((item["fault"], item["path"]) for item in left) == sorted(
        [("hash", str(volume.path_of(keys[2]))), ("size", str(volume.path_of(keys[5])))]
    )
    with catalog.read() as conn:
        assert gaps.between(conn, 1, StreamRole.MAIN, 0, FAR)[-1].cause is GapCause.FILE_MISSING
        assert "command line" in gaps.between(conn, 1, StreamRole.MAIN, 0, FAR)[-1].detail
    assert volume.path_of(keys[1]).read_bytes() == data
    assert list(slow.walk()) == []
    assert not volume.path_of(keys[4]).exists()
    assert not volume.path_of(unknown).exists()
    for key in (keys[2], keys[5]):
        volume.path_of(key).write_bytes(data)
    again = beholden("check", "--depth", "hash")
    assert (again.code, "Nothing is wrong" in again.out) == (0, True)


def test_repair_says_how_much_it_did(beholden: Any, catalog: Catalog, volume: Volume) -> None:
    """For a person."""
    volume.path_of(record(catalog, volume, SystemClock().now_ms() - HOUR_MS)).unlink()
    answer = beholden("check", "--repair")
    assert (answer.code, "Repaired 1 of 1" in answer.out) == (0, True)


def test_repair_does_not_believe_a_mass_loss(beholden: Any, catalog: Catalog, volume: Volume) -> None:
    """Rule 7 holds for a person's repair too, until the same person confirms it."""
    now = SystemClock().now_ms()
    for number in range(100):
        volume.delete(record(catalog, volume, now - HOUR_MS - number * 60_000))
    answer = beholden("check", "--repair", "--json")
    assert (answer.code, answer.json()["repaired"]) == (1, [])
    assert "volume confirm 1 --missing" in answer.json()["findings"][0]["remedy"]
    beholden("volume", "confirm", "1", "--missing")
    assert beholden("check", "--repair").code == 0
    with catalog.read() as conn:
        assert segments.count(conn) == 0


def test_a_volume_that_is_not_there_cannot_be_repaired(
    beholden: Any, catalog: Catalog, volume: Volume
) -> None:
    """It is said, and nothing of it is touched."""
    record(catalog, volume, SystemClock().now_ms() - HOUR_MS)
    (volume.path / ".beholden-volume").unlink()
    answer = beholden("check", "--repair", "--json")
    assert [item["fault"] for item in answer.json()["findings"]] == ["volume"]
    with catalog.read() as conn:
        assert [type(row) for row in segments.on_volume(conn, 1)] == [Stored]


def test_sizes_and_days_are_read_as_people_write_them() -> None:
    """And nothing else."""
    assert [parse_size(text) for text in ("500", "1.5 TB", "2gb", "3MB", "4kb")] == [
        500,
        1_500_000_000_000,
        2_000_000_000,
        3_000_000,
        4000,
    ]
    assert (size_or_none("None"), size_or_none("1gb")) == (None, 10**9)
    assert (days_or_none("none"), days_or_none("2.5")) == (None, 2.5)
    for bad in ("", "gb", "-5gb", "5 parsecs"):
        with pytest.raises(BeholdenError):
            parse_size(bad)
