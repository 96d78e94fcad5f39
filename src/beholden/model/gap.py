"""Why footage is missing. Every gap has one of these causes (recorder rule 5)."""

from __future__ import annotations

import enum


class GapCause(enum.StrEnum):
    """Stored with the gap and shown on the timeline in words."""

    CAMERA_LOST = "camera_lost"  # the connection broke or was refused
    CAMERA_STALLED = "camera_stalled"  # connected, nothing complete arrived
    NETWORK = "network"  # the way to the camera is broken: no route, no name, an interface that is down
    LOGIN_REFUSED = "login_refused"
    STREAM_UNSUPPORTED = "stream_unsupported"
    DISK_SLOW = "disk_slow"
    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"
    RECORDER_STOPPED = "recorder_stopped"  # an orderly stop
    RECORDER_CRASHED = "recorder_crashed"  # found at the next start
    RECORDING_OFF = "recording_off"  # a person switched it off
    RULE_OFF = "rule_off"  # its recording mode keeps nothing at this time
    DELETED = "deleted"  # the detail says by whom, or by which rule of retention
    CLOCK_STEPPED = "clock_stepped"
    FILE_MISSING = "file_missing"  # indexed once, not on disk any more
