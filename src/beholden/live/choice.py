"""Which stream a browser is given, and why, in words a tile can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from beholden.model.camera import StreamRole
from beholden.model.media import VIDEO_NAMES, StreamFormat, VideoFormat
from beholden.play.ability import Ability, AudioWay, choose_audio

Prefer = Literal["main", "sub"]


@dataclass(frozen=True, slots=True)
class Choice:
    """``convert``: the stream is made H.264 on the way. ``choice`` and ``reason`` are for a person."""

    stream: StreamRole
    convert: bool
    choice: str
    reason: str


def choose_stream(
    formats: Mapping[StreamRole, StreamFormat], ability: Ability, order: Sequence[StreamRole]
) -> Choice | None:
    """The wanted stream if this browser plays it, else the other one, else the wanted one converted.

    ``order`` names the camera's streams, the wanted one first; ``formats`` holds those that run. None when
    none does.
    """
    running = [stream for stream in order if stream in formats]
    if not running:
        return None
    wanted = running[0]
    why = "" if wanted is order[0] else f"The {_name(order[0])} is not running."
    if ability.plays(formats[wanted].video.codec_string):
        return Choice(wanted, False, _name(wanted), why)
    cannot = f"This browser does not play the {_codec(formats[wanted].video)} of the {_name(wanted)}."
    for stream in running[1:]:
        if ability.plays(formats[stream].video.codec_string):
            return Choice(stream, False, _name(stream), cannot)
    return Choice(wanted, True, f"{_name(wanted)}, converted to H.264", cannot)


def sound_for(ability: Ability, stream_format: StreamFormat) -> AudioWay:
    """How the sound of a stream reaches this browser."""
    audio = stream_format.audio
    return choose_audio(ability, audio.codec_string if audio is not None else None)


def _name(stream: StreamRole) -> str:
    return "main stream" if stream is StreamRole.MAIN else "sub stream"


def _codec(video: VideoFormat) -> str:
    return VIDEO_NAMES[video.codec]
