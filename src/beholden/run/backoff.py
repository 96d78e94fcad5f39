"""How long to wait before starting again what died."""

from __future__ import annotations

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
# A process that lived this long was well: its next death is a new story.
WELL_AFTER_SECONDS = 10.0


class Backoff:
    """The first death costs no wait; each further one at once doubles it, up to half a minute.

    It never gives up: a camera system that stays down because it was down five times is worse than
    one that keeps trying.
    """

    def __init__(self) -> None:
        self._deaths = 0

    def died(self, lived_seconds: float) -> float:
        """Note a death and return the seconds to wait before the next start."""
        if lived_seconds >= WELL_AFTER_SECONDS:
            self._deaths = 0
        self._deaths += 1
        if self._deaths == 1:
            return 0.0
        # The exponent is bounded so that a year of deaths does not overflow a float.
        return min(FIRST_SECONDS * 2.0 ** min(self._deaths - 2, 16), LONGEST_SECONDS)
