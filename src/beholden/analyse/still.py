"""Best stills of events: whole pictures as the camera made them, nothing drawn into them."""

from __future__ import annotations

import os
from pathlib import Path

import cv2

from beholden.analyse.detect.detector import Picture

_QUALITY = 85


def write_still(path: Path, picture: Picture) -> int:
    """Write a JPEG in place of an older one, whole or not at all; returns its size. May raise OSError."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise OSError("the still could not be encoded")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            file.write(data.tobytes())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    return int(data.size)
