"""Recording on events from end to end: a camera over RTSP, a recorder, an analyser that tests speak for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beholden.bus.client import BusClient
from beholden.bus.local import ThreadedBusServer
from beholden.bus.messages import BusError
from beholden.bus.paths import socket_path
from beholden.catalog import Catalog, cameras, gaps, segments, sites, volumes
from beholden.catalog.secrets import SecretBox
from beholden.demo.rtsp_server import RunningCameras
from beholden.model.analysis import AnalysisState
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.time import SystemClock, to_rfc3339
from beholden.record.role import run_recorder
from beholden.store.volume import Volume

pytestmark = pytest.mark.rtsp
FAR = 1 << 62


class Watched:
    """A recorder with one camera, and the analyser it hears."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.catalog = Catalog.open(path)
        self.events = 0
        self.number = 0
        volume = Volume.create(path / "footage")
        with self.catalog.write() as conn:
            sites.ensure(conn)
            volumes.add(conn, 0, volume.uuid, str(volume.path), floor_bytes=0)
            new = cameras.NewCamera("gate", url, mode="events", pre_seconds=2, post_seconds=1)
            self.camera = cameras.add(conn, SecretBox.open(path), 0, new)
        self.analyser: ThreadedBusServer | None = None
        self.stop_event = threading.Event()
        self.recorder = threading.Thread(target=run_recorder, args=(path, 0, lambda: None, self.stop_event))
        self.recorder.start()

    def start_analyser(self) -> None:
        self.analyser = ThreadedBusServer(socket_path(self.path, "analyser"), self._answer)

    def stop_analyser(self) -> None:
        if self.analyser is not None:
            self.analyser.close()
            self.analyser = None

    def event(self, seconds: float) -> tuple[int, int]:
        """Something is in view for so long; when it began and ended."""
        assert self.analyser is not None
        self.number += 1
        event = {"id": self.number, "camera": self.camera, "start": to_rfc3339(now := SystemClock().now_ms())}
        self.events = 1
        self.analyser.publish({"kind": "event", "phase": "start", "event": {**event, "end": None}})
        time.sleep(seconds)
        self.events = 0
        end = SystemClock().now_ms()
        self.analyser.publish({"kind": "event", "phase": "end", "event": {**event, "end": to_rfc3339(end)}})
        return now, end

    def stats(self) -> dict[str, Any]:
        try:
            with BusClient(socket_path(self.path, "recorder-0")) as client:
                (row,) = client.request({"op": "stats"}, timeout=10)["streams"]
        except (BusError, ValueError):
            return {}
        return dict(row)

    def stop(self) -> None:
        self.stop_event.set()
        self.recorder.join(30)
        assert not self.recorder.is_alive()

    def kept(self) -> list[segments.Segment]:
        with self.catalog.read() as conn:
            return segments.between(conn, self.camera, StreamRole.MAIN, 0, FAR)

    def causes(self) -> list[GapCause]:
        with self.catalog.read() as conn:
            return [gap.cause for gap in gaps.between(conn, self.camera, StreamRole.MAIN, 0, FAR)]

    def _answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        if request.get("op") != "stats":
            return None
        row = {"camera": self.camera, "state": AnalysisState.FULL_RATE, "events": self.events}
        return {"kind": "stats", "cameras": [{**row, "last_frame_ms": SystemClock().now_ms()}]}


@pytest.fixture
def watched(tmp_path: Path, virtual_cameras: RunningCameras) -> Iterator[Watched]:
    """It runs, and is stopped."""
    watched = Watched(tmp_path, virtual_cameras.url("gate"))
    yield watched
    watched.stop_event.set()
    watched.stop_analyser()
    watched.recorder.join(30)
    watched.catalog.close()


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Wait for something, generously."""
    deadline = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return value


def test_an_event_is_recorded_with_its_surroundings(watched: Watched) -> None:
    """While analysis is away all is kept and said; with it, nothing but the event and what lies around it;
    when it dies, all again. The time between is a gap by rule, and no alarm."""
    told = eventually(lambda: (s := watched.stats()).get("recording") and s["reason"] and s, "it fails open")
    assert "Everything is kept" in told["reason"]
    watched.start_analyser()
    eventually(lambda: watched.stats().get("resting"), "it rests")
    time.sleep(3)
    resting = watched.stats()
    assert (resting["reason"], resting["recording"]) == ("", False)
    assert 0 < resting["memory_bytes"] <= resting["memory_limit_bytes"]
    began, ended = watched.event(2)
    eventually(lambda: watched.stats().get("resting"), "it rests again")
    watched.stop_analyser()
    eventually(lambda: watched.stats().get("recording"), "it fails open again")
    watched.stop()
    first, event, *_ = watched.kept()
    assert first.end_ms < event.key.start_ms
    assert began - 4000 < event.key.start_ms <= began - 2000
    assert ended + 1000 <= event.end_ms < watched.kept()[-1].end_ms
    assert watched.causes()[0] is GapCause.RULE_OFF
    assert watched.causes()[-1] is GapCause.RECORDER_STOPPED
    with watched.catalog.read() as conn:
        assert gaps.counts(conn)[watched.camera] == 1


def test_a_mode_changes_without_a_hole(watched: Watched) -> None:
    """Events to continuous while it rests: what memory holds joins, and the gap ends there."""
    watched.start_analyser()
    eventually(lambda: watched.stats().get("resting"), "it rests")
    time.sleep(2)
    asked = SystemClock().now_ms()
    with watched.catalog.write() as conn:
        cameras.change(conn, SecretBox.open(watched.path), 0, watched.camera, {"mode": "continuous"})
    eventually(lambda: watched.stats().get("recording"), "it records")
    watched.stop()
    assert watched.kept()[-1].key.start_ms <= asked - 1000
