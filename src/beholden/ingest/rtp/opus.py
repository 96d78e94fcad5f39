"""Opus over RTP (RFC 7587): one Opus packet a payload, clock always 48 kHz."""

from __future__ import annotations

from beholden.ingest.rtp.audio import AudioDepacketiser

_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)
_LONGEST = 5760  # 120 ms


def packet_samples(packet: bytes) -> int:
    """Samples at 48 kHz in an Opus packet, from its TOC byte (RFC 6716 section 3.1); 0 if malformed."""
    if not packet:
        return 0
    config = packet[0] >> 3
    if config < 12:
        one = _SILK[config & 3]
    elif config < 16:
        one = _HYBRID[config & 1]
    else:
        one = _CELT[config & 3]
    code = packet[0] & 3
    if code == 3:
        frames = packet[1] & 63 if len(packet) > 1 else 0
    else:
        frames = 1 if code == 0 else 2
    samples = one * frames
    return samples if samples <= _LONGEST else 0


class OpusDepacketiser(AudioDepacketiser):
    """A payload is a frame."""

    def _payload(self, payload: bytes, stamp: int, hole: bool) -> None:
        samples = packet_samples(payload)
        if samples:
            self._on_frame(stamp, payload, samples, hole)
