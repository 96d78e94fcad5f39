"""Storing events: in order, retried, with whole stills, and without holding anybody up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from beholden.analyse.events import EventChange, Phase
from beholden.analyse.keeper import Keeper
from beholden.analyse.sink import CatalogSink, FakeSink
from beholden.analyse.still import write_still
from beholden.catalog import Catalog, CatalogError, events
from beholden.model.event import Box, ObjectClass
from beholden.store.stills import still_path

from .conftest import START_MS, blank, decoded

START = EventChange(
    phase=Phase.START,
    key=5,
    camera=3,
    kind=ObjectClass.CAR,
    start_ms=START_MS,
    end_ms=None,
    score=0.7,
    box=Box(0.1, 0.1, 0.2, 0.2),
    still_ms=START_MS + 400,
    still=decoded(blank(), START_MS + 400),
)
END = replace(START, phase=Phase.END, end_ms=START_MS + 9000, still=None)


class BusySink(FakeSink):
    """A catalog that is locked the first times."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals

    def start(self, change: EventChange) -> int:
        if self.refusals > 0:
            self.refusals -= 1
            raise CatalogError("catalog_unavailable", "The catalog is busy.")
        return super().start(change)


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_event_reaches_the_catalog_with_its_still(tmp_path: Path) -> None:
    """Start, better still, end: the row has them and the file's size, under the contract's path."""
    catalog = Catalog.open(tmp_path)
    keeper = Keeper(tmp_path, CatalogSink(catalog), lambda _: None)
    better = replace(
        START,
        phase=Phase.UPDATE,
        box=Box(0.3, 0.3, 0.6, 0.6),
        still_ms=START_MS + 2000,
        still=decoded(blank(360, 640), START_MS + 2000),
    )
    for change in (START, better, END):
        keeper.put(change)
    keeper.close()
    with catalog.read() as conn:
        (found,) = events.page(conn, events.EventFilter())
    catalog.close()
    event = found.event
    path = tmp_path / "stills" / "cam-3" / "2026-01-01" / f"{event.id}.jpg"
    assert event.still_size == path.stat().st_size
    assert (event.still_ms, event.end_ms, event.box.left) == (START_MS + 2000, START_MS + 9000, 0.3)


def test_a_busy_catalog_is_tried_again(tmp_path: Path) -> None:
    """Nothing is lost and nothing is stored twice."""
    sink = BusySink(2)
    keeper = Keeper(tmp_path, sink, lambda _: None)
    keeper.put(START)
    keeper.put(END)
    until(lambda: [phase for phase, _, _ in sink.told] == ["start", "update", "end"])
    keeper.close()


def test_closing_does_not_wait_for_a_catalog_that_never_comes(tmp_path: Path) -> None:
    """A stop ends, whatever the catalog does."""
    keeper = Keeper(tmp_path, BusySink(1_000_000), lambda _: None)
    keeper.put(START)
    keeper.close()
    assert not keeper.alive


def test_an_event_without_room_for_its_still_is_kept(tmp_path: Path) -> None:
    """When the still cannot be written, the event is stored all the same."""
    (tmp_path / "stills").write_text("in the way")
    sink = FakeSink()
    keeper = Keeper(tmp_path, sink, lambda _: None)
    keeper.put(START)
    keeper.put(END)
    keeper.close()
    assert [phase for phase, _, _ in sink.told] == ["start", "end"]
    assert sink.still_sizes == {}


def test_an_update_of_an_unknown_event_is_nothing(tmp_path: Path) -> None:
    """What never started cannot change or end."""
    sink = FakeSink()
    keeper = Keeper(tmp_path, sink, lambda _: None)
    keeper.put(END)
    keeper.close()
    assert sink.told == []


def test_a_still_is_whole_or_absent(tmp_path: Path) -> None:
    """A still that cannot take its place leaves nothing half written."""
    path = still_path(tmp_path / "stills", 1, START_MS, 2)
    path.mkdir(parents=True)
    (path / "x").touch()
    with pytest.raises(OSError):
        write_still(path, blank())
    assert [item.name for item in path.parent.iterdir()] == ["2.jpg"]
