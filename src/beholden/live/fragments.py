"""Access units as they arrive, packed for a browser: an init segment, then fragments of a picture or more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from beholden.model.media import AccessUnit, StreamFormat, Track
from beholden.model.time import TICKS_PER_SECOND
from beholden.play.ability import AudioWay, Rendition
from beholden.play.convert import converted_init
from beholden.play.flac import FlacConverter
from beholden.play.fragments import Run, Sample, build_fragment
from beholden.play.tracks import TrackDescription, parse_init
from beholden.record import fmp4
from beholden.record.fmp4.boxes import AUDIO_TRACK

_USUAL_PICTURE = TICKS_PER_SECOND // 25
_LONGEST_PICTURE = TICKS_PER_SECOND


class Packager:
    """One viewer's stream in one format. ``init`` is sent first; ``pack`` makes fragments.

    The length of a newest picture is not known yet and taken to be that of the one before it; the next
    fragment states its own time, so nothing drifts.
    """

    def __init__(self, stream_format: StreamFormat, audio: AudioWay) -> None:
        recorded = fmp4.build_init(stream_format)
        self._flac: FlacConverter | None = None
        if audio == "flac":
            self._flac = FlacConverter(_sound(parse_init(recorded)))
            self.init = converted_init(recorded, Rendition("copy", "flac"))
        elif audio == "none":
            self.init = fmp4.build_init(replace(stream_format, audio=None))
        else:
            self.init = recorded
        self._audio = audio
        self._writer = fmp4.FragmentWriter()
        self._sequence = 0
        self._last_pts = 0
        self._picture = _USUAL_PICTURE

    def pack(self, units: Sequence[AccessUnit]) -> bytes:
        """The units as one piece for the browser, in decode order; empty when there is nothing to send."""
        video = [unit for unit in units if unit.track is Track.VIDEO]
        audio = [unit for unit in units if unit.track is Track.AUDIO] if self._audio != "none" else []
        parts: list[bytes] = []
        if video:
            self._measure(video)
            with_audio = audio if self._flac is None else []
            newest = max(unit.pts for unit in video)
            parts += self._writer.fragment(video, with_audio, newest + self._picture).parts
        if audio and (self._flac is not None or not video):
            parts.append(self._sound(audio))
        return b"".join(parts)

    def _measure(self, video: Sequence[AccessUnit]) -> None:
        for unit in video:
            step = unit.pts - self._last_pts
            if 0 < step <= _LONGEST_PICTURE:
                self._picture = step
            self._last_pts = unit.pts

    def _sound(self, audio: Sequence[AccessUnit]) -> bytes:
        run = Run(AUDIO_TRACK, audio[0].pts, [Sample(unit.data(), max(1, unit.duration)) for unit in audio])
        converted = self._flac.convert(run) if self._flac is not None else run
        if converted is None:
            return b""
        self._sequence += 1
        return build_fragment(self._sequence, [converted])


def _sound(tracks: Sequence[TrackDescription]) -> TrackDescription:
    return next(track for track in tracks if track.handler == "soun")
