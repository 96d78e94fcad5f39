"""Rights are camera x action."""

from __future__ import annotations

import enum


class Action(enum.StrEnum):
    """What a user may do with a camera's footage, each granted on its own."""

    LIVE = "live"
    PLAYBACK = "playback"
    STILL = "still"
    DOWNLOAD = "download"
    CLEAR = "clear"  # see people in stills as they are, not hidden; shows nothing without STILL


class Role(enum.StrEnum):
    """ADMIN may do everything and change settings; VIEWER only what is granted."""

    ADMIN = "admin"
    VIEWER = "viewer"
