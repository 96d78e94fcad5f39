"""HLS playlists over recorded files (RFC 8216): no copy is made, a playlist entry is a byte range.

What a browser cannot play as recorded is named by an address that converts it on request.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.segment import SegmentKey
from beholden.model.time import TICKS_PER_SECOND, ticks_to_ms, to_rfc3339
from beholden.play.ability import (
    AS_RECORDED,
    Ability,
    Rendition,
    audio_words,
    choose,
    video_words,
)
from beholden.play.footage import Cut, Footage, Gop, Recording, cut

LONGEST_MS = 24 * 3_600_000
# Beyond this many entries GOPs are put together: a day of footage stays a list a browser reads at once.
_MANY_ENTRIES = 4000


class Piece(NamedTuple):
    """One HLS segment: one or more GOPs side by side in one file. ``fresh``: footage is missing before it."""

    recording: Recording
    gop: Gop
    rendition: Rendition
    fresh: bool


@dataclass(frozen=True, slots=True)
class Playback:
    """What will be played for a request: ``spans`` are (start_ms, end_ms); video and audio say what is done
    to them, in words."""

    start_ms: int
    end_ms: int
    video: str
    audio: str
    spans: list[tuple[int, int]]
    playlist: str
    converted: bool


def playback(footage: Footage, camera: int, start_ms: int, end_ms: int, ability: Ability) -> Playback:
    """The playlist of a camera's main stream over [start_ms, end_ms).

    It begins with the keyframe at or before the start. Blocks for catalog and disk. BeholdenError
    ``bad_range``, or ``cannot_play`` (not for this browser).
    """
    if not start_ms < end_ms <= start_ms + LONGEST_MS:
        raise BeholdenError(
            "bad_range", "A playlist covers more than nothing and at most a day.", "Ask for a shorter time."
        )
    recordings = footage.between(camera, StreamRole.MAIN, start_ms, end_ms)
    pieces = list(choose_pieces(cut(recordings, start_ms, end_ms), ability))
    pieces = grouped(pieces, _MANY_ENTRIES)
    spans: list[tuple[int, int]] = []
    for piece in pieces:
        end = ticks_to_ms(piece.gop.end)
        if piece.fresh or not spans:
            spans.append((ticks_to_ms(piece.gop.time), end))
        else:
            spans[-1] = (spans[-1][0], end)
    videos = {video_words(piece.rendition.video) for piece in pieces}
    audios = {
        audio_words(piece.rendition.audio, piece.recording.media.audio_codec_string) for piece in pieces
    }
    return Playback(
        start_ms,
        end_ms,
        ", ".join(sorted(videos)),
        ", ".join(sorted(audios)),
        spans,
        render(pieces),
        any(not piece.rendition.as_recorded for piece in pieces),
    )


def choose_pieces(cuts: Iterable[Cut], ability: Ability) -> Iterator[Piece]:
    """GOPs with what is done to them for this browser."""
    for recording, gop, fresh in cuts:
        media = recording.media
        rendition = choose(ability, media.video_codec_string, media.audio_codec_string)
        yield Piece(recording, gop, rendition, fresh)


def grouped(pieces: Sequence[Piece], limit: int) -> list[Piece]:
    """The same footage in about ``limit`` pieces at most, by putting neighbours in a file together."""
    together = math.ceil(len(pieces) / limit)
    whole: list[Piece] = []
    held = 0
    for piece in pieces:
        last = whole[-1] if whole else None
        if last is None or held >= together or piece.fresh or last.recording is not piece.recording:
            whole.append(piece)
            held = 1
            continue
        joined = last.gop._replace(
            fragments=last.gop.fragments + piece.gop.fragments,
            size=last.gop.size + piece.gop.size,
            ticks=piece.gop.end - last.gop.time,
            pictures=last.gop.pictures + piece.gop.pictures,
        )
        whole[-1] = last._replace(gop=joined)
        held += 1
    return whole


def render(pieces: Sequence[Piece]) -> str:
    """The text of the playlist."""
    longest = max((piece.gop.ticks for piece in pieces), default=TICKS_PER_SECOND)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f"#EXT-X-TARGETDURATION:{max(1, math.ceil(longest / TICKS_PER_SECOND))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
    ]
    before: Piece | None = None
    for piece in pieces:
        changed = before is None or _init_of(before) != _init_of(piece)
        if before is not None and (piece.fresh or changed):
            lines.append("#EXT-X-DISCONTINUITY")
        if changed:
            lines.append(_map(piece))
        if piece.fresh or changed:
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{to_rfc3339(ticks_to_ms(piece.gop.time))}")
        lines += _entry(piece)
        before = piece
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def segment_url(key: SegmentKey) -> str:
    """The address of a recorded file, without its ending."""
    return f"/media/segments/{key.camera}/{key.stream.name.lower()}/{key.start_ms}-{key.epoch}"


def _init_of(piece: Piece) -> tuple[bytes, Rendition]:
    return piece.recording.media.init, piece.rendition


def _map(piece: Piece) -> str:
    url = segment_url(piece.recording.key)
    # An address of its own, though it lies at the head of the file: whoever fetches it has seen nothing.
    return f'#EXT-X-MAP:URI="{url}/init.mp4?as={piece.rendition}"'


def _entry(piece: Piece) -> list[str]:
    url, gop = segment_url(piece.recording.key), piece.gop
    length = f"#EXTINF:{gop.ticks / TICKS_PER_SECOND:.6f},"
    if piece.rendition == AS_RECORDED:
        return [length, f"#EXT-X-BYTERANGE:{gop.size}@{gop.offset}", f"{url}.mp4"]
    return [length, f"{url}/{gop.first}.m4s?as={piece.rendition}&fragments={gop.fragments}"]
