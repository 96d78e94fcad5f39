"""The timeline: spans that include what is being written, and gaps in words."""

from __future__ import annotations

from typing import Any

import pytest

from beholden.model.deletion import Reason, words
from beholden.model.gap import GapCause
from beholden.play.timeline import Stretch, gap_words, joined, lanes

START_MS = 1_767_225_600_000


def test_the_file_being_written_belongs_to_the_span(archive: Any, clip_factory: Any) -> None:
    """Closed and open files that meet are one stretch."""
    archive.record(clip_factory())
    archive.record(clip_factory(), START_MS + 2000, growing=True)
    with archive.catalog.read() as conn:
        found = lanes(conn, archive.footage, [archive.camera], START_MS, START_MS + 60_000)[0]
    assert found.spans == [Stretch(START_MS, START_MS + 4000)]


def test_a_growing_file_is_read_again_when_it_grew(archive: Any, clip_factory: Any) -> None:
    """What was walked is remembered by size."""
    key = archive.record(clip_factory(), growing=True, rounds=2)
    path = archive.volume.path_of(key)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with archive.catalog.read() as conn:
        before = lanes(conn, archive.footage, [archive.camera], START_MS, START_MS + 60_000)[0].spans
        path.write_bytes(whole)
        after = lanes(conn, archive.footage, [archive.camera], START_MS, START_MS + 60_000)[0].spans
    assert before[0].end_ms < after[0].end_ms == START_MS + 4000


def test_gaps_come_with_words(archive: Any) -> None:
    """One that lasts has no end."""
    archive.gap(START_MS, START_MS + 5000, GapCause.DISK_FULL)
    archive.gap(START_MS + 9000, None)
    with archive.catalog.read() as conn:
        found = lanes(conn, archive.footage, [archive.camera], START_MS, START_MS + 60_000)[0]
    assert [(gap.end_ms, gap.words) for gap in found.gaps] == [
        (START_MS + 5000, "The disk was full."),
        (None, "The camera could not be reached."),
    ]


def test_what_was_deleted_says_by_which_rule(archive: Any) -> None:
    """Not just that it is gone."""
    assert gap_words(GapCause.DELETED, words(Reason.SPACE)) == words(Reason.SPACE)
    assert gap_words(GapCause.DELETED) == "The footage was deleted."
    assert gap_words(GapCause.DISK_FULL, "whatever") == "The disk was full."


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_to_delete_has_words(reason: Reason) -> None:
    """A sentence, for a person."""
    assert words(reason).endswith(".")


@pytest.mark.parametrize("cause", list(GapCause))
def test_every_cause_has_words(cause: GapCause) -> None:
    """A sentence, for a person."""
    assert gap_words(cause).endswith(".")


def test_stretches_join_only_when_they_meet() -> None:
    """Within a quarter of a second, in any order, overlaps swallowed."""
    assert joined([(2000, 3000), (0, 1000), (1200, 1500), (2100, 2200)]) == [
        Stretch(0, 1500),
        Stretch(2000, 3000),
    ]
