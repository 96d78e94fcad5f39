"""Where best stills of events lie: the analyser writes them, the web role shows, the recorder deletes."""

from __future__ import annotations

from pathlib import Path

from beholden.model.time import from_ms


def still_path(stills: Path, camera: int, start_ms: int, event_id: int) -> Path:
    """``cam-3/2026-11-23/17.jpg`` in the folder of stills: the UTC date is that of the event's start."""
    return stills / f"cam-{camera}" / f"{from_ms(start_ms):%Y-%m-%d}" / f"{event_id}.jpg"
