"""The settings of a volume as options give them."""

from __future__ import annotations

from typing import Any

from beholden.cli.sizes import days_or_none, parse_size, size_or_none


def given_settings(
    floor: str | None, limit: str | None, move_after: str | None, sync: float | None
) -> dict[str, Any]:
    """Those that are given, as the catalog takes them; ``none`` takes a limit or an age away."""
    found: dict[str, Any] = {}
    if floor is not None:
        found["floor_bytes"] = parse_size(floor)
    if limit is not None:
        found["limit_bytes"] = size_or_none(limit)
    if move_after is not None:
        found["move_after_days"] = days_or_none(move_after)
    if sync is not None:
        found["sync_seconds"] = sync
    return found
