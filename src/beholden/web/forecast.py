"""How long the storage will do: capacity against what cameras write and promise to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from beholden.catalog.segments import DAY_MS, Kept
from beholden.catalog.volumes import VolumeRow
from beholden.model.camera import CameraConfig, RecordingMode

# A rate from less footage than this says more about the moment than about the camera.
_ENOUGH_MS = 10 * 60_000
_HALVINGS = 60

Recorded = tuple[CameraConfig, Kept]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a forecast needs of one volume that can be used. Sizes in bytes."""

    volume: VolumeRow
    footage_bytes: int
    free_bytes: int

    @property
    def room(self) -> int:
        """What it may still take."""
        room = max(0, self.free_bytes - self.volume.floor_bytes)
        limit = self.volume.limit_bytes
        return room if limit is None else max(0, min(room, limit - self.footage_bytes))

    @property
    def capacity(self) -> int:
        """What footage may take of it at all."""
        limit = self.volume.limit_bytes
        capacity = self.footage_bytes + self.room
        return capacity if limit is None else min(capacity, limit)


@dataclass(frozen=True, slots=True)
class Forecast:
    """``kept_days``: how many days of all cameras fit. ``full_in_days``: until footage must leave early, for
    the next tier or for good; None when what it is to hold fits. Both None while no rate is known."""

    kept_days: float | None
    full_in_days: float | None


@dataclass(frozen=True, slots=True)
class Promise:
    """A camera's days against all storage. ``kept_days``: how many of them fit. ``breaks_in_days``: until
    footage is first deleted before they are over; None when it will not be, or no rate is known."""

    kept_days: float | None
    breaks_in_days: float | None


def bytes_per_day(camera: CameraConfig, kept: Kept) -> float:
    """What a camera writes in a day; 0 while too little is known.

    A continuous recording is taken as uninterrupted, so that an outage makes no forecast rosy; one on events
    or by schedule as it was over the days it has run.
    """
    if kept.footage_ms < _ENOUGH_MS:
        return 0.0
    lasted = kept.footage_ms
    if (
        camera.mode is not RecordingMode.CONTINUOUS
        and kept.oldest_ms is not None
        and kept.newest_ms is not None
    ):
        lasted = max(lasted, kept.newest_ms - kept.oldest_ms)
    return kept.size / lasted * DAY_MS


def forecast(shelf: Shelf, shelves: Sequence[Shelf], cameras: Iterable[Recorded]) -> Forecast:
    """For one volume among all. What it is to hold begins at the age at which the tier before it lets go and
    ends at the age at which it lets go itself, or with the promise."""
    sources = _recorded(cameras)
    daily = sum(rate for rate, _, _ in sources) / sum(s.volume.tier == shelf.volume.tier for s in shelves)
    if daily <= 0:
        return Forecast(None, None)
    tiers = sorted({each.volume.tier for each in shelves})
    first, last = _due_files(shelf, shelves, tiers)
    share = daily / sum(rate for rate, _, _ in sources)
    wanted = share * sum(rate * max(0.0, min(camera.keep_days, last) - first) for rate, camera, _ in sources)
    full = shelf.room / daily if wanted > shelf.capacity else None
    return Forecast(shelf.capacity / daily, full)


def promises(shelves: Iterable[Shelf], cameras: Iterable[Recorded]) -> dict[int, Promise]:
    """Each recorded camera's promise against all volumes together: what one tier cannot hold, the next does.

    Space is taken from the oldest footage of all cameras, so those that promise the longest break first.
    """
    shelves, cameras = list(shelves), list(cameras)
    sources = _recorded(cameras)
    known = sum(kept.size for _, _, kept in sources)
    others = sum(shelf.footage_bytes for shelf in shelves) - known
    capacity = sum(shelf.capacity for shelf in shelves) - max(0, others)

    def held(rate: float, camera: CameraConfig, days: float) -> float:
        size = rate * min(camera.keep_days, days)
        return size if camera.max_bytes is None else min(size, camera.max_bytes)

    def at_days(days: float) -> float:
        return sum(held(rate, camera, days) for rate, camera, _ in sources)

    def after(days: float) -> float:
        return sum(held(rate, camera, kept.size / rate + days) for rate, camera, kept in sources)

    longest = max((camera.keep_days for _, camera, _ in sources), default=0.0)
    fits = _solve(at_days, capacity, longest)
    full = _solve(after, capacity, longest)
    found = {camera.id: Promise(None, None) for camera, _ in cameras}
    for rate, camera, kept in sources:
        found[camera.id] = _promise(rate, camera, kept, fits, full)
    return found


def _promise(
    rate: float, camera: CameraConfig, kept: Kept, fits: float | None, full: float | None
) -> Promise:
    days, breaks = camera.keep_days, []
    if fits is not None and fits < days and full is not None:
        days = fits
        breaks.append(full)
    if camera.max_bytes is not None and camera.max_bytes / rate < camera.keep_days:
        days = min(days, camera.max_bytes / rate)
        breaks.append(max(0.0, (camera.max_bytes - kept.size) / rate))
    return Promise(days, min(breaks, default=None))


def _recorded(cameras: Iterable[Recorded]) -> list[tuple[float, CameraConfig, Kept]]:
    return [
        (rate, camera, kept)
        for camera, kept in cameras
        if camera.enabled and camera.record and (rate := bytes_per_day(camera, kept)) > 0
    ]


def _due_files(shelf: Shelf, shelves: Sequence[Shelf], tiers: list[int]) -> tuple[float, float]:
    """The ages in days between which footage lies on this volume."""
    first = 0.0
    for tier in tiers[: tiers.index(shelf.volume.tier)]:
        moved = [s.volume.move_after_days for s in shelves if s.volume.tier == tier]
        first = max([first, *(days for days in moved if days is not None)])
    after = shelf.volume.move_after_days
    is_last = shelf.volume.tier == tiers[-1]
    return first, float("inf") if is_last or after is None else max(after, first)


def _solve(size: Callable[[float], float], capacity: float, longest: float) -> float | None:
    """The smallest number of days whose size is over the capacity; None when none up to the longest is."""
    if size(longest) <= capacity:
        return None
    low, high = 0.0, longest
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if size(middle) <= capacity else (low, middle)
    return high
