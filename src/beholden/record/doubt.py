"""When deletion stops and a person is asked: a clock that jumped, a disk that others fill (rule 7)."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from beholden.catalog import Catalog, usage, volumes
from beholden.catalog.volumes import VolumeRow
from beholden.model.errors import BeholdenError
from beholden.model.time import Clock

log = structlog.get_logger()

FEWEST_TO_DOUBT = 100
# After deleting this many files without gaining room, the room is somewhere else.
FEWEST_TO_GAIN = 20


class Doubt:
    """Judges each volume by itself. A person's answer (``volume confirm``), or limits a person set within the
    last day, settle it."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._files: dict[int, int] = {}
        self._left: dict[int, int] = {}
        self._gains: dict[int, tuple[int, int, int]] = {}
        self._alarms: dict[tuple[int, str], BeholdenError] = {}

    @property
    def alarms(self) -> list[BeholdenError]:
        """What is asked now."""
        return list(self._alarms.values())

    def begin(self, rows: Sequence[VolumeRow]) -> None:
        """A pass begins: what was recorded since the last one may be deleted for space again."""
        with self._catalog.read() as conn:
            files = usage.files_by_volume(conn)
        for row in rows:
            total = files.get(row.id, 0)
            most = total if total < FEWEST_TO_DOUBT else total // 2
            grown = max(0, total - self._files.get(row.id, 0))
            self._left[row.id] = min(self._left.get(row.id, most) + grown, most)
            self._files[row.id] = total

    def is_much(self, row: VolumeRow, count: int, certain: int = 0) -> bool:
        """Whether these are more than half of a hundred files or more; ``certain`` ones left out of them."""
        total = self._files.get(row.id, 0) - certain
        return total >= FEWEST_TO_DOUBT and count * 2 > total

    def doubts_due(self, row: VolumeRow, due: int, certain: int = 0) -> bool:
        """Whether so many files are due by age at once that none of them is deleted. ``certain`` others are
        due without any doubt."""
        place = (row.id, "age")
        total = self._files.get(row.id, 0) - certain
        if not self.is_much(row, due, certain) or self._is_confirmed(row):
            self._alarms.pop(place, None)
            return False
        self._raise(
            place,
            "retention_asks",
            f"{due} of {total} files in {row.path} would be deleted by age at once, so none of them is.",
            f"Check this machine's clock and the days each camera keeps; {_how(row)} if it is meant.",
        )
        return True

    def may_free(self, row: VolumeRow, count: int) -> bool:
        """Whether so many files more may go for space."""
        if count <= self._left.get(row.id, 0) or self._is_confirmed(row):
            return True
        self._raise(
            (row.id, "space"),
            "disk_used_by_others",
            f"Half of the footage in {row.path} was deleted for space, and it is still not enough.",
            f"Free space on that disk; {_how(row)} if more footage is to go.",
        )
        return False

    def gains(self, row: VolumeRow, count: int, size: int, gained: int) -> bool:
        """So much was deleted and the disk has so much more room: whether deleting helps, over all that went
        since there was room the last time."""
        files, sizes, room = self._gains.get(row.id, (0, 0, 0))
        files, sizes, room = files + count, sizes + size, room + gained
        self._gains[row.id] = files, sizes, room
        if files < FEWEST_TO_GAIN or room >= sizes // 10:
            return True
        self._raise(
            (row.id, "space"),
            "disk_used_by_others",
            f"Footage in {row.path} was deleted, and the disk has no more room than before: others fill it.",
            "Look for snapshots and other programs on that disk; footage goes a little at a time meanwhile.",
        )
        return False

    def has_room(self, row: VolumeRow) -> None:
        """There is nothing to free."""
        self._alarms.pop((row.id, "space"), None)
        self._gains.pop(row.id, None)

    def deleted(self, row: VolumeRow, count: int) -> None:
        """So many files went."""
        self._files[row.id] = self._files.get(row.id, 0) - count
        self._left[row.id] = self._left.get(row.id, 0) - count

    def _is_confirmed(self, row: VolumeRow) -> bool:
        now_ms = self._clock.now_ms()
        with self._catalog.read() as conn:
            return volumes.confirmed_by(conn, now_ms, row.id, "deletion") is not None or volumes.limits_set(
                conn, now_ms, row.id
            )

    def _raise(self, place: tuple[int, str], code: str, message: str, next_step: str) -> None:
        if place not in self._alarms:
            log.error("retention stopped", cause=message)
        self._alarms[place] = BeholdenError(code, message, next_step)


def _how(row: VolumeRow) -> str:
    return f"confirm it in the settings or with `beholden volume confirm {row.id} --deletion`"
