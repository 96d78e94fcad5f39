"""Cameras, their streams, and the states a person is shown."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class StreamRole(enum.IntEnum):
    """MAIN is recorded; SUB is analysed and shown small."""

    MAIN = 0
    SUB = 1


class StreamState(enum.StrEnum):
    """What a stream's session is doing now."""

    CONNECTING = "connecting"
    LIVE = "live"  # whole fragments arrive
    STALLED = "stalled"  # connected, but no complete picture for a while
    OFFLINE = "offline"  # not reachable; waiting to try again
    REFUSED = "refused"  # the camera refused the login, path or transport
    UNSUPPORTED = "unsupported"  # not RTSP, or no codec we can record
    STOPPED = "stopped"  # not being pulled (disabled, or the recorder is not running)


class Transport(enum.StrEnum):
    """How RTP travels from a camera."""

    AUTO = "auto"  # TCP, and UDP when the camera refuses TCP
    TCP = "tcp"
    UDP = "udp"


CERTIFICATE = ("verify", "any", "sha256:")
"""What an rtsps camera's certificate must be: trusted by this machine's authorities and made for its host
name; anything (encrypted, but nobody knows for whom); or the one with this SHA-256, 64 hexadecimal digits."""


class RecordingMode(enum.StrEnum):
    """When a camera that records keeps what it sends."""

    CONTINUOUS = "continuous"
    EVENTS = "events"  # around events, from ``pre_seconds`` before to ``post_seconds`` after
    SCHEDULE = "schedule"  # as its windows say; nothing outside


@dataclass(frozen=True, slots=True)
class RecordingWindow:
    """A stretch of each week in site time: ``weekday`` 0 is Monday, minutes of the day by the wall clock,
    ``to_minute`` exclusive (1440 is midnight). ``mode`` is CONTINUOUS or EVENTS."""

    weekday: int
    from_minute: int
    to_minute: int
    mode: RecordingMode


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """Where and how to pull a stream. ``url`` carries no user information; ``password`` is clear text in
    memory only and never printed. ``certificate`` is one of ``CERTIFICATE`` and matters to rtsps alone."""

    url: str
    username: str = ""
    password: str = ""
    transport: Transport = Transport.AUTO
    certificate: str = "verify"

    def __repr__(self) -> str:
        return f"StreamAddress({self.url!r}, username={self.username!r}, password=***)"


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """One camera as the catalog knows it, passwords decrypted.

    ``rev`` rises with every change. ``shard`` is the recorder process it lives in.
    ``analyse`` is "balanced" (keyframes while nothing happens), "always", "keyframes" or "off". Footage is
    kept for ``keep_days``; parts with events for ``keep_event_days``; nothing but a hold outlives
    ``max_days``; its oldest leaves beyond ``max_bytes``. ``memory_bytes`` bounds its memory in the recorder
    (None: the recorder's default). With ``listen`` its sound is analysed: levels and loud moments, never what
    is said. With ``detect_main`` the detector is also shown parts of the main stream's keyframes.
    """

    id: int
    name: str
    main: StreamAddress
    sub: StreamAddress | None
    enabled: bool
    record: bool
    record_audio: bool
    analyse: str
    keep_days: float
    shard: int
    rev: int
    created_ms: int
    mode: RecordingMode = RecordingMode.CONTINUOUS
    pre_seconds: int = 5
    post_seconds: int = 10
    windows: tuple[RecordingWindow, ...] = ()
    keep_event_days: float | None = None
    max_days: float | None = None
    max_bytes: int | None = None
    memory_bytes: int | None = None
    listen: bool = False
    detect_main: bool = False

    def address(self, role: StreamRole) -> StreamAddress | None:
        """The address of one of its streams; None when it has no such stream."""
        return self.main if role is StreamRole.MAIN else self.sub
