"""What a catalog of a month costs: timelines, deleting a day, checking and comparing half a million files."""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import logging
import os
import random
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import structlog

from beholden.catalog import Catalog, cameras, gaps, segments, spans, volumes
from beholden.catalog.secrets import SecretBox
from beholden.model.camera import StreamRole
from beholden.model.segment import FragmentEntry, FragmentFlag, SegmentKey, pack_fragments
from beholden.model.time import FakeClock
from beholden.record.reconcile import Reconciler
from beholden.record.retention import Retention
from beholden.record.role import spare_the_collector
from beholden.run.check import Depth, Tally, check
from beholden.store.volume import Volume
from benchmarks.figures import Figures

SUMMARY = "timeline, retention, check and start-up on a large catalog, against raw rows and a bare walk"
FIGURES = {
    "timeline_ms": "timeline of all cameras over all days from spans and gaps, median",
    "timeline_ratio": "of reading the same from segment rows",
    "retention_seconds": "deleting the oldest day of all cameras, files included",
    "retention_files": "files of that day",
    "write_delay_ms": "longest a recorder's write waited meanwhile",
    "write_delay_quiet_ms": "longest a recorder's write took just before",
    "check_size_seconds": "check --depth size of all files of the second catalog",
    "check_files": "files of the second catalog",
    "check_ratio": "of a bare walk that asks for each file's size",
    "reconcile_seconds": "comparing that catalog and its files both ways, as a start does",
}
DAY_MS, MINUTE_MS = 86_400_000, 60_000
START_MS = 1_795_478_400_000  # a midnight in UTC
_SIZE = 22_000_000
_INSERT = (
    "insert into segment"
    " (camera, stream, start_ms, epoch, end_ms, size, volume, format, repaired, sha256, fragments)"
    " values (?, 0, ?, 0, ?, ?, 1, 1, 0, ?, ?)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Less, for a quick look."""
    parser.add_argument("--cameras", type=int, default=64, metavar="N", help="default: 64")
    parser.add_argument("--days", type=int, default=30, metavar="N", help="default: 30")
    parser.add_argument("--files", type=int, default=500_000, metavar="N", help="to check; default: 500000")


def run(options: argparse.Namespace) -> Figures:
    """Measure. Needs some gigabytes where temporary files go."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    load = [psutil.getloadavg()[0]]
    with tempfile.TemporaryDirectory(prefix="beholden-bench-") as name:
        with _Made(Path(name) / "month", options.cameras, options.days * 1440) as made:
            named = {**_timeline(made), **_retention(made)}
        each = options.files // options.cameras
        with _Made(Path(name) / "check", options.cameras, each) as made:
            named |= _check(made)
    load.append(psutil.getloadavg()[0])
    note = f"load of the machine {load[0]:.1f} before, {load[1]:.1f} after, on {psutil.cpu_count()} cores"
    return Figures(named, notes=[note, "files are sparse: no footage is read, only names and sizes"])


class _Made:
    """A catalog of so many minutes of each camera: a segment a minute, a gap each midnight."""

    def __init__(self, data: Path, camera_count: int, minutes: int) -> None:
        self.data, self.minutes = data, minutes
        data.mkdir()
        self.catalog = Catalog.open(data)
        self.volume = Volume.create(data / "footage")
        with self.catalog.write() as conn:
            volumes.add(conn, 0, self.volume.uuid, str(self.volume.path), floor_bytes=0)
            box = SecretBox.open(data)
            days = minutes / 1440 + 1
            self.cameras = [
                cameras.add(conn, box, 0, cameras.NewCamera(f"c{n}", "rtsp://192.0.2.1/", keep_days=days))
                for n in range(camera_count)
            ]
        self.end_ms = START_MS + minutes * MINUTE_MS
        self._fill()

    def __enter__(self) -> _Made:
        return self

    def __exit__(self, *_: object) -> None:
        self.catalog.close()

    def keys(self, minutes: int) -> Iterator[SegmentKey]:
        """The first minutes of every camera."""
        for camera in self.cameras:
            for minute in range(minutes):
                yield SegmentKey(camera, StreamRole.MAIN, START_MS + minute * MINUTE_MS)

    def put_files(self, minutes: int) -> int:
        """Sparse files for them; returns how many."""
        count = 0
        for key in self.keys(minutes):
            fd = self.volume.create_exclusive(key)
            os.ftruncate(fd, _SIZE)
            os.utime(fd, (key.start_ms / 1000, key.start_ms / 1000))
            os.close(fd)
            count += 1
        return count

    def _fill(self) -> None:
        """As the recorder would have left it, but in seconds."""
        digest = bytes(32)
        with contextlib.closing(sqlite3.connect(self.catalog.path, isolation_level=None)) as db:
            db.execute("pragma synchronous = off")
            db.execute("begin")
            db.execute(
                "insert into media_format (id, sha256, init, video_codec, video_codec_string, width, height)"
                " values (1, x'00', x'00', 'h264', 'avc1.640028', 1920, 1080)"
            )
            for camera in self.cameras:
                starts = range(START_MS, self.end_ms, MINUTE_MS)
                blobs = itertools.cycle(_indexes(camera))
                rows = ((camera, at, at + MINUTE_MS, _SIZE, digest, next(blobs)) for at in starts)
                db.executemany(_INSERT, rows)
                self._fill_days(db, camera)
            db.execute("commit")

    def _fill_days(self, db: sqlite3.Connection, camera: int) -> None:
        for at in range(START_MS, self.end_ms, DAY_MS):
            end_ms = min(at + DAY_MS, self.end_ms)
            files = (end_ms - at) // MINUTE_MS
            db.execute("insert into span values (?, 0, ?, ?)", (camera, at, end_ms - 1000))
            gap = (camera, at + DAY_MS - 1000, at + DAY_MS, "camera_lost", "It could not be reached.")
            db.execute("insert into gap values (?, 0, ?, ?, ?, ?)", gap)
            usage = (camera, at // DAY_MS, files * _SIZE, end_ms - at, files)
            db.execute("insert into usage_day values (?, 0, ?, 1, ?, ?, ?)", usage)


def _indexes(camera: int) -> list[bytes]:
    """Fragment indexes of some minutes. No two fragments of a camera are alike, so neither are these."""
    drawn = random.Random(camera)
    minutes = []
    for _ in range(30):
        sizes = [round(drawn.gauss(_SIZE / 60, _SIZE / 360)) for _ in range(60)]
        ticks = [90_000 + drawn.randint(-30, 30) for _ in sizes]
        entries = [FragmentEntry(*pair, 30, FragmentFlag.KEY) for pair in zip(sizes, ticks, strict=True)]
        minutes.append(pack_fragments(entries))
    return minutes


def _timeline(made: _Made) -> dict[str, float]:
    times = []
    for _ in range(20):
        began = time.perf_counter()
        with made.catalog.read() as conn:
            kept = spans.of_cameras(conn, made.cameras, StreamRole.MAIN, START_MS, made.end_ms)
            lost = gaps.of_cameras(conn, made.cameras, StreamRole.MAIN, START_MS, made.end_ms)
        times.append(time.perf_counter() - began)
        assert len(kept) == len(lost) == len(made.cameras)
    ours = statistics.median(times)
    began = time.perf_counter()
    for camera in made.cameras:
        _from_rows(made.catalog.path, camera, made.end_ms)
    return {"timeline_ms": 1000 * ours, "timeline_ratio": ours / (time.perf_counter() - began)}


def _from_rows(path: Path, camera: int, end_ms: int) -> list[tuple[int, int]]:
    """The same stretches from the rows of files, by the shortest way there is."""
    found: list[tuple[int, int]] = []
    query = "select start_ms, end_ms from segment where camera = ? and stream = 0 and start_ms < ? order by 1"
    with contextlib.closing(sqlite3.connect(path)) as db:
        for start, end in db.execute(query, (camera, end_ms)):
            if found and start <= found[-1][1] + segments.JOIN_MS:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
    return found


def _retention(made: _Made) -> dict[str, float]:
    files = made.put_files(min(1440, made.minutes))
    os.sync()  # what the disk has yet to write of a month that was made in seconds is not retention's
    clock = FakeClock(START_MS + round((made.minutes / 1440 + 1) * DAY_MS) + DAY_MS)
    retention = Retention(made.catalog, clock, lambda *_: None)
    with _spared_collector(), _Writer(made.catalog, made.cameras[0]) as writer:
        time.sleep(2)
        quiet = writer.longest()
        began = time.perf_counter()
        deleted = retention.run_once(threading.Event())
        took = time.perf_counter() - began
        delay = writer.longest()
    assert deleted == files, (deleted, files)
    return {
        "retention_seconds": took,
        "retention_files": files,
        "write_delay_ms": 1000 * delay,
        "write_delay_quiet_ms": 1000 * quiet,
    }


@contextlib.contextmanager
def _spared_collector() -> Iterator[None]:
    """As in a recorder, whose thread retention is: else looking for cycles is a tenth of what is measured."""
    usual = gc.get_threshold()
    spare_the_collector()
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


class _Writer:
    """Writes a small fact twenty times a second, as a recorder does, and notes how long each took."""

    def __init__(self, catalog: Catalog, camera: int) -> None:
        self._catalog, self._camera = Catalog(catalog.path), camera
        self._stop = threading.Event()
        self._longest = 0.0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> _Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._catalog.close()

    def longest(self) -> float:
        """Seconds, since it was asked last."""
        longest, self._longest = self._longest, 0.0
        return longest

    def _run(self) -> None:
        at_ms = 1 << 42
        while not self._stop.wait(0.05):
            at_ms += 1000
            began = time.perf_counter()
            with self._catalog.write() as conn:
                spans.extend(conn, self._camera, StreamRole.SUB, at_ms, at_ms + 1000)
            self._longest = max(self._longest, time.perf_counter() - began)


def _check(made: _Made) -> dict[str, float]:
    files = made.put_files(made.minutes)
    tally = Tally()
    began = time.perf_counter()
    found = list(check(made.catalog, Depth.SIZE, made.end_ms + DAY_MS, tally))
    checked = time.perf_counter() - began
    assert not found, found[:3]
    assert tally.files == files
    began = time.perf_counter()
    bare = sum(entry.stat().st_size for path, _, _ in os.walk(made.volume.path) for entry in _files(path))
    walked = time.perf_counter() - began
    assert bare == files * _SIZE + 37, bare - files * _SIZE
    put: list[object] = []
    clock = FakeClock(made.end_ms + DAY_MS)
    reconciler = Reconciler(made.catalog, clock, put.append, lambda _: True, pause_seconds=0.0)
    began = time.perf_counter()
    reconciler.run_due(threading.Event())
    assert not put
    return {
        "check_size_seconds": checked,
        "check_files": files,
        "check_ratio": checked / walked,
        "reconcile_seconds": time.perf_counter() - began,
    }


def _files(path: str) -> list[os.DirEntry[str]]:
    with os.scandir(path) as entries:
        return [entry for entry in entries if entry.is_file()]
