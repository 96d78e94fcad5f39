"""Volumes in the catalog: one writes, tiers below, limits that make sense, answers that expire."""

from __future__ import annotations

from typing import Any

import pytest

from beholden.catalog import Catalog, journal, volumes
from beholden.model.errors import BeholdenError


def tiers(catalog: Catalog) -> list[tuple[str, int]]:
    """Paths with tiers, in the catalog's order."""
    with catalog.read() as conn:
        return [(row.path, row.tier) for row in volumes.all_volumes(conn)]


def test_the_first_is_written_to_and_later_ones_lie_below(catalog: Catalog) -> None:
    """Unless told otherwise; a new tier 0 takes the writing over, and the order follows."""
    with catalog.write() as conn:
        volumes.add(conn, 0, "a", "/a")
        volumes.add(conn, 0, "b", "/b")
    assert tiers(catalog) == [("/a", 0), ("/b", 1)]
    with catalog.write() as conn:
        number = volumes.add(conn, 0, "c", "/c", tier=0)
        volumes.change(conn, 0, 2, {"tier": 0}, by="ada")
        assert volumes.get(conn, number).tier == 1
        assert volumes.find(conn, "/b").tier == 0
        assert volumes.find(conn, "3").path == "/c"
    assert tiers(catalog) == [("/b", 0), ("/a", 1), ("/c", 1)]
    with catalog.read() as conn:
        changed = [
            (e.body["volume"], e.body["tier"]) for e in journal.entries(conn) if e.kind == "volume_changed"
        ]
    assert changed == [(1, 1), (3, 1), (2, 0)]


def test_the_volume_that_is_written_to_cannot_just_step_down(catalog: Catalog) -> None:
    """There would be nowhere to write."""
    with catalog.write() as conn:
        volumes.add(conn, 0, "a", "/a")
        with pytest.raises(BeholdenError, match="so it is tier 0"):
            volumes.change(conn, 0, 1, {"tier": 2})


@pytest.mark.parametrize(
    "change",
    [
        {"tier": 10},
        {"floor_bytes": -1},
        {"floor_bytes": None},
        {"limit_bytes": 5},
        {"move_after_days": 0.0},
        {"move_after_days": float("nan")},
        {"sync_seconds": 61},
    ],
)
def test_limits_that_make_no_sense_are_refused(catalog: Catalog, change: dict[str, Any]) -> None:
    """Added or changed, and nothing is changed by the attempt."""
    with catalog.write() as conn:
        volumes.add(conn, 0, "a", "/a")
        volumes.add(conn, 0, "b", "/b")
        with pytest.raises(BeholdenError) as caught:
            volumes.change(conn, 0, 2, change)
        assert caught.value.code == "bad_value"
        assert volumes.get(conn, 2) == volumes.VolumeRow(2, "b", "/b", volumes.DEFAULT_FLOOR_BYTES, 1)


def test_a_directory_is_one_volume(catalog: Catalog) -> None:
    """Neither its path nor its uuid comes twice."""
    with catalog.write() as conn:
        volumes.add(conn, 0, "a", "/a")
        volumes.add(conn, 0, "b", "/b")
        for uuid, path in (("a", "/x"), ("x", "/a")):
            with pytest.raises(BeholdenError, match="already"):
                volumes.add(conn, 0, uuid, path)
        with pytest.raises(BeholdenError, match="already"):
            volumes.change(conn, 0, 2, {"path": "/a"})


def test_an_answer_counts_for_its_question_its_volume_and_a_day(catalog: Catalog) -> None:
    """Then the recorder asks again."""
    with catalog.write() as conn:
        for name in "ab":
            volumes.add(conn, 0, name, f"/{name}")
        volumes.confirm(conn, 1000, 1, "missing", by="ada")
        assert volumes.confirmed_by(conn, 2000, 1, "missing") == "ada"
        assert volumes.confirmed_by(conn, 2000, 2, "missing") is None
        assert volumes.confirmed_by(conn, 2000, 1, "deletion") is None
        assert volumes.confirmed_by(conn, 1000 + volumes.CONFIRMED_MS, 1, "missing") is None
        with pytest.raises(BeholdenError, match="no volume"):
            volumes.confirm(conn, 0, 9, "missing", by="ada")
        with pytest.raises(BeholdenError, match="no volume"):
            volumes.find(conn, "/nowhere")
