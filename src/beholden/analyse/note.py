"""Which camera was being decoded when the process died: a few bytes on disk that outlive a crash.

A decoder that is fed garbage may take the whole process with it. The note is a mapped file, so marking it
costs no system call, and what was written last is still there after a segmentation fault.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import structlog

from beholden.model.time import Clock

log = structlog.get_logger()

_NOTE, _STRIKES = "decoding.note", "decoding.strikes.json"
_SLOT = struct.Struct("<q")
_PAUSES = (10.0, 60.0, 600.0, 3600.0)  # seconds, after the first, second, … crash
_FORGIVEN_MS = 3_600_000  # an hour without a crash


class DecodingNote:
    """Read once at the start, written all the time. All calls to ``decoding`` come from one thread."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """``folder`` must exist. A note that cannot be kept is done without: it costs safety, not sight."""
        self._folder = folder
        self._clock = clock
        self._slot: mmap.mmap | None = None
        self._strikes = self._read_strikes()
        try:
            self._open(folder / _NOTE)
        except (OSError, ValueError) as error:
            log.warning("no note is kept of what is decoded", cause=str(error))

    def pauses(self) -> dict[int, float]:
        """Seconds for which cameras are to be left alone because the process died while it decoded them."""
        now = self._clock.now_ms()
        left = {
            camera: _PAUSES[min(count, len(_PAUSES)) - 1] - (now - at_ms) / 1000
            for camera, (count, at_ms) in self._strikes.items()
        }
        return {camera: seconds for camera, seconds in left.items() if seconds > 0}

    @contextlib.contextmanager
    def decoding(self, camera: int) -> Iterator[None]:
        """While a camera's pictures are being decoded."""
        if self._slot is None:
            yield
            return
        _SLOT.pack_into(self._slot, 0, camera)
        try:
            yield
        finally:
            _SLOT.pack_into(self._slot, 0, 0)

    def close(self) -> None:
        """End in good order."""
        if self._slot is not None:
            self._slot.close()
            self._slot = None

    def _open(self, path: Path) -> None:
        fresh = not path.exists() or path.stat().st_size != _SLOT.size
        if fresh:
            path.write_bytes(bytes(_SLOT.size))
        with path.open("r+b") as file:
            self._slot = mmap.mmap(file.fileno(), _SLOT.size)
        (camera,) = _SLOT.unpack_from(self._slot, 0)
        if camera:
            self._strike(camera)
            _SLOT.pack_into(self._slot, 0, 0)

    def _strike(self, camera: int) -> None:
        now = self._clock.now_ms()
        count, at_ms = self._strikes.get(camera, (0, 0))
        self._strikes[camera] = (count + 1 if now - at_ms < _FORGIVEN_MS else 1, now)
        log.warning(
            "the analyser died while it decoded a camera", camera=camera, times=self._strikes[camera][0]
        )
        text = json.dumps({str(number): strike for number, strike in self._strikes.items()})
        with contextlib.suppress(OSError):
            (self._folder / _STRIKES).write_text(text, encoding="utf-8")

    def _read_strikes(self) -> dict[int, tuple[int, int]]:
        try:
            stored = json.loads((self._folder / _STRIKES).read_text(encoding="utf-8"))
            found = {int(camera): (int(count), int(at_ms)) for camera, (count, at_ms) in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}
        now = self._clock.now_ms()
        return {
            camera: each for camera, each in found.items() if now - each[1] < _FORGIVEN_MS and each[0] > 0
        }
