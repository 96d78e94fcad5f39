"""Recorded sound through the ears of the analyser: levels second by second, as fast as it can be decoded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import structlog

from beholden.analyse.decode import DecodeError
from beholden.analyse.listen import Ear
from beholden.analyse.rerun import Seen
from beholden.model.media import Track
from beholden.record.fmp4 import Mp4Error, parse_init, read_fragment, read_units, walk

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
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            layout = walk(fd)
            self._ear.put(parse_init(layout.init).audio)
            for ref in layout.fragments:
                heard.sounds += self._hear(read_fragment(fd, ref))
                if not beat():
                    return None
        except Mp4Error:
            return heard
        finally:
            os.close(fd)
        return heard

    def _hear(self, fragment: bytes) -> list[tuple[int, float]]:
        try:
            for unit in read_units(fragment):
                if unit.track is Track.AUDIO:
                    self._ear.put(unit)
            return [(each.second * 1000, each.level_db) for each in self._ear.seconds()]
        except (Mp4Error, DecodeError) as error:
            log.warning("recorded sound is not heard", cause=str(error))
            return []
