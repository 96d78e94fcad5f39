"""The product's own way from a camera to an event, for measuring: RTSP, recorder, analyser, catalog."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from beholden.analyse.analyser import Analyser, Seen
from beholden.analyse.decode import Decoded
from beholden.analyse.detect.choice import open_detector
from beholden.analyse.events import EventChange
from beholden.analyse.hooks import Hooks
from beholden.analyse.keeper import Keeper
from beholden.analyse.mailbox import Look
from beholden.analyse.onlooker import Small
from beholden.analyse.sink import CatalogSink
from beholden.bus.local import BusClient, ThreadedBusServer, socket_path
from beholden.catalog import Catalog, cameras
from beholden.model.errors import BeholdenError
from beholden.model.event import Detection
from beholden.model.frame import TrackedFrame
from beholden.model.time import SystemClock
from beholden.run import first_start, settings
from beholden.run.launcher import ForkServerLauncher
from beholden.run.roles import RoleSpec
from benchmarks.system import until

DEFAULT_FOOTAGE = Path(__file__).resolve().parents[2] / "shared" / "footage"


def footage(option: Path | None) -> Path:
    """The folder of real clips: the option, BEHOLDEN_FOOTAGE, or ``shared/footage`` beside the checkout."""
    folder = option or Path(os.environ.get("BEHOLDEN_FOOTAGE", DEFAULT_FOOTAGE))
    if not folder.is_dir():
        raise BeholdenError(
            "no_footage",
            f"There is no footage at {folder}.",
            "Name its folder with --footage DIR or BEHOLDEN_FOOTAGE.",
        )
    return folder


@dataclass
class Witness:
    """An onlooker that remembers: every analysed picture's time and shrunk picture, every tracked frame."""

    pictures: dict[int, list[tuple[int, Small]]] = field(default_factory=dict)
    frames: dict[int, list[TrackedFrame]] = field(default_factory=dict)
    detections: dict[int, list[tuple[int, Sequence[Detection]]]] = field(default_factory=dict)

    def pictured(self, camera: int, at_ms: int, small: Small, picture: Decoded) -> None:  # noqa: ARG002
        """One more."""
        self.pictures.setdefault(camera, []).append((at_ms, small))

    def tracked(self, frame: TrackedFrame, picture: Decoded) -> None:  # noqa: ARG002
        """One more."""
        self.frames.setdefault(frame.camera, []).append(frame)

    def ended(self, camera: int) -> None:
        """Nothing to remember."""


class WitnessedAnalyser(Analyser):
    """The analyser, with what the detector found in each picture told to a witness."""

    witness: Witness

    def _hand_on(self, seen: Seen, look: Look, *, detected: bool) -> None:
        if detected:
            found = self.witness.detections.setdefault(seen.config.id, [])
            found.append((look.picture.at_ms, seen.teller.found))
        super()._hand_on(seen, look, detected=detected)


class TimedSink(CatalogSink):
    """The catalog, and when (epoch milliseconds) each event's row was in it."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        self.stored: dict[int, float] = {}

    def start(self, change: EventChange) -> int:
        """See EventSink."""
        number = super().start(change)
        self.stored[number] = time.time() * 1000
        return number


@dataclass
class Seeing:
    """A site that runs. ``ids`` are its cameras by name."""

    data: Path
    catalog: Catalog
    analyser: Analyser
    sink: TimedSink
    ids: dict[str, int]
    recorder_pids: list[int]
    camera_pid: int


@contextlib.contextmanager
def seeing(
    data: Path,
    clips: Mapping[str, Path],
    modes: Mapping[str, str],
    witness: Witness,
    *,
    record: bool = False,
) -> Iterator[Seeing]:
    """Virtual cameras that play clips, each analysed in its mode, a recorder of them, and the analyser."""
    with virtual_cameras({name: str(clip) for name, clip in clips.items()}) as (urls, pid):
        site = first_start.prepare(settings.load(data=data), SystemClock())
        with site.catalog.write() as conn:
            ids = {
                name: cameras.add(
                    conn,
                    site.box,
                    SystemClock().now_ms(),
                    cameras.NewCamera(name, url[0], analyse=modes[name], record=record),
                )
                for name, url in urls.items()
            }
        with site.catalog.read() as conn:
            configs, shards = cameras.present(conn, None), cameras.shards(conn)
        launcher = ForkServerLauncher(data, "console")
        children = [
            launcher.start(RoleSpec("recorder", s, "beholden.record.role:run_recorder", (data, s)))
            for s in shards
        ]
        server = ThreadedBusServer(socket_path(data, "analyser"), lambda _: None)
        sink = TimedSink(site.catalog)
        keeper = Keeper(data, sink, server.publish)
        WitnessedAnalyser.witness = witness
        analyser = WitnessedAnalyser(
            open_detector(data, ""),
            keeper,
            BusClient.connect,
            lambda shard: socket_path(data, f"recorder-{shard}"),
            SystemClock(),
            Hooks(onlookers=[witness]),
        )
        analyser.configure(configs)
        pids = [child.pid for child in children]
        try:
            yield Seeing(data, site.catalog, analyser, sink, ids, pids, pid)
        finally:
            analyser.close()
            keeper.close()
            server.close()
            for child in children:
                child.stop()
            with contextlib.suppress(BeholdenError):
                until(lambda: all(child.exit_code() is not None for child in children), "recorders end")
            for child in children:
                child.kill()
            site.catalog.close()


@contextlib.contextmanager
def virtual_cameras(clips: Mapping[str, str]) -> Iterator[tuple[dict[str, tuple[str, str]], int]]:
    """Cameras that play ``MAIN`` or ``MAIN,SUB``: ((main, sub) addresses by name, process id)."""
    command = [sys.executable, "-m", "beholden.demo", "cameras", "--child"]
    for number, files in enumerate(clips.values()):
        command += ["--clip", f"camera-{number + 1}={files}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())["cameras"]
            found = zip(clips, ready, strict=True)
            yield {name: (each["main"], each.get("sub") or "") for name, each in found}, process.pid
        finally:
            process.terminate()


def first_picture(witness: Witness, camera: int) -> None:
    """Until pictures of a camera are analysed."""
    until(lambda: witness.pictures.get(camera), "pictures arrive")
