"""The session description (RFC 8866) of a clip."""

from __future__ import annotations

from beholden.demo.clip import Clip


def describe(clip: Clip, host: str) -> str:
    """SDP text with one media section per track, controls ``track0``, ``track1``."""
    lines = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=Virtual camera", "c=IN IP4 0.0.0.0", "t=0 0"]
    lines += ["a=control:*", "a=range:npt=0-"]
    for track in clip.tracks:
        lines.append(f"m={track.kind} 0 RTP/AVP {track.payload_type}")
        lines.append(f"a=rtpmap:{track.payload_type} {track.rtpmap}")
        if track.fmtp:
            lines.append(f"a=fmtp:{track.payload_type} {track.fmtp}")
        lines.append(f"a=control:track{track.index}")
    return "\r\n".join(lines) + "\r\n"
