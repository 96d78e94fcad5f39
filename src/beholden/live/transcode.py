"""Live video a browser cannot play, made H.264 a GOP at a time in a worker process."""

from __future__ import annotations

from collections.abc import Sequence

from beholden.model.media import AccessUnit, StreamFormat, Track
from beholden.play.fragments import Run, Sample
from beholden.play.tracks import TrackDescription, tracks_of
from beholden.play.workshop import Workshop

_CONVERT_SECONDS = 10.0

Coded = list[tuple[int, bool, bytes]]


class GopTranscoder:
    """One viewer's conversion. A GOP is converted when the next begins, so the view is that much late;
    sound waits with it."""

    def __init__(self, stream_format: StreamFormat, workshop: Workshop) -> None:
        self._format = stream_format
        self._workshop = workshop
        self._track = tracks_of(stream_format)[0]
        self._held: list[AccessUnit] = []

    async def shown(self) -> StreamFormat:
        """The format of what ``convert`` gives."""
        return await self._workshop.run(converted_format, self._format, seconds=_CONVERT_SECONDS)

    async def convert(self, units: Sequence[AccessUnit]) -> list[AccessUnit]:
        """The converted GOPs that these units complete, with their sound; often nothing."""
        done: list[AccessUnit] = []
        for unit in units:
            if unit.key and unit.track is Track.VIDEO and self._held:
                done += await self._gop(self._held, unit.pts)
                self._held = []
            self._held.append(unit)
        return done

    async def _gop(self, units: Sequence[AccessUnit], end: int) -> list[AccessUnit]:
        video = [unit for unit in units if unit.track is Track.VIDEO]
        samples = [(unit.pts, unit.data()) for unit in video]
        coded = await self._workshop.run(convert_gop, self._track, samples, end, seconds=_CONVERT_SECONDS)
        newest = max(unit.arrival_ms for unit in video)
        made = [AccessUnit(Track.VIDEO, pts, key, (data,), len(data), newest) for pts, key, data in coded]
        return [*made, *(unit for unit in units if unit.track is Track.AUDIO)]


def converted_format(stream_format: StreamFormat) -> StreamFormat:
    """The format a conversion gives. Runs in a worker process."""
    from beholden.play.picture import H264Encoder, browser_size

    video = H264Encoder(*browser_size(stream_format.video.width, stream_format.video.height)).format
    return StreamFormat(video, stream_format.audio)


def convert_gop(track: TrackDescription, samples: Sequence[tuple[int, bytes]], end: int) -> Coded:
    """(pts, keyframe, sample) of a GOP as H.264. Runs in a worker process."""
    from beholden.play.picture import convert_video

    times = [*(pts for pts, _ in samples), end]
    run = Run(track.id, times[0])
    for index, (pts, data) in enumerate(samples):
        run.samples.append(Sample(data, max(1, times[index + 1] - pts), index == 0))
    made = convert_video(track, run)
    coded: Coded = []
    at = made.time
    for sample in made.samples:
        coded.append((at, sample.key, sample.data))
        at += sample.duration
    return coded
