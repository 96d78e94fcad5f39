"""What a browser can play, and what is therefore done to a recording for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from beholden.model.errors import BeholdenError

VideoWay = Literal["copy", "h264"]
AudioWay = Literal["copy", "flac", "none"]

# When a client does not say: what every current browser plays in Media Source Extensions.
DEFAULT = "avc1,mp4a,flac"
_SAME = {
    "hev1": "hvc1",
    "avc3": "avc1",
    "aac": "mp4a",
    "h264": "avc1",
    "h265": "hvc1",
    "hevc": "hvc1",
    "av1": "av01",
}


@dataclass(frozen=True, slots=True)
class Ability:
    """The codec families a browser says it plays: avc1, hvc1, av01, mp4a, opus, flac."""

    families: frozenset[str]

    @classmethod
    def parse(cls, text: str | None) -> Ability:
        """From a ``codecs`` query, a list by commas of families or whole RFC 6381 names."""
        names = [name.strip() for name in (text or DEFAULT)[:1000].split(",")]
        return cls(frozenset(_family(name) for name in names if name))

    def plays(self, codec_string: str) -> bool:
        """Whether a codec, by its RFC 6381 name, is of a family the browser plays."""
        return _family(codec_string) in self.families


@dataclass(frozen=True, slots=True)
class Rendition:
    """What is done to the two tracks; ``str()`` is the ``as`` of the address, e.g. ``h264-flac``."""

    video: VideoWay
    audio: AudioWay

    def __str__(self) -> str:
        return f"{self.video}-{self.audio}"

    @property
    def as_recorded(self) -> bool:
        """Whether the recorded bytes are served untouched."""
        return self.video == "copy" and self.audio == "copy"

    @classmethod
    def parse(cls, text: str) -> Rendition:
        """From the ``as`` of an address; BeholdenError ``bad_request`` for anything else."""
        for video in ("copy", "h264"):
            for audio in ("copy", "flac", "none"):
                if text == f"{video}-{audio}":
                    return cls(video, audio)
        raise BeholdenError("bad_request", "This conversion is not known.", "Load the playlist again.")


AS_RECORDED = Rendition("copy", "copy")


def choose(ability: Ability, video_codec: str, audio_codec: str | None) -> Rendition:
    """How a recording (RFC 6381 names of its tracks) reaches this browser.

    BeholdenError ``cannot_play`` when the browser plays neither the video nor H.264.
    """
    video: VideoWay = "copy"
    if not ability.plays(video_codec):
        if "avc1" not in ability.families:
            raise BeholdenError(
                "cannot_play",
                "This browser plays neither this recording's video nor H.264.",
                "Use another browser, or download the recording.",
            )
        video = "h264"
    return Rendition(video, choose_audio(ability, audio_codec))


def choose_audio(ability: Ability, audio_codec: str | None) -> AudioWay:
    """How sound reaches this browser; ``copy`` also when there is none to begin with."""
    if audio_codec is None or ability.plays(audio_codec):
        return "copy"
    if audio_codec in ("ulaw", "alaw", "twos") and "flac" in ability.families:
        return "flac"
    return "none"


def video_words(way: VideoWay) -> str:
    """What was done to the video, for a person."""
    return "as recorded" if way == "copy" else "converted to H.264"


def audio_words(way: AudioWay, audio_codec: str | None) -> str:
    """What was done to the sound, for a person."""
    if audio_codec is None:
        return "none recorded"
    return {
        "copy": "as recorded",
        "flac": "converted to FLAC",
        "none": "left out: this browser cannot play it",
    }[way]


def _family(name: str) -> str:
    if name.lower() == "mp4v.6c":
        return "mp4v.6c"  # mp4v alone would be MPEG-4 video
    head = name.partition(".")[0].lower()
    return _SAME.get(head, head)
