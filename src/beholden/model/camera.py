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


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """Where to pull a stream. ``url`` carries no user information; ``password`` is clear text in
    memory only and never printed."""

    url: str
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"StreamAddress({self.url!r}, username={self.username!r}, password=***)"


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """One camera as the catalog knows it, passwords decrypted.

    ``rev`` rises with every change. ``shard`` is the recorder process it lives in.
    ``analyse`` is "always", "keyframes" or "off".
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

    def address(self, role: StreamRole) -> StreamAddress | None:
        """The address of one of its streams; None when it has no such stream."""
        return self.main if role is StreamRole.MAIN else self.sub
