"""The analyser process on a real catalog and real sockets, without a recorder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from beholden.analyse.detect.fake import FakeDetector
from beholden.analyse.role import run_analyser
from beholden.bus.local import BusClient, socket_path
from beholden.bus.messages import BusError
from beholden.catalog import Catalog, CatalogError, cameras, events
from beholden.catalog.cameras import NewCamera
from beholden.catalog.secrets import SecretBox
from beholden.model.event import Box, ObjectClass


class Running:
    """A role in a thread."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.beats = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        run_analyser(self.data_dir, "", self._beat, self.stop, make_detector=lambda *_: FakeDetector())

    def _beat(self) -> None:
        self.beats += 1

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def stats(self) -> dict[str, object]:
        """Its answer on the bus, empty while it does not serve yet."""
        try:
            with BusClient.connect(socket_path(self.data_dir, "analyser")) as bus:
                return bus.request({"op": "stats"})
        except BusError:
            return {}

    def end(self) -> None:
        """Stop it."""
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


def test_it_follows_the_catalog_and_answers(tmp_path: Path) -> None:
    """A camera added while it runs appears in its stats; removed, it is gone; signs of life come."""
    catalog = Catalog.open(tmp_path)
    running = Running(tmp_path)
    try:
        running.until(lambda: running.stats().get("cameras") == [])
        with catalog.write() as conn:
            number = cameras.add(conn, SecretBox.open(tmp_path), 0, NewCamera("Gate", "rtsp://127.0.0.1/a"))
        running.until(lambda: len(running.stats()["cameras"]) == 1)  # type: ignore[arg-type]
        answer = running.stats()
        row = answer["cameras"][0]  # type: ignore[index]
        assert {
            "camera",
            "mode",
            "fps",
            "queue_ms",
            "last_frame_ms",
            "detector_ms",
            "motion",
            "state",
            "reason",
        } <= row.keys()
        assert row["state"] == "waiting"
        assert answer["detector"]["name"] == "fake"  # type: ignore[index]
        with catalog.write() as conn:
            cameras.remove(conn, 1, number)
        running.until(lambda: running.stats()["cameras"] == [])
        running.until(lambda: running.beats >= 2)
    finally:
        running.end()
        catalog.close()
    with pytest.raises(BusError):
        BusClient.connect(socket_path(tmp_path, "analyser"))


def test_events_of_a_dead_analyser_are_ended(tmp_path: Path) -> None:
    """What was open when it died ends at its best still when the next one starts."""
    catalog = Catalog.open(tmp_path)
    with catalog.write() as conn:
        number = events.start_event(conn, 1, ObjectClass.PERSON, 1000, 0.9, Box(0, 0, 1, 1), 4000)
    running = Running(tmp_path)
    running.until(lambda: running.beats > 0)
    running.end()
    with catalog.read() as conn:
        found = events.get(conn, number)
    assert found is not None
    assert found.event.end_ms == 4000
    catalog.close()


def test_without_a_catalog_it_says_so(tmp_path: Path) -> None:
    """A role started in the wrong directory fails with one sentence."""
    with pytest.raises(CatalogError, match="no catalog"):
        run_analyser(tmp_path, "", lambda: None, threading.Event(), make_detector=lambda *_: FakeDetector())
