"""The fallback source, loaded only when a camera needs it: FFmpeg's libraries are large."""

from __future__ import annotations

from beholden.ingest.source import Source
from beholden.model.camera import StreamAddress
from beholden.model.media import StreamSink
from beholden.model.time import Clock


def fallback_source(address: StreamAddress, sink: StreamSink, clock: Clock, *, after_pts: int = 0) -> Source:
    """A ``SourceFactory`` for ``PyAvSource``."""
    from beholden.ingest.pyav import PyAvSource

    return PyAvSource(address, sink, clock, after_pts=after_pts)
