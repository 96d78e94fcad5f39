"""What one pull has brought so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from beholden.model.media import StreamFormat


@dataclass(slots=True)
class SourceStatus:
    """Counters of one pull. Times are epoch ms; rates are those of the newest whole GOP.

    ``lost_packets`` are holes in the RTP sequence numbers, ``dropped_pictures`` the pictures left out
    because of them. ``clock_offset_ms`` is the camera's clock minus ours, by its RTCP sender reports.
    ``transport`` is tcp, udp or pyav. ``urgent`` says that what arrives must be read at once, because the
    kernel keeps too little of it to wait for a tick. ``bridging``: the camera's clock jumped, and until the
    next keyframe pictures are placed by their arrival.
    """

    connected: bool = False
    playing: bool = False
    transport: str = ""
    urgent: bool = False
    bridging: bool = False
    bytes: int = 0
    packets: int = 0
    lost_packets: int = 0
    dropped_pictures: int = 0
    pictures: int = 0
    last_unit_ms: int = 0
    newest_pts: int = 0
    clock_offset_ms: int | None = None
    fps: float | None = None
    gop_seconds: float | None = None
    kbps: float | None = None
    format: StreamFormat | None = None
    notes: list[str] = field(default_factory=list)
