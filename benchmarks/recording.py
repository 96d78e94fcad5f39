"""Recording many cameras: our recorder against one ``ffmpeg -c copy -f segment`` process per camera.

One process serves all virtual cameras (1080p, 3 Mbit/s, 30 fps, AAC). Ours and ffmpeg's turns alternate in
the same call, A B A B, each with the same warm-up and window, so that the machine's other load touches both.
Ours does more: it hashes every file and writes the index. With ``--table``, ours alone is measured
at rising numbers of cameras.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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
from benchmarks.kept import pictures
from benchmarks.sent import cameras as virtual_cameras

SUMMARY = "CPU and memory of recording 64 cameras, against ffmpeg -c copy; frames lost"
FIGURES = {
    "cpu_ratio": "CPU per camera, ours / ffmpeg's (at most 0.20 wanted)",
    "memory_ratio": "memory (PSS) per camera, ours / ffmpeg's (at most 0.15 wanted)",
    "cameras": "cameras recorded at once",
    "lost_frames": "pictures sent to our recorder and not in its files",
    "cpu_percent_per_camera": "of one core, ours",
    "ffmpeg_cpu_percent_per_camera": "of one core, ffmpeg's",
    "memory_mb_per_camera": "PSS, ours (at most 2 wanted)",
    "ffmpeg_memory_mb_per_camera": "PSS, ffmpeg's",
    "growth": "with --table: CPU per camera at the most cameras / at the fewest, 8 or more (1 wanted)",
}
TABLE = (1, 8, 32, 64, 128, 256)
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
    processes: int = 1


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
    parser.add_argument("--cameras", type=int, default=64, metavar="N", help="cameras at once (default: 64)")
    parser.add_argument(
        "--seconds", type=float, default=20, metavar="S", help="measured window (default: 20)"
    )
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="turns of each (default: 2)")
    several = ",".join(map(str, TABLE))
    parser.add_argument("--table", action="store_true", help="cost against the number of cameras, ours alone")
    parser.add_argument("--counts", default=several, metavar="N,N", help=f"with --table (default: {several})")


def run(options: argparse.Namespace) -> Figures:
    """Measure; BeholdenError when there is no ffmpeg to compare with."""
    if options.table:
        return _table(options)
    if shutil.which("ffmpeg") is None:
        raise BeholdenError(
            "no_ffmpeg", "There is no ffmpeg to compare with.", "Install it: apt-get install ffmpeg."
        )
    load = [psutil.getloadavg()[0]]
    turns = []
    for _ in range(options.rounds):
        turns += [_turn(who, options.cameras, options.seconds) for who in ("beholden", "ffmpeg")]
    load.append(psutil.getloadavg()[0])
    return _figures(turns, options.cameras, load)


def _table(options: argparse.Namespace) -> Figures:
    """Ours at each number of cameras."""
    try:
        counts = sorted({int(word) for word in options.counts.split(",")})
    except ValueError:
        raise BeholdenError("bad_counts", f"{options.counts!r} is not a list of numbers.") from None
    load = psutil.getloadavg()[0]
    rows: list[list[str]] = []
    named: dict[str, float] = {}
    costs: dict[int, float] = {}
    for count in counts:
        turn = _turn("beholden", count, options.seconds)
        costs[count] = turn.cpu / count
        memory = turn.memory / count / _MB
        lost = turn.sent - turn.kept
        named |= {f"cpu_percent_per_camera_{count}": costs[count], f"memory_mb_per_camera_{count}": memory}
        shown = (turn.cpu, costs[count], turn.memory / _MB, memory)
        rows.append([str(count), *(f"{value:.3g}" for value in shown), str(turn.processes), str(lost)])
    several = [count for count in counts if count >= 8] or counts
    named["growth"] = costs[several[-1]] / costs[several[0]]
    columns = ["cameras", "% of a core", "each", "PSS MB", "each", "processes", "lost frames"]
    now = psutil.getloadavg()[0]
    note = f"load of the machine {load:.1f} before, {now:.1f} after, on {psutil.cpu_count()} cores"
    return Figures(named, columns, rows, [note])


def _turn(who: str, count: int, seconds: float) -> Turn:
    clip = synthetic_clip(
        places.cache() / "bench", 1920, 1080, 30, 10, gop=60, audio="aac", bitrate=3_000_000, noise=2
    )
    with tempfile.TemporaryDirectory(prefix="beholden-bench-") as name:
        folder = Path(name)
        with virtual_cameras(clip, count, folder) as served:
            recording = _Ours(folder, served.urls) if who == "beholden" else _Ffmpeg(folder, served.urls)
            try:
                time.sleep(WARM_UP)
                processes = len(recording.processes())
                cpu, memory = _measure(recording, seconds)
                sent = served.hold() if who == "beholden" else 0
            finally:
                recording.stop()
        kept = _pictures_kept(folder) if who == "beholden" else 0
        return Turn(who, cpu, memory, sent, kept, processes)


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
    return sum(pictures(path) for path in folder.rglob("*.mp4"))


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
