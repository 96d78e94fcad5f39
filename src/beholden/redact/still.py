"""Tasks for worker processes that make a still as it may be seen. What they need is loaded there alone."""

from __future__ import annotations

from pathlib import Path

from beholden.model.errors import BeholdenError
from beholden.model.place import Point
from beholden.play.footage import read_bytes
from beholden.play.fragments import by_track, read_fragments
from beholden.play.tracks import parse_init

Polygons = tuple[tuple[Point, ...], ...]


def redact_file(path: str, masks: Polygons, blurred: bool) -> bytes:
    """The JPEG in a file, as it may be seen. BeholdenError ``event_not_found`` when it is gone."""
    try:
        jpeg = Path(path).read_bytes()
    except OSError:
        raise BeholdenError("event_not_found", "There is no such event, or it has no still.", "") from None
    return redact_jpeg(jpeg, masks, blurred)


def redact_jpeg(jpeg: bytes, masks: Polygons, blurred: bool) -> bytes:
    """A JPEG, as it may be seen; BeholdenError ``not_decodable`` when it is none."""
    import numpy as np

    from beholden.redact.picture import decoded_jpeg, redacted

    return redacted(decoded_jpeg(np.frombuffer(jpeg, np.uint8)), masks, blurred)


def redact_recorded(
    path: str, init: bytes, offset: int, size: int, at: int, tallest: int, masks: Polygons, blurred: bool
) -> bytes:
    """The newest picture at or before tick ``at`` of a GOP in a file, as it may be seen."""
    import numpy as np

    from beholden.play.picture import newest_picture
    from beholden.redact.picture import redacted

    track = next(track for track in parse_init(init) if track.handler == "vide")
    run = by_track(read_fragments(read_bytes(Path(path), offset, size)))[track.id]
    frame = newest_picture(track, run, at)
    scale = min(1.0, tallest / frame.height)
    columns, rows = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
    picture = np.asarray(frame.reformat(columns, rows, "bgr24").to_ndarray(), np.uint8)
    return redacted(picture, masks, blurred)
