"""How back-tests look at recorded files: at the pictures through the detector, or at the sound alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from beholden.analyse.detect.detector import Detector
from beholden.analyse.mask import Masks
from beholden.analyse.rehear import Rehear
from beholden.analyse.rerun import Rerun, Seen, renumbered, same_objects
from beholden.catalog.segments import Segment

_NUMBERS = 1 << 30  # of tracks: side-cars keep 32 bits
Roots = dict[int, Path]
"""Where each volume is, by its number."""


class Looker(Protocol):
    """Looks at a camera's files in order of time."""

    def rest(self) -> None:
        """The next file does not follow the last one looked at."""
        ...

    def at(
        self, segment: Segment, roots: Roots, before: tuple[Segment, Seen] | None, beat: Callable[[], bool]
    ) -> Seen | None:
        """What is in it; ``before`` is the file before it. None when ``beat`` says to stop. A missing
        volume's files show nothing. OSError."""
        ...


class SoundLooker:
    """A Looker that hears."""

    def __init__(self) -> None:
        self._rehear = Rehear()

    def rest(self) -> None:
        self._rehear = Rehear()

    def at(
        self,
        segment: Segment,
        roots: Roots,
        before: tuple[Segment, Seen] | None,  # noqa: ARG002 (each second is heard for itself)
        beat: Callable[[], bool],
    ) -> Seen | None:
        path = _path(segment, roots)
        return self._rehear.see(path, beat) if path is not None else Seen()


class PictureLooker:
    """A Looker that sees; its detector is made only when one is needed, and its Rerun anew behind a hole."""

    def __init__(self, camera: int, detector: Callable[[str], Detector], masks: Masks, model: str) -> None:
        self._camera = camera
        self._make = detector
        self._masks = masks
        self._model = model
        self._detector: Detector | None = None
        self._rerun: Rerun | None = None
        self._names: dict[int, int] = {}
        self._shift = 0

    def rest(self) -> None:
        self._rerun = None

    def at(
        self,
        segment: Segment,
        roots: Roots,
        before: tuple[Segment, Seen] | None,
        beat: Callable[[], bool],
    ) -> Seen | None:
        if self._rerun is None and not self._begin(roots, before, beat):
            return None
        assert self._rerun is not None
        path = _path(segment, roots)
        if path is None:
            return Seen()
        seen = self._rerun.see(path, beat)
        return seen and Seen(renumbered(seen.frames, self._names, self._shift), seen.faults)

    def _begin(
        self,
        roots: Roots,
        before: tuple[Segment, Seen] | None,
        beat: Callable[[], bool],
    ) -> bool:
        """Begin with the file before, when there is one, so that what is in view is known already."""
        self._detector = self._detector or self._make(self._model)
        self._rerun = Rerun(self._camera, self._detector, self._masks)
        self._names, self._shift = {}, 0
        path = _path(before[0], roots) if before is not None else None
        if before is None or path is None:
            return True
        again = self._rerun.see(path, beat)
        if again is None:
            return False
        first = before[1].frames[-1] if before[1].frames else None
        second = again.frames[-1] if again.frames else None
        self._names = same_objects(first, second)
        self._shift = before[0].key.start_ms // 1000 % _NUMBERS
        return True


def _path(segment: Segment, roots: dict[int, Path]) -> Path | None:
    root = roots.get(segment.volume)
    path = root / segment.key.path() if root is not None else None
    return path if path is not None and path.exists() else None
