"""The whole system under load and under fire: many cameras for minutes, retention by size, kill -9 at random.

`beholden run` records virtual cameras (1080p, 3 Mbit/s, 30 fps, GOP 2 s, AAC) that remember what they sent.
At random moments processes are killed; afterwards what was sent is compared with what was kept, picture by
picture. A kill's loss is the time from the kill back to the moment at which the last kept picture left its
camera. In the same call, ``ffmpeg -c copy -f segment`` (Matroska, which survives a kill) is killed on
the same cameras.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from beholden.catalog import cameras
from beholden.catalog.tables import volume
from beholden.demo import places
from beholden.demo.synthetic import synthetic_clip
from beholden.model.errors import BeholdenError
from beholden.model.time import SystemClock
from beholden.run import first_start, settings
from benchmarks.figures import Figures
from benchmarks.kept import Counter, KeptFile, corrupt_files, pictures, unexplained_gaps
from benchmarks.sent import Cameras, Session
from benchmarks.sent import cameras as virtual_cameras
from benchmarks.system import System, until

SUMMARY = "many cameras for minutes while processes are killed: what is lost, against ffmpeg"
FIGURES = {
    "cameras": "recorded at once",
    "kills": "times that recorders were killed",
    "mean_loss_seconds": "of footage per kill and camera (at most 0.6 wanted)",
    "worst_loss_seconds": "of footage in one kill (at most 1.2 wanted)",
    "ffmpeg_mean_loss_seconds": "the same of ffmpeg -c copy -f segment",
    "ffmpeg_worst_loss_seconds": "the same of ffmpeg",
    "corrupt_files": "files that another reader cannot read to their end, or that differ from their row",
    "unexplained_gaps": "holes between files that no gap with a cause covers",
    "lost_frames": "pictures sent and not kept, losses at kills left out",
    "p99_fragment_to_disk_gops": "99th percentile of a fragment's wait for the disk, in GOPs (at most 2)",
    "start_seconds": "from the command to all cameras recording (64 cameras: at most 5 wanted)",
    "reconnect_median_seconds": "after all connections were cut (at most 1 wanted)",
    "stored_gigabytes": "footage on the volume at the end",
}
GOP_SECONDS = 2.0
_SETTLE_SECONDS = 4.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, how long, how violent."""
    parser.add_argument("--cameras", type=int, default=8, metavar="N", help="cameras at once (default: 8)")
    parser.add_argument("--minutes", type=float, default=0.5, metavar="M", help="of recording (default: 0.5)")
    parser.add_argument(
        "--kills", type=int, default=3, metavar="N", help="kill -9, evenly spread (default: 3)"
    )
    parser.add_argument(
        "--victims", choices=("recorders", "any"), default="any", help="what is killed (default: any)"
    )
    parser.add_argument("--gigabytes", type=float, metavar="GB", help="hold the store to this size")
    parser.add_argument("--no-peer", action="store_true", help="without ffmpeg")
    parser.add_argument("--seed", type=int, metavar="N", help="of the random moments")


def run(options: argparse.Namespace) -> Figures:
    """Measure; BeholdenError when the system does not come up."""
    if not options.no_peer and shutil.which("ffmpeg") is None:
        raise BeholdenError("no_ffmpeg", "There is no ffmpeg.", "apt-get install ffmpeg, or give --no-peer.")
    chance = random.Random(options.seed)
    folder = places.cache() / "bench"
    clip = synthetic_clip(folder, 1920, 1080, 30, 10, gop=60, audio="aac", bitrate=3_000_000, noise=2)
    with tempfile.TemporaryDirectory(prefix="beholden-soak-") as name:
        load = psutil.getloadavg()[0]
        with virtual_cameras(clip, options.cameras, Path(name)) as served:
            ours = _soak(Path(name) / "data", served, options, chance)
        peer = []
        if not options.no_peer:
            for _ in range(max(1, min(2, options.kills))):
                with virtual_cameras(clip, options.cameras, Path(name)) as served:
                    peer += _peer_kill(Path(name) / "peer", served, chance)
        return _figures(ours, peer, options, load)


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill -9: when, who, and the shards that died of it."""

    at_ms: int
    victim: str
    shards: frozenset[int]


@dataclass(slots=True)
class Soaked:
    """What a soak showed."""

    kills: list[Kill]
    losses: list[float]
    lost_frames: int
    corrupt: int
    unexplained: int
    delay_ms: float
    start_seconds: float
    reconnects: list[float]
    stored: int


def _soak(data: Path, served: Cameras, options: argparse.Namespace, chance: random.Random) -> Soaked:
    shards = _prepare(data, served.urls, options.gigabytes)
    began = time.monotonic()
    system = System(data)
    try:
        until(lambda: len(_recording(data)) == options.cameras, "all cameras are recorded")
        start_seconds = time.monotonic() - began
        counter = Counter(data)
        counter.start()
        kills, delays = _fire(system, set(shards.values()), options, chance, began)
        cut_ms = SystemClock().now_ms()
        reconnects = served.drop()
        until(lambda: _all_live(system, options.cameras), "all cameras are live again")
        time.sleep(_SETTLE_SECONDS)
        delays += _delays(system)
        served.hold()
        time.sleep(1)
    finally:
        system.stop()
    files = counter.finish()
    sent = served.sent()
    losses, lost = _compare(sent, files, shards, kills, cut_ms)
    stored = sum(path.stat().st_size for path in data.rglob("*.mp4"))
    unexplained, corrupt = unexplained_gaps(data), corrupt_files(data)
    delay = max(delays, default=0.0)
    return Soaked(kills, losses, lost, corrupt, unexplained, delay, start_seconds, reconnects, stored)


def _prepare(data: Path, urls: list[str], gigabytes: float | None) -> dict[int, int]:
    """A data directory with these cameras; camera to shard."""
    site = first_start.prepare(settings.load(data=data), SystemClock())
    with site.catalog.write() as conn:
        for index, url in enumerate(urls):
            new = cameras.NewCamera(f"camera {index + 1}", url, analyse="off")
            cameras.add(conn, site.box, SystemClock().now_ms(), new)
        if gigabytes:
            conn.execute(volume.update().values(limit_bytes=int(gigabytes * 1e9)))
        shards = {camera.id: camera.shard for camera in cameras.present(conn, None)}
    site.catalog.close()
    return shards


def _fire(
    system: System, shards: set[int], options: argparse.Namespace, chance: random.Random, began: float
) -> tuple[list[Kill], list[float]]:
    """Record for the time asked, with kills evenly spread but for chance."""
    end = began + options.minutes * 60
    step = max(_SETTLE_SECONDS, (end - time.monotonic()) / (options.kills + 1))
    kills: list[Kill] = []
    delays: list[float] = []
    for _ in range(options.kills):
        time.sleep(step + chance.uniform(-1, 1))
        until(lambda: _all_live(system, options.cameras), "all cameras are live after a kill")
        time.sleep(chance.uniform(0, GOP_SECONDS))
        delays += _delays(system)
        victim = chance.choice(["recorder", "recorder", "system", "web", "analyser"])
        if options.victims == "recorders" or not kills:
            victim = "recorder"
        at_ms = SystemClock().now_ms()
        system.kill(victim)
        kills.append(Kill(at_ms, victim, frozenset(shards if victim in ("recorder", "system") else ())))
    time.sleep(max(_SETTLE_SECONDS, end - time.monotonic()))
    until(lambda: _all_live(system, options.cameras), "all cameras are live at the end")
    return kills, delays


def _compare(
    sent: list[list[Session]],
    files: dict[int, list[KeptFile]],
    shards: dict[int, int],
    kills: list[Kill],
    cut_ms: int,
) -> tuple[list[float], int]:
    """Seconds lost per kill and camera, and pictures missing otherwise."""
    losses: list[float] = []
    lost = 0
    for camera, sessions in enumerate(sent, 1):
        deaths = [kill.at_ms for kill in kills if shards[camera] in kill.shards]
        bounds = sorted([*deaths, cut_ms])
        for since, end in zip([0, *bounds], [*bounds, 1 << 62], strict=True):
            at_ms = [
                at for each in sessions if since <= each.at_ms[0] < end for at in each.at_ms if at <= end
            ]
            kept = sum(file.pictures for file in files.get(camera, ()) if since <= file.start_ms < end)
            if end in deaths and at_ms:
                last = at_ms[min(kept, len(at_ms)) - 1] if kept else at_ms[0]
                losses.append((end - last) / 1000)
            elif end != cut_ms:
                lost += max(0, len(at_ms) - kept)
    return losses, lost


def _peer_kill(folder: Path, served: Cameras, chance: random.Random) -> list[float]:
    """Record with ffmpeg, kill all of it at a random moment; seconds lost per camera."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    processes = []
    for index, url in enumerate(served.urls):
        command = [
            "ffmpeg",
            "-nostdin",
            "-loglevel",
            "error",
            "-rtsp_transport",
            "tcp",
            "-i",
            url,
            "-c",
            "copy",
        ]
        command += ["-f", "segment", "-segment_time", "60", f"{folder}/{index}-%03d.mkv"]
        quiet = subprocess.DEVNULL
        processes.append(subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet))
    try:
        until(lambda: len(list(folder.glob("*.mkv"))) == len(processes), "ffmpeg records")
        time.sleep(6 + chance.uniform(0, 5))
    finally:
        at_ms = SystemClock().now_ms()
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
    losses = []
    for index, (session, *_) in enumerate(served.sent()):
        kept = sum(pictures(path) for path in sorted(folder.glob(f"{index}-*.mkv")))
        sent = [at for at in session.at_ms if at <= at_ms]
        losses.append((at_ms - (sent[min(kept, len(sent)) - 1] if kept else sent[0])) / 1000)
    return losses


def _recording(data: Path) -> set[str]:
    """Cameras of which some footage lies on the disk."""
    return {path.name for path in (data / "footage").glob("cam-*") if any(path.rglob("*.mp4"))}


def _all_live(system: System, count: int) -> bool:
    rows = [row for each in system.stats() for row in each["streams"]]
    return len([row for row in rows if row["recording"] and row["state"] == "live"]) == count


def _delays(system: System) -> list[float]:
    return [float(each["process"].get("disk_delay_p99_ms") or 0) for each in system.stats()]


def _figures(ours: Soaked, peer: list[float], options: argparse.Namespace, load: float) -> Figures:
    fatal = [kill for kill in ours.kills if kill.shards]
    named: dict[str, float] = {
        "cameras": options.cameras,
        "kills": len(ours.kills),
        "mean_loss_seconds": statistics.fmean(ours.losses) if ours.losses else 0.0,
        "worst_loss_seconds": max(ours.losses, default=0.0),
        "corrupt_files": ours.corrupt,
        "unexplained_gaps": ours.unexplained,
        "lost_frames": ours.lost_frames,
        "p99_fragment_to_disk_gops": ours.delay_ms / 1000 / GOP_SECONDS,
        "start_seconds": ours.start_seconds,
        "reconnect_median_seconds": statistics.median(ours.reconnects) if ours.reconnects else -1.0,
        "stored_gigabytes": ours.stored / 1e9,
    }
    if peer:
        named["ffmpeg_mean_loss_seconds"] = statistics.fmean(peer)
        named["ffmpeg_worst_loss_seconds"] = max(peer)
    rows = [[kill.victim, str(kill.at_ms), str(len(kill.shards))] for kill in ours.kills]
    now = psutil.getloadavg()[0]
    notes = [
        f"load of the machine {load:.1f} before, {now:.1f} after, on {psutil.cpu_count()} cores",
        f"{len(fatal)} of {len(ours.kills)} kills hit recorders; {len(ours.losses)} losses measured",
    ]
    return Figures(named, ["killed", "at (epoch ms)", "shards"], rows, notes)
