"""Uncompressed sound over RTP: G.711 (RFC 3551 section 4.5.14) and L16 (section 4.5.11), as it is."""

from __future__ import annotations

from beholden.ingest.rtp.audio import AudioDepacketiser, AudioSink


class PcmDepacketiser(AudioDepacketiser):
    """A payload is a frame. ``width`` is the bytes of one sample of one channel: 1 for G.711, 2 for L16."""

    def __init__(self, payload_type: int, on_frame: AudioSink, channels: int = 1, width: int = 1) -> None:
        super().__init__(payload_type, on_frame)
        self._step = channels * width

    def _payload(self, payload: bytes, stamp: int, hole: bool) -> None:
        samples = len(payload) // self._step
        if samples:
            self._on_frame(stamp, payload[: samples * self._step], samples, hole)
