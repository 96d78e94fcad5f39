"""The process that converts one live stream to H.264: ``python -m beholden.live.transcoder``.

It ends when its standard input does, so it never outlives who started it.
"""

from __future__ import annotations

import signal
import sys
from typing import BinaryIO

from beholden.live.transcode import HEADER, INIT, PICTURE
from beholden.model.media import StreamFormat
from beholden.play.picture import H264Encoder, VideoDecoder, browser_size
from beholden.play.tracks import parse_init
from beholden.record import fmp4

_ARRIVALS_KEPT = 256


class Transcoder:
    """Pictures in, H.264 out, times and arrivals kept."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._decoder: VideoDecoder | None = None
        self._encoder: H264Encoder | None = None
        self._arrivals: dict[int, int] = {}
        self._newest = -1

    def begin(self, init: bytes) -> None:
        """Pictures are of this format from now on."""
        track = parse_init(init)[0]
        self._decoder = VideoDecoder(track, low_delay=True)
        self._encoder = H264Encoder(*browser_size(track.width, track.height))
        self._newest = -1
        made = fmp4.build_init(StreamFormat(self._encoder.format))
        self._send(INIT, False, 0, 0, made)

    def picture(self, data: bytes, time: int, arrival_ms: int) -> None:
        """One coded picture."""
        if self._decoder is None or self._encoder is None:
            return
        self._arrivals[time] = arrival_ms
        while len(self._arrivals) > _ARRIVALS_KEPT:
            del self._arrivals[next(iter(self._arrivals))]
        for frame in self._decoder.decode(data, time):
            shown = int(frame.pts if frame.pts is not None else time)
            if shown <= self._newest and self._newest - shown < 90_000:
                shown = self._newest + 1
            for coded_time, coded_key, coded in self._encoder.encode(frame, shown, key=frame.key_frame):
                arrival = self._arrivals.get(coded_time, arrival_ms)
                self._send(PICTURE, coded_key, coded_time, arrival, coded)
            self._newest = shown

    def _send(self, kind: int, key: bool, time: int, arrival_ms: int, body: bytes) -> None:
        self._out.write(HEADER.pack(len(body), kind, key, time, arrival_ms) + body)
        self._out.flush()


def serve(source: BinaryIO, out: BinaryIO) -> None:
    """Convert until the source ends."""
    transcoder = Transcoder(out)
    while len(head := source.read(HEADER.size)) == HEADER.size:
        size, kind, _, time, arrival_ms = HEADER.unpack(head)
        body = source.read(size)
        if len(body) < size:
            return
        if kind == INIT:
            transcoder.begin(body)
        else:
            transcoder.picture(body, time, arrival_ms)


def main() -> None:
    """Entry point."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; our input's end is the sign
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        sys.stderr.close()


if __name__ == "__main__":
    main()
