"""What playback asks of a pass."""

from __future__ import annotations

from typing import Protocol

from beholden.model.access import Action


class Leave(Protocol):
    """Leave to take footage, as ``access.door.Pass`` is."""

    def require(self, camera: int, *actions: Action) -> None:
        """Raise unless it is for this camera and one of these actions."""
        ...
