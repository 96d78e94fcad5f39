"""Why footage is deleted: the rules of retention, in the order in which they win."""

from __future__ import annotations

import enum


class Reason(enum.StrEnum):
    """Stored with the mark of a file that leaves, and in the journal when it is gone."""

    ASKED = "asked"  # a person removed the camera with its footage
    TOO_OLD = "too_old"  # the days its camera keeps are over
    HARD_MAXIMUM = "hard_maximum"  # the hard maximum age of its camera
    CAMERA_SHARE = "camera_share"  # its camera has used up its share of storage
    VOLUME_LIMIT = "volume_limit"  # its volume may not hold more
    SPACE = "space"  # the free space its volume keeps was not there
    LOST = "file_missing"  # its file was not on the disk any more


_WORDS = {
    Reason.ASKED: "Deleted because it was asked for.",
    Reason.TOO_OLD: "Deleted by retention: its days were over; older parts stay for an event or a hold.",
    Reason.HARD_MAXIMUM: "Deleted by retention: it reached the camera's hard maximum age.",
    Reason.CAMERA_SHARE: "Deleted by retention before its days were over: the camera's share was used up.",
    Reason.VOLUME_LIMIT: "Deleted by retention before its days were over: the storage reached its limit.",
    Reason.SPACE: "Deleted by retention before its days were over: the disk needed room.",
    Reason.LOST: "The recorded file is no longer on the disk.",
}


def words(reason: Reason) -> str:
    """For the detail of a gap: by whom or by which rule."""
    return _WORDS[reason]
