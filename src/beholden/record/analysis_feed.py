"""What analysis sees, heard over the bus: events, and whether it watches at all. Nothing of it is imported.

Silence is trouble, not peace: a camera that records on events keeps everything until analysis is well.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog

from beholden.bus.client import Bus, BusClient
from beholden.bus.messages import BusError, JsonMessage
from beholden.model.analysis import AnalysisState
from beholden.model.time import Clock, parse_rfc3339
from beholden.record.latch import Seeing

log = structlog.get_logger()

_POLL_SECONDS = 1.0
_ANSWER_SECONDS = 2.0
_RETRY_SECONDS = 0.5
# Longer ago than this, a camera's newest analysed picture says that nobody looks; with keyframes only, it may
# be as old as a long GOP.
_STALE_MS = 4000
_STALE_KEYFRAMES_MS = 15_000
_WATCHING = frozenset(state.value for state in AnalysisState if state.watches)
_OLD_MS = 5000  # what was heard longer ago does not count
_UNHEARD = "Analysis has not answered yet."
_SILENT = "Analysis does not answer; it is started again by itself."

Connect = Callable[[Path, float], Bus]


class Analysis(Protocol):
    """The seam between recording and seeing."""

    def want(self, cameras: Collection[int]) -> None:
        """The cameras whose recording depends on events; from any thread, at once."""
        ...

    def seeing(self, camera: int) -> Seeing:
        """What is known of one of them; from any thread, at once."""
        ...


class FakeAnalysis:
    """Says what tests put into ``says``."""

    def __init__(self) -> None:
        self.says: dict[int, Seeing] = {}
        self.wanted: set[int] = set()

    def want(self, cameras: Collection[int]) -> None:
        self.wanted = set(cameras)

    def seeing(self, camera: int) -> Seeing:
        return self.says.get(camera, Seeing(trouble=_UNHEARD))


@dataclass(slots=True)
class _Heard:
    """What was heard of one camera."""

    lasting: dict[int, int] = field(default_factory=dict)  # event to its start
    counted: bool = False  # whether the newest stats know of an event that lasts
    start_ms: int = 0
    end_ms: int = 0
    trouble: str = _UNHEARD
    well_ms: int = 0


class AnalysisFeed:
    """Listens in a thread of its own, while some camera needs it. ``on_news`` is called in that thread."""

    def __init__(
        self, path: Path, clock: Clock, on_news: Callable[[], None], connect: Connect = BusClient.connect
    ) -> None:
        self._path = path
        self._clock = clock
        self._on_news = on_news
        self._connect = connect
        self._lock = threading.Lock()
        self._heard: dict[int, _Heard] = {}
        self._needed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="analysis feed", daemon=True)
        self._thread.start()

    def want(self, cameras: Collection[int]) -> None:
        with self._lock:
            self._heard = {camera: self._heard.get(camera) or _Heard() for camera in cameras}
        if cameras:
            self._needed.set()
        else:
            self._needed.clear()

    def seeing(self, camera: int) -> Seeing:
        with self._lock:
            heard = self._heard.get(camera)
            if heard is None:
                return Seeing(trouble=_UNHEARD)
            lasting = bool(heard.lasting) or heard.counted
            start_ms = min(heard.lasting.values(), default=heard.start_ms)
            old = not 0 <= self._clock.now_ms() - heard.well_ms <= _OLD_MS
            trouble = heard.trouble or (_SILENT if old else "")
            return Seeing(lasting, start_ms, heard.end_ms, trouble, heard.well_ms)

    def stop(self) -> None:
        """End the thread; waits only a moment for an analyser that hangs."""
        self._stopping.set()
        self._needed.set()
        self._thread.join(0.2)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._needed.wait()
            if self._stopping.is_set():
                return
            try:
                with contextlib.closing(self._connect(self._path, _ANSWER_SECONDS)) as bus:
                    self._listen(bus)
            except BusError as error:
                self._fall_silent(error)
                self._stopping.wait(_RETRY_SECONDS)

    def _listen(self, bus: Bus) -> None:
        bus.send({"op": "events"})
        while not self._stopping.is_set() and self._needed.is_set():
            self._hear_stats(bus.request({"op": "stats"}, _ANSWER_SECONDS))
            end = self._clock.monotonic() + _POLL_SECONDS
            while (left := end - self._clock.monotonic()) > 0 and not self._stopping.is_set():
                message = bus.receive(left)
                if isinstance(message, JsonMessage) and message.kind == "event":
                    self._hear_event(message.body)

    def _hear_stats(self, body: Mapping[str, Any]) -> None:
        now_ms = self._clock.now_ms()
        rows = {row.get("camera"): row for row in body.get("cameras") or ()}
        with self._lock:
            for camera, heard in self._heard.items():
                self._hear_row(heard, rows.get(camera), now_ms)
        self._on_news()

    def _hear_row(self, heard: _Heard, row: Mapping[str, Any] | None, now_ms: int) -> None:
        heard.trouble = _trouble(row, now_ms)
        if row is None or heard.trouble:
            return
        heard.well_ms = now_ms
        counted = bool(row.get("events"))
        if counted and not heard.counted and not heard.lasting:
            heard.start_ms = now_ms - round(_POLL_SECONDS * 1000)
        if not counted and (heard.counted or heard.lasting):
            heard.end_ms = now_ms
            heard.lasting.clear()  # whatever end was missed
        heard.counted = counted

    def _hear_event(self, body: Mapping[str, Any]) -> None:
        event = body.get("event") or {}
        with self._lock:
            heard = self._heard.get(int(event.get("camera") or 0))
            if heard is None:
                return
            start_ms = parse_rfc3339(str(event.get("start")))
            if body.get("phase") == "end":
                heard.lasting.pop(event["id"], None)
                heard.end_ms = max(heard.end_ms, parse_rfc3339(str(event.get("end"))))
            else:
                heard.lasting[event["id"]] = start_ms
            heard.start_ms = start_ms
        self._on_news()

    def _fall_silent(self, error: BusError) -> None:
        with self._lock:
            first = any(heard.trouble != _SILENT for heard in self._heard.values())
            for heard in self._heard.values():
                heard.trouble = _SILENT
                heard.lasting.clear()
                heard.counted = False
        if first:
            log.warning("analysis is silent; cameras that record on events keep everything", cause=str(error))
        self._on_news()


def _trouble(row: Mapping[str, Any] | None, now_ms: int) -> str:
    """Why analysis of a camera cannot be relied on, in words; "" when it watches."""
    if row is None:
        return "Analysis does not know this camera yet."
    state = row.get("state")
    if state not in _WATCHING:
        return str(row.get("reason") or "Analysis does not watch this camera.")
    stale_ms = _STALE_MS if state == AnalysisState.FULL_RATE else _STALE_KEYFRAMES_MS
    if now_ms - (row.get("last_frame_ms") or 0) > stale_ms:
        return "Analysis has not seen a picture for a while."
    return ""
