"""What analysis is doing with a camera: shown to people, and relied on by recording on events."""

from __future__ import annotations

import enum


class AnalysisState(enum.StrEnum):
    """``watches`` says whether an event would be noticed."""

    WAITING = "waiting"  # no pictures arrive
    QUIET = "quiet"  # nothing moves: only keyframes are decoded, and the rest waits in memory
    FULL_RATE = "full_rate"  # every picture is decoded
    KEYFRAMES = "keyframes"  # only keyframes, as chosen for this camera
    OVERLOADED = "overloaded"  # only keyframes, because the CPU is short
    QUARANTINED = "quarantined"  # left alone after failures, and tried again

    @property
    def watches(self) -> bool:
        """Whether recording on events may rely on it; what is reduced against a wish may miss some."""
        return self in (AnalysisState.QUIET, AnalysisState.FULL_RATE, AnalysisState.KEYFRAMES)
