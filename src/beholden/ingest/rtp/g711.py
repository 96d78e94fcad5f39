"""G.711 over RTP (RFC 3551 section 4.5.14): one byte a sample and channel."""

from __future__ import annotations

from beholden.ingest.rtp.audio import AudioDepacketiser, AudioSink


class G711Depacketiser(AudioDepacketiser):
    """A payload is a frame, µ-law and A-law alike."""

    def __init__(self, payload_type: int, on_frame: AudioSink, channels: int = 1) -> None:
        super().__init__(payload_type, on_frame)
        self._channels = channels

    def _payload(self, payload: bytes, stamp: int, hole: bool) -> None:
        samples = len(payload) // self._channels
        if samples:
            self._on_frame(stamp, payload[: samples * self._channels], samples, hole)
