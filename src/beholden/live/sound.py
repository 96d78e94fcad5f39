"""Whether a stream that has a sound track really sends sound."""

from __future__ import annotations

from collections.abc import Sequence

from beholden.model.media import AccessUnit, Track
from beholden.model.time import TICKS_PER_SECOND

# Pictures this far on without sound: it has stopped. A browser waits for the track that is behind, so the
# picture would stand still too.
SILENCE_TICKS = 2 * TICKS_PER_SECOND


class SoundWatch:
    """Tells when sound stops and when it is back. ``on`` says whether to send it."""

    def __init__(self) -> None:
        self.on = True
        self._since: int | None = None  # the newest picture when sound was last heard

    def changed(self, units: Sequence[AccessUnit]) -> bool:
        """Whether ``on`` has just changed with these units."""
        pictures = [unit.pts for unit in units if unit.track is Track.VIDEO]
        heard = any(unit.track is Track.AUDIO for unit in units)
        newest = max(pictures, default=self._since or 0)
        if heard or self._since is None or newest < self._since:
            self._since = newest
        on = heard or (self.on and newest - self._since <= SILENCE_TICKS)
        changed, self.on = on != self.on, on
        return changed
