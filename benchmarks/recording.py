"""Recording many cameras: our recorder against one ``ffmpeg -c copy -f segment`` process per camera.

One process serves all virtual cameras (1080p, 3 Mbit/s, 30 fps, AAC). Ours and ffmpeg's turns alternate in
the same
call, A B A B, each with the same warm-up and window, so that the machine's other load touches both. Ours
does more in
its share: it hashes every file and writes the index.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import av
import psutil

from beholden.catalog import cameras
from beholden.demo import places
from beholden.demo.synthetic import synthetic_clip
from beholden.model.errors import BeholdenError
from beholden.model.time import SystemClock
from beholden.run import first_start, settings
from beholden.run.launcher import Child, ForkServerLauncher
from beholden.run.roles import RoleSpec
from benchmarks.figures import Figures

SUMMARY = "CPU and memory of recording 32 cameras, against ffmpeg -c copy; frames lost"
FIGURES = {
    "cpu_ratio": "CPU per camera, ours / ffmpeg's (at most 0.30 wanted)",
    "memory_ratio": "memory (PSS) per camera, ours / ffmpeg's (at most 0.15 wanted)",
    "cameras": "cameras recorded at once",
    "lost_frames": "pictures sent to our recorder and not in its files",
    "cpu_percent_per_camera": "of one core, ours",
    "ffmpeg_cpu_percent_per_camera": "of one core, ffmpeg's",
    "memory_mb_per_camera": "PSS, ours",
    "ffmpeg_memory_mb_per_camera": "PSS, ffmpeg's",
}
WARM_UP = 8.0
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Turn:
    """One measured window. ``cpu`` is per cent of a core for all cameras, ``memory`` PSS bytes for all."""

    who: str
    cpu: float
    memory: float
    sent: int = 0
    kept: int = 0


class Recording(Protocol):
    """Something that records all cameras."""

    def processes(self) -> list[psutil.Process]:
        """Its processes."""
        ...

    def stop(self) -> None:
        """End it in good order."""
        ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fewer cameras or a shorter window, for a quick look."""
    parser.add_argument("--cameras", type=int, default=32, metavar="N", help="cameras at once (default: 32)")
    parser.add_argument(
        "--seconds", type=float, default=20, metavar="S", help="measured window (default: 20)"
    )
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="turns of each (default: 2)")


def run(options: argparse.Namespace) -> Figures:
    """Measure; BeholdenError when there is no ffmpeg to compare with."""
    if shutil.which("ffmpeg") is None:
        raise BeholdenError(
            "no_ffmpeg", "There is no ffmpeg to compare with.", "Install it: apt-get install ffmpeg."
        )
    load = [psutil.getloadavg()[0]]
    turns = []
    for _ in range(options.rounds):
        turns += [_turn("beholden", options), _turn("ffmpeg", options)]
    load.append(psutil.getloadavg()[0])
    return _figures(turns, options.cameras, load)


def _turn(who: str, options: argparse.Namespace) -> Turn:
    with (
        tempfile.TemporaryDirectory(prefix="beholden-bench-") as name,
        _virtual_cameras(options.cameras) as served,
    ):
        folder = Path(name)
        urls = [each["main"] for each in served.ready["cameras"]]
        recording = _Ours(folder, urls) if who == "beholden" else _Ffmpeg(folder, urls)
        try:
            time.sleep(WARM_UP)
            cpu, memory = _measure(recording, options.seconds)
            sent = served.hold() if who == "beholden" else 0
        finally:
            recording.stop()
        kept = _pictures_kept(folder) if who == "beholden" else 0
        return Turn(who, cpu, memory, sent, kept)


def _measure(recording: Recording, seconds: float) -> tuple[float, float]:
    processes = recording.processes()
    began, before = time.monotonic(), _cpu(processes)
    memory = []
    while time.monotonic() - began < seconds:
        time.sleep(min(seconds / 4, 5))
        memory.append(sum(each.memory_full_info().pss for each in processes))
    spent = _cpu(processes) - before
    return 100 * spent / (time.monotonic() - began), statistics.fmean(memory)


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in processes)


class _Served:
    """The virtual cameras' process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.ready = self._line()

    def hold(self) -> int:
        """Stop all cameras at a whole picture; how many pictures they have sent."""
        self._process.send_signal(signal.SIGUSR1)
        sent: int = sum(self._line()["sent"].values())
        time.sleep(2)  # what is on its way arrives
        return sent

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BeholdenError("no_cameras", "The virtual cameras could not be started.")
        told: dict[str, Any] = json.loads(line)
        return told


@contextlib.contextmanager
def _virtual_cameras(count: int) -> Iterator[_Served]:
    folder = places.cache() / "bench"
    clip = synthetic_clip(folder, 1920, 1080, 30, 10, gop=60, audio="aac", bitrate=3_000_000, noise=2)
    command = [sys.executable, "-m", "beholden.demo", "cameras", "--child"]
    for index in range(count):
        command += ["--clip", f"camera-{index + 1}={clip}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _Served(process)
        finally:
            process.terminate()


class _Ours:
    """One recorder process, started as the supervisor starts it."""

    def __init__(self, folder: Path, urls: list[str]) -> None:
        site = first_start.prepare(settings.load(data=folder), SystemClock())
        with site.catalog.write() as conn:
            for index, url in enumerate(urls):
                new = cameras.NewCamera(f"camera {index + 1}", url, analyse="off")
                cameras.add(conn, site.box, SystemClock().now_ms(), new)
        site.catalog.close()
        launcher = ForkServerLauncher(folder, "console")
        specs = [
            RoleSpec("recorder", s, "beholden.record.role:run_recorder", (folder, s))
            for s in self._shards(folder)
        ]
        self._children: list[Child] = [launcher.start(spec) for spec in specs]

    def _shards(self, folder: Path) -> list[int]:
        catalog = first_start.prepare(settings.load(data=folder), SystemClock()).catalog
        with contextlib.closing(catalog), catalog.read() as conn:
            return cameras.shards(conn)

    def processes(self) -> list[psutil.Process]:
        return [psutil.Process(child.pid) for child in self._children]

    def stop(self) -> None:
        for child in self._children:
            child.stop()
        end = time.monotonic() + 20
        while any(child.exit_code() is None for child in self._children) and time.monotonic() < end:
            time.sleep(0.1)
        for child in self._children:
            child.kill()


class _Ffmpeg:
    """One ffmpeg per camera, segments of a minute, as its users run it."""

    def __init__(self, folder: Path, urls: list[str]) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        for index, url in enumerate(urls):
            command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url]
            command += ["-c", "copy", "-f", "segment", "-segment_time", "60", f"{folder}/{index}-%03d.mp4"]
            quiet = subprocess.DEVNULL
            self._processes.append(subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet))

    def processes(self) -> list[psutil.Process]:
        return [psutil.Process(process.pid) for process in self._processes]

    def stop(self) -> None:
        for process in self._processes:
            process.kill()  # what ffmpeg has written is not looked at
        for process in self._processes:
            process.wait()


def _pictures_kept(folder: Path) -> int:
    """Video packets in all recorded files, counted by another reader than ours."""
    kept = 0
    for path in folder.rglob("*.mp4"):
        with av.open(str(path)) as container:
            kept += sum(1 for packet in container.demux(video=0) if packet.size)
    return kept


def _figures(turns: list[Turn], count: int, load: list[float]) -> Figures:
    ours = [turn for turn in turns if turn.who == "beholden"]
    peers = [turn for turn in turns if turn.who == "ffmpeg"]
    cpu, peer_cpu = (statistics.fmean(turn.cpu for turn in side) / count for side in (ours, peers))
    memory, peer_memory = (statistics.fmean(turn.memory for turn in side) / count for side in (ours, peers))
    return Figures(
        {
            "cpu_ratio": cpu / peer_cpu,
            "memory_ratio": memory / peer_memory,
            "cameras": count,
            "lost_frames": sum(turn.sent - turn.kept for turn in ours),
            "cpu_percent_per_camera": cpu,
            "ffmpeg_cpu_percent_per_camera": peer_cpu,
            "memory_mb_per_camera": memory / _MB,
            "ffmpeg_memory_mb_per_camera": peer_memory / _MB,
        },
        ["turn", "% of a core", "PSS MB", "sent", "kept"],
        [_row(turn) for turn in turns],
        [f"load of the machine {load[0]:.1f} before, {load[1]:.1f} after, on {psutil.cpu_count()} cores"],
    )


def _row(turn: Turn) -> list[str]:
    counts = [str(turn.sent), str(turn.kept)] if turn.who == "beholden" else ["", ""]
    return [turn.who, f"{turn.cpu:.1f}", f"{turn.memory / _MB:.0f}", *counts]
