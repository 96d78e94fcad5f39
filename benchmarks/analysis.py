"""Seeing one camera: decode every picture of a sub stream and look for motion five times a second.

Ours goes from the bytes of the bus to motion, in one thread. The peer is the field's usual way: an ``ffmpeg``
process that decodes, drops to five pictures a second, scales and pipes them raw, and the same motion code
behind the pipe. Turns alternate in the same call, A B A B, so that the machine's other load touches both.
CPU is that of the thread or process, not time on the wall. Detection is measured apart: it runs only on
pictures in which something moves.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from beholden.analyse.detect.nanodet import NanoDet
from beholden.analyse.feed import Feed
from beholden.analyse.motion import MotionDetector
from beholden.analyse.watch import INTERVAL_MS, Watch
from beholden.bus.messages import FrameDecoder, UnitMessage, encode_unit
from beholden.demo.synthetic import synthetic_clip
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.media import AccessUnit, Track, VideoFormat
from beholden.model.time import SystemClock
from benchmarks.figures import Figures

NAME = "analysis"
SUMMARY = "CPU of decoding one sub stream and looking for motion at 5 fps, against an ffmpeg pipe"
FIGURES = {
    "busy_core_percent": "of one core, per camera, decode always on, motion included (at most 1.3 wanted)",
    "ratio": "ours / ffmpeg pipe with the same motion code",
    "pipe_core_percent": "of one core, per camera, the ffmpeg pipe",
    "keyframes_core_percent": "of one core, per camera, keyframes only (one in two seconds)",
    "detector_ms": "one picture through the detector, one thread",
    "detecting_core_percent": "of one core, while something moves in all five pictures a second",
}
_SIZE = (640, 360)
_SMALL = (320, 180)
_START_MS = 1_767_225_600_000


@dataclass(frozen=True)
class Clip:
    """A coded sub stream in memory. ``frames`` are bus frames, ``keys`` says which are keyframes."""

    path: Path
    video: VideoFormat
    units: list[AccessUnit]
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Length of a turn, the stream, and footage of one's own."""
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="turns of each (default: 3)")
    parser.add_argument(
        "--loops", type=int, default=4, metavar="N", help="times the clip in a turn (default: 4)"
    )
    parser.add_argument("--fps", type=int, default=10, metavar="N", help="of the sub stream (default: 10)")
    parser.add_argument("--clip", type=Path, metavar="FILE", help="an H.264 MP4 file instead of a drawn one")


def run(options: argparse.Namespace) -> Figures:
    """Measure; BeholdenError when ffmpeg is missing."""
    with tempfile.TemporaryDirectory() as folder:
        clip = _clip(options, Path(folder))
        ours, pipe = [], []
        for _ in range(options.rounds):
            ours.append(_ours(clip, options.loops, "always"))
            pipe.append(_pipe(clip, options.loops))
        keyframes = _ours(clip, options.loops, "keyframes")
        detector = _detector(clip)
    mine, peer = statistics.median(ours), statistics.median(pipe)
    rows = [[str(n + 1), f"{a:.2f}", f"{b:.2f}"] for n, (a, b) in enumerate(zip(ours, pipe, strict=True))]
    width, height = clip.video.width, clip.video.height
    named = {
        "busy_core_percent": mine,
        "ratio": mine / peer,
        "pipe_core_percent": peer,
        "keyframes_core_percent": keyframes,
        "detector_ms": detector,
        "detecting_core_percent": detector * (1000 / INTERVAL_MS) / 10,
    }
    note = (
        f"{width}x{height} H.264, {len(clip.units) / clip.seconds:.0f} fps, median of {options.rounds} turns."
    )
    return Figures(named, ["turn", "ours, % of a core", "pipe, % of a core"], rows, [note])


def _clip(options: argparse.Namespace, folder: Path) -> Clip:
    path = options.clip or synthetic_clip(
        folder, *_SIZE, fps=options.fps, seconds=20, gop=options.fps * 2, bitrate=500_000, noise=2.0
    )
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        video = VideoFormat("h264", context.width, context.height, _parameter_sets(bytes(context.extradata)))
        packets = [packet for packet in container.demux(stream) if packet.size]
        units = [
            AccessUnit(
                Track.VIDEO,
                _START_MS * 90 + round(float(packet.pts * packet.time_base) * 90_000),
                packet.is_keyframe,
                (bytes(packet),),
                packet.size,
                _START_MS,
            )
            for packet in packets
        ]
    step = (units[-1].pts - units[0].pts) / (len(units) - 1)
    return Clip(path, video, units, len(units) * step / 90_000)


def _parameter_sets(record: bytes) -> tuple[bytes, ...]:
    sets, at = [], 5
    for mask in (0x1F, 0xFF):
        count, at = record[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            sets.append(record[at + 2 : at + 2 + size])
            at += 2 + size
    return tuple(sets)


def _ours(clip: Clip, loops: int, mode: str) -> float:
    """Per cent of a core for one camera."""
    clock = SystemClock()
    feed = Feed(clock)
    watch = Watch(1, mode, feed, clock)
    turns = [_frames(clip, loop) for loop in range(loops)]
    decoder = FrameDecoder()
    feed.put(clip.video)
    started = time.thread_time()
    for frames in turns:
        for frame in frames:
            for message in decoder.feed(frame):
                assert isinstance(message, UnitMessage)
                feed.put(message.unit)
            while watch.step():
                watch.mailbox.take()
    return (time.thread_time() - started) / (clip.seconds * loops) * 100


def _frames(clip: Clip, loop: int) -> list[bytes]:
    """The clip as it comes over the bus, so many times its length later."""
    later = round(loop * clip.seconds * 90_000)
    return [
        encode_unit(
            1,
            StreamRole.SUB,
            AccessUnit(unit.track, unit.pts + later, unit.key, unit.parts, unit.size, unit.arrival_ms),
        )
        for unit in clip.units
    ]


def _pipe(clip: Clip, loops: int) -> float:
    """Per cent of a core for one camera: ffmpeg's and what reads its pipe."""
    motion = MotionDetector()
    size = _SMALL[0] * _SMALL[1]
    before = _children_seconds()
    own = 0.0
    with _ffmpeg(clip, loops) as process:
        assert process.stdout is not None
        at_ms = _START_MS
        started = time.thread_time()
        while len(data := process.stdout.read(size)) == size:
            motion.look(np.frombuffer(data, np.uint8).reshape(_SMALL[1], _SMALL[0]), at_ms)
            at_ms += INTERVAL_MS
        own = time.thread_time() - started
    return (own + _children_seconds() - before) / (clip.seconds * loops) * 100


def _ffmpeg(clip: Clip, loops: int) -> subprocess.Popen[bytes]:
    rate, scale = 1000 // INTERVAL_MS, f"{_SMALL[0]}:{_SMALL[1]}"
    command: Sequence[str | Path] = (
        *("ffmpeg", "-nostdin", "-loglevel", "error", "-threads", "1", "-stream_loop", str(loops - 1)),
        *("-i", clip.path, "-an", "-vf", f"fps={rate},scale={scale}", "-pix_fmt", "gray"),
        *("-f", "rawvideo", "pipe:1"),
    )
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE)
    except FileNotFoundError as error:
        raise BeholdenError(
            "no_ffmpeg", "The peer of this benchmark is ffmpeg, which is not here.", "Install ffmpeg."
        ) from error


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _detector(clip: Clip) -> float:
    """Milliseconds of one thread for one picture, median."""
    detector = NanoDet()
    taken = []
    with av.open(str(clip.path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 5 == 0:
                picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                started = time.thread_time()
                detector.detect([picture])
                taken.append((time.thread_time() - started) * 1000)
    return statistics.median(taken)
