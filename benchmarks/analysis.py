"""Seeing one camera: decode every picture of a sub stream and look for motion five times a second.

Ours goes from the bytes of the bus to motion, in one thread. The peer is the field's usual way: an ``ffmpeg``
process that decodes, drops to five pictures a second, scales and pipes them raw, and the same motion code
behind the pipe. Turns alternate in the same call, A B A B, so that the machine's other load touches both.
CPU is that of the thread or process, not time on the wall. Detection is measured apart: it runs only on
pictures in which something moves.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from beholden.analyse.detect.network import Network
from beholden.analyse.feed import Feed
from beholden.analyse.motion import MotionDetector
from beholden.analyse.watch import INTERVAL_MS, Watch
from beholden.bus.messages import FrameDecoder, UnitMessage, encode_unit
from beholden.demo.encode import Encoding, write_clip
from beholden.demo.synthetic import synthetic_clip
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.media import AccessUnit
from beholden.model.time import SystemClock
from benchmarks import mix
from benchmarks.coded import START_MS, Clip, read_clip
from benchmarks.events import calm_pictures
from benchmarks.figures import Figures

NAME = "analysis"
SUMMARY = "CPU of decoding one sub stream and looking for motion at 5 fps, against an ffmpeg pipe"
FIGURES = {
    "quiet_core_percent": "of one core, per quiet camera in balanced mode (at most 0.20 wanted)",
    "quiet_ratio": "quiet camera, ours in balanced mode / ffmpeg pipe (at most 0.15 wanted)",
    "busy_core_percent": "of one core, per camera, decode always on, motion included (at most 1.1 wanted)",
    "mix_cpu_seconds": "for each of 32 cameras and minute, all processes, with --mix (at most 0.5 wanted)",
    "mix_queue_ms": "the oldest a queue of pictures was, with --mix (at most 1000 wanted)",
    "mix_lost_packets": "with --mix",
    "ratio": "ours / ffmpeg pipe with the same motion code",
    "pipe_core_percent": "of one core, per camera, the ffmpeg pipe",
    "keyframes_core_percent": "of one core, per camera, keyframes only (one in two seconds)",
    "detector_ms": "one picture through the detector, one thread",
    "detecting_core_percent": "of one core, while something moves in all five pictures a second",
}
_SIZE = (640, 360)
_SMALL = (320, 180)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Length of a turn, the stream, and footage of one's own."""
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="turns of each (default: 3)")
    parser.add_argument(
        "--loops", type=int, default=4, metavar="N", help="times the clip in a turn (default: 4)"
    )
    parser.add_argument("--fps", type=int, default=10, metavar="N", help="of the sub stream (default: 10)")
    parser.add_argument("--clip", type=Path, metavar="FILE", help="an H.264 MP4 file instead of a drawn one")
    parser.add_argument("--mix", type=float, metavar="S", help="also run 32 cameras for so many seconds")
    parser.add_argument("--cameras", type=int, default=32, metavar="N", help="in the mix (default: 32)")


def run(options: argparse.Namespace) -> Figures:
    """Measure; BeholdenError when ffmpeg is missing."""
    with tempfile.TemporaryDirectory() as folder:
        clip, still = _clip(options, Path(folder)), _still(Path(folder))
        ours, pipe, quiet, quiet_pipe = [], [], [], []
        for _ in range(options.rounds):
            ours.append(_ours(clip, options.loops, "always"))
            pipe.append(_pipe(clip, options.loops))
            quiet.append(_ours(still, options.loops, "balanced", warm_up=1))
            quiet_pipe.append(_pipe(still, options.loops))
        named = _mix(options, still.path, clip.path, Path(folder)) if options.mix else {}
        keyframes = _ours(clip, options.loops, "keyframes")
        detector = _detector(clip)
    mine, peer = statistics.median(ours), statistics.median(pipe)
    rows = [[str(n + 1), f"{a:.2f}", f"{b:.2f}"] for n, (a, b) in enumerate(zip(ours, pipe, strict=True))]
    width, height = clip.video.width, clip.video.height
    named = {
        "quiet_core_percent": statistics.median(quiet),
        "quiet_ratio": statistics.median(quiet) / statistics.median(quiet_pipe),
        **named,
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
    return read_clip(path)


def _still(folder: Path) -> Clip:
    """A yard in which nothing happens, with sensor noise."""
    path = folder / "still.mp4"
    pictures = itertools.islice(calm_pictures(), 400)
    write_clip(path, pictures, Encoding(*_SIZE, fps=10, gop=20, bitrate=500_000))
    return read_clip(path)


def _mix(options: argparse.Namespace, quiet: Path, busy: Path, folder: Path) -> dict[str, float]:
    found = mix.measure(folder / "site", quiet, busy, options.cameras, options.mix)
    return {
        "mix_cpu_seconds": found.cpu_seconds,
        "mix_queue_ms": found.queue_ms,
        "mix_lost_packets": found.lost,
        **{f"mix_{state}_cameras": count for state, count in sorted(found.states.items())},
    }


def _ours(clip: Clip, loops: int, mode: str, warm_up: int = 0) -> float:
    """Per cent of a core for one camera, after so many loops that do not count."""
    clock = SystemClock()
    feed = Feed(clock)
    watch = Watch(1, mode, feed, clock)
    turns = [_frames(clip, loop) for loop in range(loops + warm_up)]
    decoder = FrameDecoder()
    feed.put(clip.video)
    started = time.thread_time()
    for number, frames in enumerate(turns):
        if number == warm_up:
            started = time.thread_time()
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
        at_ms = START_MS
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
    detector = Network()
    taken = []
    with av.open(str(clip.path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 5 == 0:
                picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                started = time.thread_time()
                detector.detect([picture])
                taken.append((time.thread_time() - started) * 1000)
    return statistics.median(taken)
