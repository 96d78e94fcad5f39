"""Access units to fMP4 fragments for Media Source Extensions, as they come."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from beholden.model.media import AccessUnit, StreamFormat, Track
from beholden.model.time import TICKS_PER_SECOND
from beholden.play.ability import AudioWay
from beholden.play.flac import FlacConverter
from beholden.play.fragments import Run, Sample, build_fragment
from beholden.play.tracks import TrackDescription, build_init, tracks_of
from beholden.record.fmp4.boxes import AUDIO_TRACK, VIDEO_TRACK

_USUAL = TICKS_PER_SECOND // 25
_REMEMBERED = 16
_LONGEST = 2 * TICKS_PER_SECOND


class FragmentBuilder:
    """Builds the fragments of one format for one viewer. Decode times are those of the recording."""

    def __init__(self, stream_format: StreamFormat, audio: AudioWay = "copy") -> None:
        self.format = stream_format
        tracks = tracks_of(stream_format)
        self._flac: FlacConverter | None = None
        if stream_format.audio is not None and audio == "none":
            tracks = tracks[:1]
        elif stream_format.audio is not None and audio == "flac":
            self._flac = FlacConverter(tracks[1])
            tracks[1] = self._flac.track
        self._tracks: list[TrackDescription] = tracks
        names = [stream_format.video.codec_string]
        if self.has_sound and stream_format.audio is not None:
            names.append("flac" if self._flac is not None else stream_format.audio.codec_string)
        self.mime = f'video/mp4; codecs="{",".join(names)}"'
        self._sequence = 0
        self._steps: deque[int] = deque(maxlen=_REMEMBERED)
        self._last: int | None = None  # decode time of the newest picture
        self._delay = 0  # from decoding to showing, for streams that reorder

    @property
    def has_sound(self) -> bool:
        """Whether sound is put in."""
        return len(self._tracks) > 1

    def init(self) -> bytes:
        """The init segment."""
        return build_init(self._tracks)

    def build(self, units: Sequence[AccessUnit]) -> bytes:
        """One fragment of at least one picture and the sound that came with it."""
        self._sequence += 1
        runs = [self._video_run([unit for unit in units if unit.track is Track.VIDEO])]
        sound = [unit for unit in units if unit.track is Track.AUDIO]
        if sound and self.has_sound:
            run = _audio_run(sound)
            converted = self._flac.convert(run) if self._flac is not None else run
            if converted is not None:
                runs.append(converted)
        return build_fragment(self._sequence, runs)

    def _video_run(self, pictures: Sequence[AccessUnit]) -> Run:
        times = [self._decode_time(unit.pts) for unit in pictures]
        # How long the newest picture lasts is not known yet: as long as those before it.
        usual = round(statistics.median(self._steps)) if self._steps else _USUAL
        durations = [b - a for a, b in pairwise(times)] + [usual]
        run = Run(VIDEO_TRACK, times[0])
        for unit, time, duration in zip(pictures, times, durations, strict=True):
            run.samples.append(Sample(unit.data(), duration, unit.key, unit.pts - time))
        return run

    def _decode_time(self, pts: int) -> int:
        last = self._last
        if last is not None and abs(pts - last) > _LONGEST:
            last, self._delay = None, 0  # the clock jumped
        if last is not None and pts - self._delay <= last:
            self._delay = min(_LONGEST, self._delay + last + 1 - (pts - self._delay))
        time = pts - self._delay if last is None else max(last + 1, pts - self._delay)
        if last is not None:
            self._steps.append(time - last)
        self._last = time
        return time


def _audio_run(units: Sequence[AccessUnit]) -> Run:
    run = Run(AUDIO_TRACK, units[0].pts)
    ends = [unit.pts for unit in units[1:]] + [units[-1].pts + units[-1].duration]
    for unit, end in zip(units, ends, strict=True):
        run.samples.append(Sample(unit.data(), max(1, end - unit.pts)))
    return run
