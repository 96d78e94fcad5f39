"""What back-tests saw and heard in footage, kept while they need it: one file a segment, deleted with it.

Boxes are packed as in the side-cars of live analysis (``model.boxes``): there is no field for more.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from beholden.analyse.rerun import Seen
from beholden.model.boxes import pack_frames, unpack_frames
from beholden.model.camera import StreamRole
from beholden.model.rule import CameraFault
from beholden.model.segment import SegmentKey

FOLDER = "backtests"
SOUND = "sound"
_NAME = re.compile(r"(\d+)-(\d+)\.seen")
_HEAD = struct.Struct(">4sI")
_MAGIC = b"BHS2"


class SeenFiles:
    """Those of one camera and one way of looking (see ``by_model``; or ``SOUND``)."""

    def __init__(self, data_dir: Path, camera: int, way: str) -> None:
        self._folder = data_dir / FOLDER / f"cam-{camera}" / way
        self._camera = camera

    def load(self, key: SegmentKey) -> Seen | None:
        """What was seen in a segment; None when it was not looked at yet, or the file is damaged."""
        try:
            data = self._path(key).read_bytes()
            magic, size = _HEAD.unpack_from(data)
            if magic != _MAGIC:
                return None
            told = json.loads(data[_HEAD.size : _HEAD.size + size])
            faults = [(at_ms, tuple(map(CameraFault, found))) for at_ms, found in told["faults"]]
            sounds = [(int(at_ms), float(level_db)) for at_ms, level_db in told["sounds"]]
            frames = list(unpack_frames(self._camera, key.start_ms - 60_000, data[_HEAD.size + size :]))
        except (OSError, ValueError, TypeError, KeyError, struct.error):
            return None
        return Seen(frames, faults, sounds)

    def save(self, key: SegmentKey, seen: Seen) -> None:
        """Keep it; whole or not at all. May raise OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        faults = [[at_ms, [one.value for one in found]] for at_ms, found in seen.faults]
        told = json.dumps({"faults": faults, "sounds": seen.sounds}).encode()
        frames = [frame for frame in seen.frames if frame.at_ms >= key.start_ms - 60_000]
        boxes = pack_frames(key.start_ms - 60_000, frames)
        draft = self._path(key).with_suffix(".new")
        draft.write_bytes(_HEAD.pack(_MAGIC, len(told)) + told + boxes)
        draft.replace(self._path(key))

    def _path(self, key: SegmentKey) -> Path:
        return self._folder / f"{key.start_ms}-{key.epoch}.seen"


def by_model(model: str) -> str:
    """Looking with this detector model; ``""``: with the default one."""
    return f"model-{model}" if model else "default"


def tidy(data_dir: Path, exists: Iterable[SegmentKey]) -> int:
    """Delete what was seen in footage that is not among ``exists`` any more; returns how many files."""
    kept = set(exists)
    gone = [path for path, key in all_files(data_dir) if key not in kept]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def all_files(data_dir: Path) -> Iterator[tuple[Path, SegmentKey]]:
    """Every such file and the segment it is about."""
    for path in sorted((data_dir / FOLDER).glob("cam-*/*/*.seen")):
        named = _NAME.fullmatch(path.name)
        camera = path.parts[-3].removeprefix("cam-")
        if named is not None and camera.isdecimal():
            yield path, SegmentKey(int(camera), StreamRole.MAIN, int(named[1]), int(named[2]))
