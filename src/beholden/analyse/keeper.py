"""The thread that stores events, so that a slow disk never holds up looking."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from beholden.analyse.events import EventChange, Phase
from beholden.analyse.reports import Crossing
from beholden.analyse.sink import EventSink
from beholden.analyse.still import write_still
from beholden.model.errors import BeholdenError
from beholden.model.time import to_rfc3339
from beholden.store.stills import still_path

log = structlog.get_logger()

_ENOUGH = 500  # changes waiting; updates beyond are left out, starts and ends never
_RETRY_SECONDS = 1.0


class Keeper:
    """Takes changes from any thread with ``put`` and writes them in order: catalog, still, news."""

    def __init__(self, data_dir: Path, sink: EventSink, publish: Callable[[Mapping[str, Any]], None]) -> None:
        self._data_dir = data_dir
        self._sink = sink
        self._publish = publish
        self._queue: queue.SimpleQueue[EventChange | Crossing | None] = queue.SimpleQueue()
        self._ids: dict[int, int] = {}
        self._stopping = threading.Event()
        self.failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    def put(self, change: EventChange) -> None:
        """Store a change soon. Never blocks."""
        if change.phase is not Phase.UPDATE or self._queue.qsize() < _ENOUGH:
            self._queue.put(change)

    def count(self, crossing: Crossing) -> None:
        """Count a crossing soon. Never blocks."""
        self._queue.put(crossing)

    def close(self) -> None:
        """Store what waits, then end. A catalog that cannot be written is not waited for any more."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (change := self._queue.get()) is not None:
            while not self._keep(change):
                if self._stopping.wait(_RETRY_SECONDS):
                    break

    def _keep(self, change: EventChange | Crossing) -> bool:
        try:
            if isinstance(change, Crossing):
                self._sink.crossed(change)
            else:
                self._store(change)
        except BeholdenError as error:  # the catalog is busy or full: the change waits
            log.warning("event not stored yet", cause=str(error))
            return False
        return True

    def _store(self, change: EventChange) -> None:
        if change.phase is Phase.START and change.key not in self._ids:
            self._ids[change.key] = self._sink.start(change)
        event_id = self._ids.get(change.key)
        if event_id is None:
            return
        if change.phase is Phase.START:  # whoever waits for it is told before its still is written
            self._publish(_news(event_id, change))
        size = self._write_still(event_id, change)
        if change.phase is Phase.END:
            self._sink.end(event_id, change)
            del self._ids[change.key]
        elif change.phase is Phase.UPDATE or size is not None:
            self._sink.update(event_id, change, size)
        if change.phase is not Phase.START:
            self._publish(_news(event_id, change))

    def _write_still(self, event_id: int, change: EventChange) -> int | None:
        if change.still is None:
            return None
        path = still_path(self._data_dir / "stills", change.camera, change.start_ms, event_id)
        try:
            return write_still(path, change.still.bgr())
        except OSError as error:
            log.warning("still not written", camera=change.camera, cause=str(error))
            return None


def _news(event_id: int, change: EventChange) -> dict[str, Any]:
    box, hit = change.box, change.hit
    return {
        "kind": "event",
        "phase": change.phase.value,
        "event": {
            "id": event_id,
            "camera": change.camera,
            "kind": change.kind.value,
            "start": to_rfc3339(change.start_ms),
            "end": to_rfc3339(change.end_ms) if change.end_ms is not None else None,
            "score": round(change.score, 3),
            "box": {"left": box.left, "top": box.top, "right": box.right, "bottom": box.bottom},
            "rule": hit.rule if hit is not None else None,
            "what": hit.what if hit is not None else None,
            "place": hit.place if hit is not None else None,
            "severity": hit.severity if hit is not None else "note",
            "detail": dict(hit.detail) if hit is not None else {},
        },
    }
