"""Recorded fragments as a browser can play them. Pure functions of bytes, so they run anywhere."""

from __future__ import annotations

from beholden.play.ability import Rendition
from beholden.play.flac import FlacConverter
from beholden.play.fragments import Run, build_fragment, by_track, read_fragments
from beholden.play.tracks import TrackDescription, build_init, flac_track, parse_init


def converted_init(init: bytes, rendition: Rendition) -> bytes:
    """The init segment for what ``convert`` makes of fragments recorded under ``init``."""
    tracks = [_converted_track(track, rendition) for track in parse_init(init)]
    return build_init([track for track in tracks if track is not None])


def convert(init: bytes, fragments: bytes, rendition: Rendition, sequence: int = 1) -> bytes:
    """Recorded fragments, the first beginning with a keyframe, as one converted fragment at the same times.

    Raises Mp4Error for foreign bytes, BeholdenError ``not_decodable`` when conversion of the
    video is asked for and none of it can be decoded.
    """
    tracks = {track.id: track for track in parse_init(init)}
    runs: list[Run] = []
    for number, run in by_track(read_fragments(fragments)).items():
        track = tracks.get(number)
        if track is not None:
            runs += _convert_run(track, run, rendition)
    return build_fragment(sequence, runs)


def _convert_run(track: TrackDescription, run: Run, rendition: Rendition) -> list[Run]:
    if track.handler == "vide":
        if rendition.video == "copy":
            return [run]
        from beholden.play.picture import convert_video

        return [convert_video(track, run)]
    if rendition.audio == "flac":
        converted = FlacConverter(track).convert(run)
        return [converted] if converted is not None else []
    return [run] if rendition.audio == "copy" else []


def _converted_track(track: TrackDescription, rendition: Rendition) -> TrackDescription | None:
    if track.handler == "vide":
        if rendition.video == "copy":
            return track
        from beholden.play.picture import h264_track

        return h264_track(track.width, track.height)
    if rendition.audio == "flac":
        return flac_track(track.timescale, track.channels)
    return track if rendition.audio == "copy" else None
