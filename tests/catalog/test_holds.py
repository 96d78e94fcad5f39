"""Holds in the catalog: who, why, from when to when, until released; and nothing of it is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from beholden.catalog import Catalog, cameras, holds, journal
from beholden.catalog.secrets import SecretBox
from beholden.model.errors import BeholdenError


@pytest.fixture
def camera(catalog: Catalog, tmp_path: Path) -> int:
    """One camera."""
    with catalog.write() as conn:
        new = cameras.NewCamera("gate", "rtsp://192.0.2.1/")
        return cameras.add(conn, SecretBox.open(tmp_path), 0, new)


def test_a_hold_stands_until_it_is_released_and_its_history_stays(catalog: Catalog, camera: int) -> None:
    """Both acts are journalled with who; a second release is refused by name of the first."""
    with catalog.write() as conn:
        made = holds.add(conn, 5, camera, 1000, 2000, " theft ", by="ada")
        assert holds.standing(conn) == [made]
        released = holds.release(conn, 9, made.id, by="bob")
        assert holds.standing(conn) == []
        assert holds.all_holds(conn) == [released]
        assert (released.reason, released.created_by, released.released_by, released.released_ms) == (
            "theft",
            "ada",
            "bob",
            9,
        )
        with pytest.raises(BeholdenError, match="by bob"):
            holds.release(conn, 10, made.id, by="eve")
        kinds = [(e.kind, e.body["by"]) for e in journal.entries(conn) if e.kind.startswith("hold")]
    assert kinds == [("hold_added", "ada"), ("hold_released", "bob")]


@pytest.mark.parametrize(
    ("camera_id", "start", "end", "reason", "code"),
    [
        (None, 5, 5, "x", "bad_range"),
        (None, 5, 6, "  ", "bad_reason"),
        (None, 5, 6, "x" * 2001, "bad_reason"),
        (77, 5, 6, "x", "camera_not_found"),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused(
    catalog: Catalog, camera_id: int | None, start: int, end: int, reason: str, code: str
) -> None:
    """Each with its own code."""
    with catalog.write() as conn, pytest.raises(BeholdenError) as caught:
        holds.add(conn, 0, camera_id, start, end, reason, by="ada")
    assert caught.value.code == code


def test_a_hold_that_never_was_cannot_be_released(catalog: Catalog) -> None:
    """404 in the API."""
    with catalog.write() as conn, pytest.raises(BeholdenError) as caught:
        holds.release(conn, 0, 3, by="ada")
    assert caught.value.code == "hold_not_found"


@pytest.mark.parametrize(
    ("camera", "start", "end", "covered"),
    [
        (1, 0, 1000, False),
        (1, 0, 1001, True),
        (1, 1999, 5000, True),
        (1, 2000, 3000, False),
        (2, 1200, 1300, False),
    ],
)
def test_a_hold_covers_what_reaches_into_it(camera: int, start: int, end: int, covered: bool) -> None:
    """Of its camera; one without a camera covers all of them."""
    one = holds.Hold(1, 1, 1000, 2000, "", 0, "", None, None)
    everywhere = holds.Hold(2, None, 1000, 2000, "", 0, "", None, None)
    assert holds.covered([one], camera, start, end) is covered
    assert holds.covered([everywhere], camera, start, end) is (start < 2000 and end > 1000)
