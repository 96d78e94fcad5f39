"""Recorded sound through the ears of the analyser: levels second by second, as fast as it can be decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from beholden.analyse.decode import DecodeError
from beholden.analyse.listen import Ear
from beholden.analyse.recorded import pieces
from beholden.analyse.rerun import Seen
from beholden.model.media import AccessUnit, Track

log = structlog.get_logger()


class Rehear:
    """One camera's recordings; give it files in order of time. The last second of a file comes with the next
    one, which may have the rest of it."""

    def __init__(self) -> None:
        self._ear = Ear()

    def see(self, path: Path, beat: Callable[[], bool]) -> Seen | None:
        """Hear one file; OSError when it cannot be read, and what is damaged in it is left out. ``beat`` is
        called all along and says whether to go on; None when not."""
        heard = Seen()
        for piece in pieces(path):
            self._ear.put(piece.stream_format.audio)
            heard.sounds += self._hear(piece.units)
            if not beat():
                return None
        return heard

    def _hear(self, units: Sequence[AccessUnit]) -> list[tuple[int, float]]:
        for unit in units:
            if unit.track is Track.AUDIO:
                self._ear.put(unit)
        try:
            return [(each.second * 1000, each.level_db) for each in self._ear.seconds()]
        except DecodeError as error:
            log.warning("recorded sound is not heard", cause=str(error))
            return []
