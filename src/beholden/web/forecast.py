"""How long the storage will do: capacity against what cameras write and promise to keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from beholden.catalog.segments import DAY_MS, Kept
from beholden.model.camera import CameraConfig

# A rate from less footage than this says more about the moment than about the camera.
_ENOUGH_MS = 10 * 60_000


@dataclass(frozen=True, slots=True)
class Forecast:
    """``kept_days``: how many days of all cameras fit. ``full_in_days``: until the floor is reached and
    retention must delete early; None when what is promised fits. Both None while no rate is known."""

    kept_days: float | None
    full_in_days: float | None


def bytes_per_day(kept: Kept) -> float:
    """What a camera writes in a day of uninterrupted recording; 0 while too little is known."""
    return kept.size / kept.footage_ms * DAY_MS if kept.footage_ms >= _ENOUGH_MS else 0.0


def forecast(
    footage_bytes: int,
    free_bytes: int,
    floor_bytes: int,
    cameras: Iterable[tuple[CameraConfig, Kept]],
) -> Forecast:
    """For one volume that all cameras write to.

    Capacity is what footage has plus what it may still take. Promised is the sum over recorded cameras
    of bytes a day times days to keep; the volume fills only when that exceeds capacity.
    """
    rates = [
        (bytes_per_day(kept), camera.keep_days)
        for camera, kept in cameras
        if camera.enabled and camera.record
    ]
    daily = sum(rate for rate, _ in rates)
    if daily <= 0:
        return Forecast(None, None)
    room = max(0, free_bytes - floor_bytes)
    capacity = footage_bytes + room
    promised = sum(rate * days for rate, days in rates)
    return Forecast(capacity / daily, room / daily if promised > capacity else None)
