"""What is in view in one analysed picture: the only thing rules and back-tests ever see of a camera.

Both are a function of these frames and nothing else, so that what a back-test reports is what would have
been reported.
"""

from __future__ import annotations

from dataclasses import dataclass

from beholden.model.event import Box, ObjectClass


@dataclass(frozen=True, slots=True)
class TrackedObject:
    """One object in view. ``track`` is a number local to its camera that stays through short occlusions and
    means nothing once the object has left. ``stationary``: it has not moved for so long that it counts as
    part of the scene (a parked car)."""

    track: int
    kind: ObjectClass
    score: float
    box: Box
    stationary: bool


@dataclass(frozen=True, slots=True)
class TrackedFrame:
    """Everything in view of a camera at ``at_ms`` (epoch milliseconds of the picture).

    Objects that rest are in it too, with the last box known, though the detector may not have looked at them
    again. Frames of a camera come in order of time: at every look of the detector, and at least about once a
    second while anything is in view; an empty one says that the last object has left.
    """

    camera: int
    at_ms: int
    objects: tuple[TrackedObject, ...]
