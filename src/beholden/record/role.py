"""The recorder's process: what it opens, what runs in which thread, and how it stops."""

from __future__ import annotations

import contextlib
import functools
import gc
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from beholden.bus.paths import socket_path
from beholden.bus.server import BusServer
from beholden.catalog import Catalog, CatalogError, cameras, volumes
from beholden.catalog.secrets import SecretBox
from beholden.catalog.volumes import VolumeRow
from beholden.ingest.fallback import fallback_source
from beholden.ingest.hot_path import hot_path
from beholden.ingest.loop import IngestLoop
from beholden.ingest.rtsp import RtspSource
from beholden.model.camera import CameraConfig
from beholden.model.errors import BeholdenError
from beholden.model.segment import SegmentKey, pack_fragments
from beholden.model.time import Clock, SystemClock
from beholden.record.alive import Alive
from beholden.record.analysis_feed import AnalysisFeed
from beholden.record.disk import DiskWriter, SegmentFile
from beholden.record.expire import expire_events
from beholden.record.index import Index, IndexSegment
from beholden.record.reconcile import Reconciler
from beholden.record.recorder import Recorder
from beholden.record.recover import survey
from beholden.record.retention import Retention
from beholden.record.roster import Roster
from beholden.record.stream import Means
from beholden.store.volume import Volume

log = structlog.get_logger()

_DISK_STOP_SECONDS = 4.0
_INDEX_STOP_SECONDS = 2.0
_CATALOG_RETRY_SECONDS = 1.0
_TIDY_SECONDS = 10.0


def run_recorder(
    data_dir: Path,
    shard: int,
    heartbeat: Callable[[], None],
    stop: threading.Event,
    *,
    clock: Clock | None = None,
) -> None:
    """Record the cameras of one shard until ``stop`` is set.

    ``heartbeat`` is called about once a second from the thread that reads the cameras, so that a hang of
    that thread is seen. Raises BeholdenError when the data directory cannot be used at all; a disk or
    catalog that fails later degrades what it must and nothing more.
    """
    clock = clock or SystemClock()
    spare_the_collector()
    reading = hot_path()
    log.info("cameras are read", compiled=reading.compiled, why=reading.why)
    opened = _open_catalog(data_dir, heartbeat, stop)
    if opened is None:
        return
    catalog, row, configs = opened
    try:
        with contextlib.ExitStack() as ending:
            _Shard(data_dir, shard, catalog, row, configs, clock, heartbeat, ending).run(stop)
    finally:
        catalog.close()


def spare_the_collector() -> None:
    """Look for cycles seldom: access units are freed by their reference counts, and looking among tens of
    thousands of short-lived objects a second finds none and costs about three per cent of a recorder."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


class _Shard:
    """The parts of one running recorder, taken down in the opposite order by ``ending``."""

    def __init__(
        self,
        data_dir: Path,
        shard: int,
        catalog: Catalog,
        row: VolumeRow,
        shards: dict[int, int],
        clock: Clock,
        heartbeat: Callable[[], None],
        ending: contextlib.ExitStack,
    ) -> None:
        self._data_dir, self._shard, self._catalog, self._row = data_dir, shard, catalog, row
        self._clock, self._heartbeat, self._ending = clock, heartbeat, ending
        self._shards = shards
        self._volume = Volume(Path(row.path), row.uuid)
        self._background = threading.Event()
        self._news: deque[tuple[list[CameraConfig], str]] = deque()
        self._index = Index(catalog, clock)
        ending.callback(self._index.stop, _INDEX_STOP_SECONDS)
        self._disk = DiskWriter(self._volume, self._on_closed, sync_seconds=row.sync_seconds)
        ending.callback(self._disk.stop, _DISK_STOP_SECONDS)
        self._reconciler = Reconciler(catalog, clock, self._index.put, self._owns)
        expire = functools.partial(expire_events, catalog, data_dir / "stills", clock)
        self._retention = Retention(catalog, clock, expire)
        self._loop = IngestLoop(clock)
        ending.callback(self._loop.close)
        analysis = AnalysisFeed(socket_path(data_dir, "analyser"), clock, self._loop.wake)
        ending.callback(analysis.stop)
        means = Means(clock, self._disk, self._index.put, RtspSource, fallback_source, analysis)
        self._recorder = Recorder(shard, self._loop, means, self._index, self._alarms)

    def run(self, stop: threading.Event) -> None:
        """Record until ``stop``."""
        alive = Alive(socket_path(self._data_dir, f"recorder-{self._shard}").with_suffix(".alive"))
        owned = [camera for camera in self._shards if self._owns(camera)]
        found = survey(self._catalog, self._volume, owned, alive.last_ms)
        for gap in found.gaps:
            self._index.put(gap)
        server = BusServer(
            socket_path(self._data_dir, f"recorder-{self._shard}"),
            self._loop,
            self._recorder.on_request,
            on_close=self._recorder.on_close,
        )
        self._ending.callback(server.close)
        self._ending.callback(self._recorder.close)
        roster = Roster(self._catalog, SecretBox.open(self._data_dir), self._shard, self._on_roster)
        self._ending.callback(roster.stop)
        self._ending.callback(self._background.set)
        self._loop.on_wake = self._apply_news
        self._loop.call_every(1.0, self._heartbeat)
        self._loop.call_every(1.0, alive.beat)
        self._loop.call_every(1.0, self._recorder.tick)
        threading.Thread(target=self._tidy, args=(found.unindexed,), name="tidy", daemon=True).start()
        if self._shard == 0:
            threading.Thread(
                target=self._retention.run, args=(self._background,), name="retention", daemon=True
            ).start()
        threading.Thread(target=self._stop_with, args=(stop,), name="stop", daemon=True).start()
        roster.start()
        self._heartbeat()
        self._loop.run()

    def _owns(self, camera: int) -> bool:
        # Footage of cameras that were removed belongs to the first shard.
        return self._shards.get(camera, 0) == self._shard

    def _stop_with(self, stop: threading.Event) -> None:
        stop.wait()
        self._loop.stop()

    def _on_roster(self, present: list[CameraConfig], time_zone: str) -> None:
        self._shards.update({camera.id: self._shard for camera in present})
        self._news.append((present, time_zone))
        self._loop.wake()

    def _apply_news(self) -> None:
        while self._news:
            self._recorder.apply(*self._news.popleft())
        self._recorder.judge()

    def _on_closed(self, file: SegmentFile) -> None:
        self._index.put(
            IndexSegment(
                file.key,
                file.end_ms,
                file.size,
                self._row.id,
                file.init,
                file.stream_format,
                False,
                file.hash.digest(),
                pack_fragments(file.entries),
            )
        )

    def _tidy(self, unindexed: list[SegmentKey]) -> None:
        """In the background: repair what the last run left, then compare catalog and volumes when due."""
        stop = self._background
        self._reconciler.repair(self._volume, self._row.id, unindexed, stop)
        while True:
            try:
                self._reconciler.run_due(stop)
            except (BeholdenError, OSError, SQLAlchemyError) as error:
                log.warning("catalog and volumes could not be compared", cause=str(error))
            if stop.wait(_TIDY_SECONDS):
                return

    def _alarms(self) -> list[BeholdenError]:
        trouble = self._disk.trouble
        found = [trouble.error if trouble is not None else None, self._index.trouble]
        told = [alarm for alarm in found if alarm is not None]
        return [*told, *self._reconciler.alarms, *self._retention.alarms]


def _open_catalog(
    data_dir: Path, heartbeat: Callable[[], None], stop: threading.Event
) -> tuple[Catalog, VolumeRow, dict[int, int]] | None:
    """The catalog, the volume's row and the shard of each camera; waits for a catalog that is only busy.
    None when told to stop meanwhile."""
    while not stop.is_set():
        heartbeat()
        try:
            catalog = Catalog.open_existing(data_dir)
            with catalog.read() as conn:
                rows = volumes.all_volumes(conn)
                shards = {camera.id: camera.shard for camera in cameras.present(conn, None)}
            return catalog, rows[0] if rows else _add_volume(catalog, data_dir), shards
        except CatalogError as error:
            if error.code != "catalog_unavailable":
                raise
            log.warning("waiting for the catalog", cause=error.message)
            stop.wait(_CATALOG_RETRY_SECONDS)
    return None


def _add_volume(catalog: Catalog, data_dir: Path) -> VolumeRow:
    """The first volume, ``DIR/footage``, when nobody has registered one."""
    made = Volume.create(data_dir / "footage")
    with catalog.write() as conn:
        if not volumes.all_volumes(conn):
            volumes.add(conn, SystemClock().now_ms(), made.uuid, str(made.path))
        return volumes.all_volumes(conn)[0]
