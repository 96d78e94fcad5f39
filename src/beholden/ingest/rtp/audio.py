"""What the audio depacketisers share: frames with their RTP time and exact duration."""

from __future__ import annotations

from collections.abc import Callable

from beholden.ingest.rtp.packet import Sequence, parse_header

AudioSink = Callable[[int, bytes, int, bool], None]
"""Called with (RTP timestamp, frame, duration in samples, a packet was lost before it)."""


class AudioDepacketiser:
    """Base of all. Subclasses turn one payload into frames."""

    def __init__(self, payload_type: int, on_frame: AudioSink) -> None:
        self.payload_type = payload_type
        self.sequence = Sequence()
        self.packets = 0
        self._on_frame = on_frame

    def packet(self, data: bytes, start: int, end: int) -> None:
        """Take the RTP packet in ``data[start:end]``, whatever it is."""
        header = parse_header(data, start, end)
        if header is None or header[3] != self.payload_type:
            return
        start, end, _, _, sequence, stamp, ssrc = header
        use, hole = self.sequence.accept(sequence, ssrc)
        if use:
            self.packets += 1
            self._payload(data[start:end], stamp, hole)

    def in_turn(self, payload: bytes, stamp: int) -> None:
        """Take the payload of a packet with the number that was expected, which the caller counts."""
        self.packets += 1
        self._payload(payload, stamp, False)

    def _payload(self, payload: bytes, stamp: int, hole: bool) -> None:
        raise NotImplementedError
