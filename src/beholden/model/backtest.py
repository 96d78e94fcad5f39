"""Trying a rule, or a model, on recorded days."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from beholden.model.event import Box, EventKind


class BacktestState(enum.StrEnum):
    """QUEUED and RUNNING go on by themselves after a restart; the others are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Found:
    """Something a back-test would have reported."""

    kind: EventKind
    start_ms: int
    end_ms: int
    score: float
    box: Box
    detail: Mapping[str, str | float] = field(default_factory=dict)
