"""Whether cameras are read by compiled code throughout: the C library and the compiled modules."""

from __future__ import annotations

from dataclasses import dataclass

from beholden import native
from beholden.ingest.rtp import library


@dataclass(frozen=True, slots=True)
class HotPath:
    """``compiled``: both are used. ``why`` says in a sentence what is missing."""

    compiled: bool
    why: str


def hot_path() -> HotPath:
    """What this process uses."""
    chosen = library.chosen()
    if chosen.library is None:
        return HotPath(False, chosen.why)
    missing = native.why()
    return HotPath(not missing, missing or chosen.why)
