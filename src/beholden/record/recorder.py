"""All streams of one shard, and what others may ask about them."""

from __future__ import annotations

import os
import time
import zoneinfo
from collections.abc import Callable
from typing import Any

import structlog

from beholden.bus.messages import BusError, stream_of
from beholden.bus.server import Connection
from beholden.ingest.hot_path import hot_path
from beholden.ingest.loop import IngestLoop
from beholden.model.camera import CameraConfig, StreamAddress, StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.gap import GapCause
from beholden.record.index import Index
from beholden.record.relay import Relay
from beholden.record.stream import Means, StreamRecorder

log = structlog.get_logger()

StreamId = tuple[int, StreamRole]


class Recorder:
    """Pulls each stream of its cameras once. All calls belong to the ingest thread."""

    def __init__(
        self,
        shard: int,
        loop: IngestLoop,
        means: Means,
        index: Index,
        alarms: Callable[[], list[BeholdenError]],
    ) -> None:
        self._shard = shard
        self._loop = loop
        self._means = means
        self._index = index
        self._alarms = alarms
        self._cameras: dict[int, CameraConfig] = {}
        self._streams: dict[StreamId, StreamRecorder] = {}
        self._wishes: dict[Connection, dict[StreamId, bool]] = {}  # stream to fast
        self._zone = zoneinfo.ZoneInfo("UTC")
        self._started_ms = means.clock.now_ms()

    @property
    def streams(self) -> list[StreamRecorder]:
        """The streams being pulled now."""
        return list(self._streams.values())

    def apply(self, wanted: list[CameraConfig], time_zone: str) -> None:
        """Bring the streams in line with the catalog, touching only cameras that changed."""
        moved = time_zone != self._zone.key
        if moved:
            self._zone = zoneinfo.ZoneInfo(time_zone)
        by_id = {camera.id: camera for camera in wanted}
        for camera_id in [known for known in self._cameras if known not in by_id]:
            self._drop_camera(camera_id)
        for camera in wanted:
            known = self._cameras.get(camera.id)
            if known is None or known.rev != camera.rev or moved:
                self._cameras[camera.id] = camera
                for role in StreamRole:
                    self._apply_stream(camera, role)
        self._means.analysis.want({s.camera for s in self._streams.values() if s.listens})

    def judge(self) -> None:
        """There are news of events: streams that depend on them look whether to keep what comes."""
        now_ms = self._means.clock.now_ms()
        for stream in self._streams.values():
            if stream.listens:
                stream.judge(now_ms)

    def tick(self) -> None:
        """Once a second."""
        now_ms = self._means.clock.now_ms()
        for stream in self._streams.values():
            stream.tick(now_ms)

    def close(self) -> None:
        """End all pulls and files; what follows is a gap "recorder stopped"."""
        for stream in self._streams.values():
            self._loop.remove(stream.session)
            stream.close(GapCause.RECORDER_STOPPED, "The recorder was stopped.")
        self._streams.clear()
        self._cameras.clear()

    def on_request(self, connection: Connection, body: dict[str, Any]) -> None:
        """One request on the bus (docs/design/architecture.md)."""
        op = body.get("op")
        if op == "stats":
            connection.send_json(self.stats())
        elif op == "subscribe":
            found, fast = stream_of(body), body.get("fast") is True
            self._relay_of(found).subscribe(connection, fast)
            self._wishes.setdefault(connection, {})[found] = fast
        elif op == "unsubscribe":
            self._unsubscribe(connection, stream_of(body))
        else:
            raise BusError("bus_malformed", f"A recorder does not know the request {op!r}.")

    def on_close(self, connection: Connection) -> None:
        """A client is gone."""
        for found in list(self._wishes.get(connection, ())):
            self._unsubscribe(connection, found)
        self._wishes.pop(connection, None)

    def stats(self) -> dict[str, Any]:
        """The ``stats`` answer."""
        streams = self._streams.values()
        buffered = sum(stream.buffered_bytes for stream in streams)
        return {
            "kind": "stats",
            "streams": [stream.stats() for stream in streams],
            "alarms": [
                {"code": alarm.code, "message": alarm.message, "next_step": alarm.next_step}
                for alarm in self._alarms()
            ],
            "process": {
                "pid": os.getpid(),
                "shard": self._shard,
                "cpu_seconds": round(time.process_time(), 3),
                "rss_bytes": _rss_bytes(),
                "memory_buffered_bytes": buffered,
                "disk_delay_p99_ms": self._means.disk.delay_ms(),
                "sync_lag_ms": self._means.disk.sync_lag_ms(),
                "catalog_queue": self._index.waiting,
                "compiled": hot_path().compiled,
                "started_ms": self._started_ms,
            },
        }

    def _apply_stream(self, camera: CameraConfig, role: StreamRole) -> None:
        address = camera.address(role) if camera.enabled else None
        stream = self._streams.get((camera.id, role))
        if stream is not None and (address is None or stream.session.address != address):
            off = not camera.enabled
            detail = "The camera was switched off." if off else "The camera's address was changed."
            self._drop_stream(stream, GapCause.RECORDING_OFF if off else GapCause.CAMERA_LOST, detail)
            stream = None
        if address is None:
            return
        if stream is None:
            self._add_stream(camera, role, address)
            return
        stream.configure(camera, self._zone)

    def _add_stream(self, camera: CameraConfig, role: StreamRole, address: StreamAddress) -> None:
        stream = StreamRecorder(camera, role, address, self._means, self._zone)
        self._streams[camera.id, role] = stream
        self._loop.add(stream.session)
        for connection, wishes in list(self._wishes.items()):
            # Who listened before the camera's address changed goes on listening.
            if (camera.id, role) in wishes:
                stream.relay.subscribe(connection, wishes[camera.id, role])
        log.info("stream added", camera=camera.id, stream=role.name.lower())

    def _drop_camera(self, camera_id: int) -> None:
        del self._cameras[camera_id]
        for role in StreamRole:
            stream = self._streams.get((camera_id, role))
            if stream is not None:
                self._drop_stream(stream, None, "")

    def _drop_stream(self, stream: StreamRecorder, cause: GapCause | None, detail: str) -> None:
        self._loop.remove(stream.session)
        stream.close(cause, detail)
        del self._streams[stream.camera, stream.role]
        log.info("stream removed", camera=stream.camera, stream=stream.role.name.lower())

    def _relay_of(self, found: StreamId) -> Relay:
        stream = self._streams.get(found)
        if stream is None:
            raise BusError(
                "no_such_stream",
                f"Camera {found[0]} has no {found[1].name.lower()} stream in this recorder.",
                "See whether the camera is enabled and has that stream.",
            )
        return stream.relay

    def _unsubscribe(self, connection: Connection, found: StreamId) -> None:
        self._wishes.get(connection, {}).pop(found, None)
        stream = self._streams.get(found)
        if stream is not None:
            stream.relay.unsubscribe(connection)


def _rss_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - not a file, and often read
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
