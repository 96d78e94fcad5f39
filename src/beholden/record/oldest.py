"""What may leave first: the oldest footage that no hold covers, one camera's or a whole volume's."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from beholden.catalog import holds, segments, usage
from beholden.catalog.holds import Hold
from beholden.catalog.segments import Stored
from beholden.model.camera import StreamRole

_FIRST_PAGE, _PAGE = 8, 256
_EVER_MS = 1 << 62


class Oldest:
    """Remembers how far footage is held, so that no pass reads it all again. Valid for one set of holds."""

    def __init__(self, standing: Sequence[Hold]) -> None:
        self.standing = standing
        self._cursors: dict[tuple[int, StreamRole, int | None], int] = {}

    def of_volume(self, conn: Connection, volume: int) -> Iterator[Stored]:
        """Everything on a volume, oldest first over all cameras."""
        streams = usage.streams_on(conn, volume)
        sources = [
            self._stream(conn, camera, stream, start_ms, volume) for camera, stream, start_ms in streams
        ]
        return heapq.merge(*sources, key=lambda row: row.key.start_ms)

    def of_camera(self, conn: Connection, camera: int) -> Iterator[Stored]:
        """Everything of a camera, oldest first, on whatever volume."""
        sources = [self._stream(conn, camera, stream, 0, None) for stream in StreamRole]
        return heapq.merge(*sources, key=lambda row: row.key.start_ms)

    def _stream(
        self, conn: Connection, camera: int, stream: StreamRole, start_ms: int, volume: int | None
    ) -> Iterator[Stored]:
        place = (camera, stream, volume)
        after_ms, size, only_held = max(start_ms, self._cursors.get(place, 0)), _FIRST_PAGE, True
        while True:
            page = segments.oldest(
                conn, camera, stream, after_ms=after_ms, before_ms=_EVER_MS, volume=volume, limit=size
            )
            for row in page:
                if holds.covered(self.standing, camera, row.key.start_ms, row.end_ms):
                    continue
                if only_held:
                    self._cursors[place] = row.key.start_ms
                only_held = False
                yield row
            if len(page) < size:
                return
            after_ms, size = page[-1].key.start_ms + 1, _PAGE


def enough(rows: Iterator[Stored], needed: int, most: int) -> list[Stored]:
    """The first of them that have so many bytes together."""
    chosen: list[Stored] = []
    for row in rows:
        if needed <= 0 or len(chosen) >= most:
            break
        chosen.append(row)
        needed -= row.size
    return chosen
