"""What people say of events, and what follows from it."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    """MISSED stands for itself, with a drawn box; the others belong to an event."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``of``, and the interval in which the true share lies with 95 % confidence (Wilson): wide
    for few samples, never outside 0..1. ``of`` is at least 1."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share itself, 0..1."""
        return self.hits / self.of

    def interval(self) -> tuple[float, float]:
        """(low, high), 0..1."""
        z2 = _Z * _Z
        middle = (self.hits + z2 / 2) / (self.of + z2)
        spread = _Z / (self.of + z2) * math.sqrt(self.hits * (self.of - self.hits) / self.of + z2 / 4)
        return max(0.0, middle - spread), min(1.0, middle + spread)


_Z = 1.959963984540054  # 95 %
