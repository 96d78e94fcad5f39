"""What a recording left: how many pictures, whether the files are whole, whether every hole has a cause."""

from __future__ import annotations

import contextlib
import itertools
import threading
from dataclasses import dataclass
from pathlib import Path

import av

from beholden.catalog import Catalog, cameras, gaps, segments, volumes
from beholden.model.camera import StreamRole
from beholden.model.segment import unpack_fragments
from beholden.model.time import SystemClock
from beholden.record.outage import TOLERATED_MS
from beholden.run.check import Depth, Tally, check
from beholden.store.volume import Volume

_FAR = 1 << 62


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file: its start and how many pictures it holds."""

    start_ms: int
    pictures: int


class Counter(threading.Thread):
    """Reads the rows of closed files as they come, before retention deletes them."""

    def __init__(self, data: Path) -> None:
        super().__init__(daemon=True)
        self.files: dict[int, dict[tuple[int, int], KeptFile]] = {}
        self._catalog = Catalog.open_existing(data)
        self._ended = threading.Event()
        self._since: dict[int, int] = {}

    def run(self) -> None:
        while not self._ended.wait(10):
            self.look()

    def look(self) -> None:
        """Take up what is new."""
        with self._catalog.read() as conn:
            for camera in cameras.present(conn, None):
                known = self.files.setdefault(camera.id, {})
                since = self._since.get(camera.id, 0)
                for row in segments.between(conn, camera.id, StreamRole.MAIN, since, _FAR):
                    pictures = sum(entry.pictures for entry in unpack_fragments(row.fragments))
                    known[row.key.start_ms, row.key.epoch] = KeptFile(row.key.start_ms, pictures)
                    self._since[camera.id] = max(since, row.key.start_ms - 300_000)

    def finish(self) -> dict[int, list[KeptFile]]:
        """Look once more; all files by camera, in order."""
        self._ended.set()
        self.join()
        self.look()
        self._catalog.close()
        return {camera: [known[key] for key in sorted(known)] for camera, known in self.files.items()}


def pictures(path: Path) -> int:
    """Video packets in a file, by another reader than ours; 0 when it cannot be read at all."""
    kept = 0
    with contextlib.suppress(av.FFmpegError), av.open(str(path)) as container:
        for packet in container.demux(video=0):
            kept += bool(packet.size)
    return kept


def corrupt_files(data: Path) -> int:
    """Files that differ from their row, or in which another reader finds other than the row tells."""
    catalog = Catalog.open_existing(data)
    tally = Tally()
    bad = {found.path for found in check(catalog, Depth.HASH, SystemClock().now_ms(), tally)}
    with contextlib.closing(catalog), catalog.read() as conn:
        (row,) = volumes.all_volumes(conn)
        place = Volume(Path(row.path), row.uuid)
        for camera in cameras.present(conn, None):
            for each in segments.between(conn, camera.id, StreamRole.MAIN, 0, _FAR):
                path = place.path_of(each.key)
                told = sum(entry.pictures for entry in unpack_fragments(each.fragments))
                if pictures(path) != told:
                    bad.add(path)
    return len(bad)


def unexplained_gaps(data: Path) -> int:
    """Holes between a camera's files that no gap covers."""
    catalog = Catalog.open_existing(data)
    found = 0
    with contextlib.closing(catalog), catalog.read() as conn:
        for camera in cameras.present(conn, None):
            rows = segments.between(conn, camera.id, StreamRole.MAIN, 0, _FAR)
            told = gaps.between(conn, camera.id, StreamRole.MAIN, 0, _FAR)
            for one, other in itertools.pairwise(rows):
                hole = one.end_ms, other.key.start_ms
                if hole[1] - hole[0] > TOLERATED_MS and not any(
                    gap.start_ms <= hole[0] + TOLERATED_MS and (gap.end_ms or _FAR) >= hole[1] - TOLERATED_MS
                    for gap in told
                ):
                    found += 1
    return found
