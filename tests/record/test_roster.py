"""The roster tells of cameras when they changed, and of nothing while the catalog is silent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from beholden.catalog import Catalog, CatalogError, cameras, sites
from beholden.catalog.secrets import SecretBox
from beholden.model.camera import CameraConfig
from beholden.model.errors import BeholdenError
from beholden.record.roster import Roster


class Flaky:
    """The catalog, or the error it raises instead of being read."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.error: BeholdenError | None = None

    def read(self) -> Any:
        if self.error is not None:
            raise self.error
        return self._catalog.read()


class Told:
    """A catalog with one camera, and what a roster of shard 0 says of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.catalog = Catalog.open(path)
        self.box = SecretBox.open(path)
        self.news: list[tuple[list[CameraConfig], str]] = []
        with self.catalog.write() as conn:
            sites.ensure(conn, time_zone="Europe/Berlin")
            new = cameras.NewCamera("gate", "rtsp://u:secret@192.0.2.1/main")
            self.camera = cameras.add(conn, self.box, 0, new)
        self.flaky = Flaky(self.catalog)
        self.roster = Roster(
            cast(Catalog, self.flaky), self.box, 0, lambda *told: self.news.append(told), poll_seconds=0.01
        )

    def change(self, **changes: Any) -> None:
        with self.catalog.write() as conn:
            cameras.change(conn, self.box, 0, self.camera, changes)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """Closed after the test."""
    told = Told(tmp_path)
    yield told
    told.catalog.close()


def eventually(condition: Callable[[], Any]) -> None:
    """Wait for something, generously."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_only_changes_are_told(told: Told) -> None:
    """At first, after a change of a camera, and when the site moves to another zone; passwords are opened."""
    told.roster.look()
    told.roster.look()
    ((found, zone),) = told.news
    assert (found[0].main.password, zone) == ("secret", "Europe/Berlin")
    told.change(keep_days=3)
    told.roster.look()
    assert told.news[-1][0][0].keep_days == 3
    with told.catalog.write() as conn:
        sites.change(conn, 0, name="Site", time_zone="America/Lima")
    told.roster.look()
    assert [zone for _, zone in told.news] == ["Europe/Berlin", "Europe/Berlin", "America/Lima"]


@pytest.mark.parametrize(
    "error",
    [CatalogError("catalog_unavailable", "It is locked."), BeholdenError("bad_secret", "Another key.")],
)
def test_a_catalog_that_cannot_be_read_changes_nothing(told: Told, error: BeholdenError) -> None:
    """The cameras stay as they are, and what changed meanwhile is told afterwards."""
    told.roster.look()
    told.flaky.error = error
    told.change(keep_days=2)
    told.roster.look()
    told.roster.look()
    assert len(told.news) == 1
    told.flaky.error = None
    told.roster.look()
    assert told.news[-1][0][0].keep_days == 2


def test_it_watches_by_itself_until_it_is_stopped(told: Told) -> None:
    """In a thread of its own."""
    told.roster.start()
    eventually(lambda: told.news)
    told.change(keep_days=5)
    eventually(lambda: len(told.news) == 2)
    told.roster.stop()
    told.change(keep_days=6)
    time.sleep(0.1)
    assert len(told.news) == 2
