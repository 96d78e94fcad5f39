"""Trying a camera before trusting it: pull for some seconds and say in plain words what came."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from beholden.ingest.fallback import fallback_source
from beholden.ingest.rtsp import RtspSource
from beholden.ingest.source import Source, SourceError, SourceFactory
from beholden.ingest.status import SourceStatus
from beholden.model.camera import StreamAddress
from beholden.model.media import VIDEO_NAMES, AccessUnit, StreamFormat, Track
from beholden.model.time import TICKS_PER_SECOND, Clock, SystemClock

Verdict = Literal["good", "usable", "bad"]
Level = Literal["info", "warning"]

PROBE_SECONDS = 8.0
LONG_GOP_SECONDS = 4.0
CLOCK_OFFSET_MS = 5000
_LOW_FPS = 5.0
_PAUSE_SECONDS = 0.02
_SHORTER_GOP = (
    "Set the camera's key frame (I-frame) interval to 1–2 seconds, and smart codecs (H.264+, H.265+) off."
)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a trial found. ``fps``, ``gop_seconds`` and ``kbps`` are None when too little came to tell.

    ``key`` is the newest keyframe and ``format`` what it takes to decode it; both None when none came.
    ``remarks`` are (level, text), most important first.
    """

    verdict: Verdict
    sentence: str
    next_step: str
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    gop_seconds: float | None = None
    kbps: float | None = None
    audio_codec: str | None = None
    transport: str | None = None
    clock_offset_ms: int | None = None
    remarks: tuple[tuple[Level, str], ...] = ()
    format: StreamFormat | None = None
    key: AccessUnit | None = None


class _Notebook:
    """A sink that remembers what a verdict needs: the format, key times, counts, the newest keyframe."""

    def __init__(self) -> None:
        self.format: StreamFormat | None = None
        self.key: AccessUnit | None = None
        self.keys: list[int] = []
        self.pictures: list[int] = []
        self.bytes = 0
        self.audio_frames = 0

    def on_format(self, stream_format: StreamFormat) -> None:
        self.format = stream_format

    def on_access_unit(self, unit: AccessUnit) -> None:
        self.bytes += unit.size
        if unit.track is Track.AUDIO:
            self.audio_frames += 1
            return
        self.pictures.append(unit.pts)
        if unit.key:
            self.keys.append(unit.pts)
            self.key = unit

    def on_discontinuity(self) -> None:
        self.keys.clear()
        self.pictures.clear()
        self.bytes = 0

    @property
    def seconds(self) -> float:
        """Media time seen."""
        if len(self.pictures) < 2:
            return 0.0
        return (max(self.pictures) - min(self.pictures)) / TICKS_PER_SECOND


def probe(
    address: StreamAddress,
    seconds: float = PROBE_SECONDS,
    clock: Clock | None = None,
    *,
    make_source: SourceFactory = RtspSource,
    make_fallback: SourceFactory | None = fallback_source,
    pause: Callable[[float], None] = time.sleep,
) -> ProbeResult:
    """Pull until two GOPs are whole or the time is out, and judge. Blocks for at most about ``seconds``.

    Never raises for a bad camera: then the verdict is ``bad`` and sentence and next step say why. No text
    contains a password.
    """
    clock = clock or SystemClock()
    notebook = _Notebook()
    source = make_source(address, notebook, clock)
    failure = _pull(source, notebook, clock, seconds, pause)
    source.close()
    if failure is not None and failure.fallback and make_fallback is not None:
        # As a recorder's session would: what it can record this way is not a bad camera.
        found = probe(address, seconds, clock, make_source=make_fallback, make_fallback=None, pause=pause)
        if found.verdict != "bad":
            return found
    if notebook.format is None or notebook.key is None:
        return _nothing(failure, source.status, seconds)
    return _judge(notebook, source.status, failure, seconds)


def _pull(
    source: Source, notebook: _Notebook, clock: Clock, seconds: float, pause: Callable[[float], None]
) -> SourceError | None:
    until = clock.monotonic() + seconds
    while (now := clock.monotonic()) < until:
        try:
            source.poll(now)
        except SourceError as error:
            return error
        if len(notebook.keys) > 2 or (len(notebook.keys) == 2 and notebook.seconds >= seconds / 2):
            return None
        pause(_PAUSE_SECONDS)
    return None


def _nothing(failure: SourceError | None, status: SourceStatus, seconds: float) -> ProbeResult:
    if failure is not None:
        return ProbeResult("bad", failure.message, failure.next_step, transport=status.transport or None)
    if not status.connected:
        sentence = f"Nothing answered at this address within {seconds:g} seconds."
        step = "Check the address and that the camera is on and reachable from this machine."
    elif not status.packets:
        sentence = f"The camera is connected but sent nothing for {seconds:g} seconds."
        step = "Restart the camera, or check that this stream is enabled in it."
    else:
        sentence = f"The camera sends data, but no key frame came within {seconds:g} seconds."
        step = _SHORTER_GOP
    return ProbeResult("bad", sentence, step, transport=status.transport or None)


def _judge(
    notebook: _Notebook, status: SourceStatus, failure: SourceError | None, seconds: float
) -> ProbeResult:
    stream_format, key = notebook.format, notebook.key
    assert stream_format is not None
    gop = _gop_seconds(notebook)
    length = notebook.seconds
    fps = round((len(notebook.pictures) - 1) / length, 1) if length else None
    remarks = _remarks(notebook, status, gop, fps, seconds)
    if failure is not None:
        remarks.insert(0, ("warning", failure.message))
    worst = any(level == "warning" for level, _ in remarks)
    video = stream_format.video
    shown = f"{VIDEO_NAMES[video.codec]}, {video.width}×{video.height}" + (f", {fps:g} fps" if fps else "")
    audio = stream_format.audio.codec if stream_format.audio and notebook.audio_frames else None
    return ProbeResult(
        verdict="usable" if worst else "good",
        sentence=f"This camera can be recorded: {shown}."
        if not worst
        else f"This camera can be recorded ({shown}), but {_lower(remarks)}",
        next_step=_step(gop, status, seconds) if worst else "",
        codec=video.codec,
        width=video.width,
        height=video.height,
        fps=fps,
        gop_seconds=gop,
        kbps=round(notebook.bytes * 8 / length / 1000) if length else None,
        audio_codec=audio,
        transport=status.transport or None,
        clock_offset_ms=status.clock_offset_ms,
        remarks=tuple(remarks),
        format=stream_format,
        key=key,
    )


def _gop_seconds(notebook: _Notebook) -> float | None:
    steps = [later - earlier for earlier, later in zip(notebook.keys, notebook.keys[1:], strict=False)]
    return round(max(steps) / TICKS_PER_SECOND, 2) if steps else None


def _remarks(
    notebook: _Notebook, status: SourceStatus, gop: float | None, fps: float | None, seconds: float
) -> list[tuple[Level, str]]:
    stream_format = notebook.format
    assert stream_format is not None
    found: list[tuple[Level, str]] = []
    if gop is None:
        found.append(("warning", f"No second key frame came within {seconds:g} seconds."))
    elif gop > LONG_GOP_SECONDS:
        found.append(("warning", f"Key frames are {gop:g} seconds apart, so live view and seeking are slow."))
    if status.lost_packets:
        found.append(("warning", f"{status.lost_packets} packets were lost on the way."))
    if fps is not None and fps < _LOW_FPS:
        found.append(("warning", f"Only {fps:g} pictures a second are sent."))
    if status.clock_offset_ms is not None and abs(status.clock_offset_ms) > CLOCK_OFFSET_MS:
        seconds_off = status.clock_offset_ms / 1000
        found.append(("info", f"The camera's clock is off by {seconds_off:.0f} s; recorded times are ours."))
    if stream_format.video.codec in ("h265", "av1"):
        name = VIDEO_NAMES[stream_format.video.codec]
        found.append(("info", f"Not every browser plays {name}; where one does not, it is converted."))
    if stream_format.video.codec == "mjpeg":
        found.append(("info", "Browsers do not play recorded Motion JPEG, so it is converted for them."))
    if stream_format.audio is None or not notebook.audio_frames:
        found.append(("info", "There is no sound in this stream."))
    found += [("info", note) for note in status.notes]
    return found


def _lower(remarks: list[tuple[Level, str]]) -> str:
    text = next(text for level, text in remarks if level == "warning")
    return text[0].lower() + text[1:]


def _step(gop: float | None, status: SourceStatus, seconds: float) -> str:
    if gop is None or gop > min(LONG_GOP_SECONDS, seconds):
        return _SHORTER_GOP
    if status.lost_packets:
        return "Check the network between the camera and this machine."
    return "Raise the frame rate in the camera, or record it as it is."
