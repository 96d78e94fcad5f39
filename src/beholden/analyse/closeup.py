"""The newest keyframe of a camera's main stream, for what is too small or far for its sub stream.

Only where a person asked for it (camera setting ``detect_main``): a large picture costs as much to decode
as a second of the small stream.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import cv2
import structlog

from beholden.analyse.decode import Decoded, DecodeError, Decoder
from beholden.analyse.hooks import Hooks
from beholden.analyse.note import DecodingNote
from beholden.model.media import AccessUnit, VideoFormat

log = structlog.get_logger()

_APART_MS = 400  # a look and a close-up further apart do not show the same moment
_OTHER_SHAPE = 0.05  # by how much width to height may differ: streams of another shape show another part


class CloseUp:
    """Filled with the main stream by the thread that reads the bus, stepped by the one that decodes, taken
    from by the one that detects. Holds one coded and one decoded picture at most."""

    def __init__(self, camera: int, hooks: Hooks, note: DecodingNote | None = None) -> None:
        self._camera = camera
        self._hooks = hooks
        self._note = note
        self._lock = threading.Lock()
        self._video: VideoFormat | None = None
        self._unit: AccessUnit | None = None
        self._decoder: Decoder | None = None
        self._picture: Decoded | None = None

    def put(self, item: Any) -> bool:
        """See ``Receives``: formats and keyframes count, all else is passed over."""
        with self._lock:
            if isinstance(item, VideoFormat):
                self._video, self._unit = item, None
            elif isinstance(item, AccessUnit) and item.key:
                self._unit = item
                return True
        return False

    @property
    def waiting(self) -> bool:
        """Whether a keyframe is there to be decoded or dropped."""
        return self._unit is not None

    def step(self, *, wanted: bool) -> None:
        """Decode the keyframe that waits, with the camera's mask; drop it when nobody ``wanted`` it."""
        with self._lock:
            unit, self._unit = self._unit, None
            video = self._video
        if unit is None or video is None or not wanted:
            return
        picture = self._decoded(video, unit)
        with self._lock:
            self._picture = picture

    def take(self, look: Decoded) -> Decoded | None:
        """The picture that shows the same moment and part as the one looked at, once; None without one."""
        with self._lock:
            picture = self._picture
            if picture is None or picture.at_ms > look.at_ms + _APART_MS:
                return None
            self._picture = None
        shape, other = picture.width / picture.height, look.width / look.height
        alike = abs(shape / other - 1) <= _OTHER_SHAPE and picture.width > look.width
        return picture if alike and look.at_ms - picture.at_ms <= _APART_MS else None

    def _decoded(self, video: VideoFormat, unit: AccessUnit) -> Decoded | None:
        try:
            if self._decoder is None or self._decoder.video != video:
                self._decoder = Decoder(video)
            with self._note.decoding(self._camera) if self._note else contextlib.nullcontext():
                pictures = self._decoder.decode_keyframe(unit.data(), unit.pts)
        except (DecodeError, cv2.error) as error:
            log.debug("a main stream's keyframe was left out", camera=self._camera, cause=str(error))
            self._decoder = None
            return None
        return self._hooks.masked(self._camera, pictures[-1]) if pictures else None
