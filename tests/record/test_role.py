"""The recorder end to end: virtual cameras over real RTSP, files, rows, the bus, stop, crash and recovery."""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from beholden.bus.client import BusClient
from beholden.bus.messages import BusError, JsonMessage, UnitMessage
from beholden.bus.paths import socket_path
from beholden.catalog import Catalog, CatalogError, cameras, gaps, segments, sites, volumes
from beholden.catalog.secrets import SecretBox
from beholden.demo.camera import VirtualCamera
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.media import Track
from beholden.model.segment import unpack_fragments
from beholden.record.fmp4 import read_units, walk
from beholden.record.role import run_recorder
from beholden.store.volume import Volume

pytestmark = pytest.mark.rtsp
FAR = 1 << 62


class Site:
    """A data directory with a recorder in a thread or a process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.catalog = Catalog.open(path)
        self.box = SecretBox.open(path)
        self.beats = 0
        self.stop_event = threading.Event()
        self.thread: threading.Thread | None = None
        self.process: Any = None
        with self.catalog.write() as conn:
            sites.ensure(conn)
        volume = Volume.create(path / "footage")
        with self.catalog.write() as conn:
            volumes.add(conn, 0, volume.uuid, str(volume.path), floor_bytes=0)

    def add(self, url: str, sub: str | None = None, **extra: Any) -> int:
        with self.catalog.write() as conn:
            new = cameras.NewCamera(f"camera {time.monotonic_ns()}", url, sub, **extra)
            return cameras.add(conn, self.box, 0, new)

    def change(self, camera: int, **changes: Any) -> None:
        with self.catalog.write() as conn:
            cameras.change(conn, self.box, 0, camera, changes)

    def start(self) -> None:
        self.stop_event = threading.Event()
        self.thread = threading.Thread(target=run_recorder, args=(self.path, 0, self.beat, self.stop_event))
        self.thread.start()

    def beat(self) -> None:
        self.beats += 1

    def stop(self) -> None:
        if self.thread is not None:
            self.stop_event.set()
            self.thread.join(30)
            assert not self.thread.is_alive()
            self.thread = None

    def start_process(self) -> None:
        self.process = multiprocessing.get_context("spawn").Process(target=record_forever, args=(self.path,))
        self.process.start()

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()
        self.process = None

    def stats(self, camera: int, stream: str = "main") -> dict[str, Any]:
        try:
            with BusClient(socket_path(self.path, "recorder-0")) as client:
                rows = client.request({"op": "stats"}, timeout=10)["streams"]
        except BusError:
            return {}
        return next((row for row in rows if (row["camera"], row["stream"]) == (camera, stream)), {})

    def segments(self, camera: int) -> list[segments.Segment]:
        with self.catalog.read() as conn:
            return segments.between(conn, camera, StreamRole.MAIN, 0, FAR)

    def gaps(self, camera: int) -> list[gaps.Gap]:
        with self.catalog.read() as conn:
            return gaps.between(conn, camera, StreamRole.MAIN, 0, FAR)

    def files(self) -> list[Path]:
        volume = Volume(self.path / "footage", "")
        return [volume.path_of(key) for key in volume.walk()]

    def file_of(self, row: segments.Segment) -> Path:
        return self.path / "footage" / row.key.path()


def record_forever(path: Path) -> None:
    """A recorder in a process of its own."""
    run_recorder(path, 0, lambda: None, threading.Event())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A data directory; whatever runs on it is stopped."""
    site = Site(tmp_path)
    yield site
    site.stop()
    if site.process is not None:
        site.kill()
    site.catalog.close()


def eventually(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait for something, generously."""
    deadline = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return value


def kept_pictures(path: Path) -> list[tuple[int, int]]:
    """(pts, bytes) of all pictures in a file of ours."""
    data = path.read_bytes()
    units = [u for ref in walk(data).fragments for u in read_units(data[ref.offset : ref.offset + ref.size])]
    return [(u.pts, u.size) for u in units if u.track is Track.VIDEO]


@pytest.mark.parametrize(
    ("name", "video", "audio"),
    [
        ("gate", "h264", "aac"),
        ("yard", "h264", "pcmu"),
        ("hall", "hevc", "aac"),
        ("dock", "h264", "pcma"),
        ("roof", "h264", "opus"),
        ("lawn", "h264", None),
    ],
)
def test_what_is_sent_is_kept(
    site: Site, virtual_cameras: Any, name: str, video: str, audio: str | None
) -> None:
    """Every codec pair: each picture the camera sent between first and last is in the file, which any player
    reads, whose row, hash and index agree, and whose end is a gap with its cause."""
    camera = site.add(virtual_cameras.url(name))
    site.start()
    eventually(lambda: (site.stats(camera).get("pictures") or 0) >= 30, "pictures arrive")
    assert site.stats(camera)["recording"] is True
    site.stop()
    (row,) = site.segments(camera)
    path = site.file_of(row)
    data = path.read_bytes()
    assert hashlib.sha256(data).digest() == row.sha256
    assert (len(data), row.repaired) == (row.size, False)
    assert [ref.entry for ref in walk(data).fragments] == list(unpack_fragments(row.fragments))
    assert (sum(ref.entry.ticks for ref in walk(data).fragments)) // 90 == pytest.approx(
        row.end_ms - row.key.start_ms, abs=1
    )
    with av.open(str(path)) as container:
        names = [stream.codec_context.name for stream in container.streams]
        decoded = sum(1 for _ in container.decode(video=0))
    kept = kept_pictures(path)
    assert decoded == len(kept) >= 20
    assert names[0] == video
    if audio is not None:
        assert audio.replace("pcmu", "pcm_mulaw").replace("pcma", "pcm_alaw") in names[1]
        with av.open(str(path)) as container:
            assert sum(frame.samples for frame in container.decode(audio=0)) > 0
    steps = {b[0] - a[0] for a, b in itertools.pairwise(kept)}
    assert steps == {9000}, "10 pictures a second, none missing"
    (gap,) = site.gaps(camera)
    assert (gap.cause, gap.start_ms, gap.end_ms) == (GapCause.RECORDER_STOPPED, row.end_ms, None)


def test_a_stream_is_pulled_once_whoever_listens(site: Site, camera_factory: Any, clip_factory: Any) -> None:
    """Recording and two listeners share one connection to the camera: weak ones crash under a second."""
    server = camera_factory([VirtualCamera("one", clip_factory())])
    camera = site.add(server.url("one"))
    site.start()
    eventually(lambda: site.stats(camera).get("recording"))
    path = socket_path(site.path, "recorder-0")
    with BusClient(path) as one, BusClient(path) as other:
        for client in (one, other):
            client.subscribe(camera, StreamRole.MAIN, fast=client is one)
        for client in (one, other):
            eventually(lambda client=client: isinstance(client.receive(20), UnitMessage))
        assert site.stats(camera)["recording"] is True
        assert server.connections == 1


def test_sub_streams_are_relayed_and_not_recorded(site: Site, virtual_cameras: Any) -> None:
    """A listener gets the format, then units from a keyframe on; no file appears for the sub stream."""
    camera = site.add(virtual_cameras.url("gate"), virtual_cameras.url("gate", "sub"))
    site.start()
    eventually(lambda: site.stats(camera, "sub").get("pictures"))
    with BusClient(socket_path(site.path, "recorder-0")) as client:
        client.subscribe(camera, StreamRole.SUB)
        first = client.receive(20)
        assert isinstance(first, JsonMessage)
        assert first.body["video"]["width"] == 160
        second = client.receive(20)
        assert isinstance(second, UnitMessage)
        assert second.unit.key
        numbers = [
            m.unit.pts
            for _, m in zip(range(10), client.messages(20), strict=False)
            if isinstance(m, UnitMessage)
        ]
        assert numbers == sorted(numbers)
    assert site.stats(camera, "sub")["recording"] is False
    assert all("main" in str(path) for path in site.files())


def test_a_new_listener_of_main_gets_the_gop_from_disk(
    site: Site, camera_factory: Any, clip_factory: Any
) -> None:
    """With a long GOP most of it lies in the open file; a new listener gets it whole, then goes on live."""
    clip = clip_factory(fps=10, seconds=6, gop=60)
    server = camera_factory([VirtualCamera("long", clip)])
    camera = site.add(server.url("long"))
    site.start()
    eventually(lambda: (site.stats(camera).get("pictures") or 0) >= 25)
    with BusClient(socket_path(site.path, "recorder-0")) as client:
        client.subscribe(camera, StreamRole.MAIN, fast=True)
        assert isinstance(client.receive(20), JsonMessage)
        units = []
        while len(units) < 40:
            message = client.receive(20)
            assert isinstance(message, UnitMessage)
            units.append(message.unit)
    assert units[0].key
    assert [b.pts - a.pts for a, b in itertools.pairwise(units)] == [9000] * 39


def test_kill_loses_at_most_the_open_fragment(site: Site, virtual_cameras: Any) -> None:
    """kill -9 in mid-file: the next start repairs and indexes what is there, tells the hole, goes on."""
    camera = site.add(virtual_cameras.url("yard"))
    site.start_process()
    seen = eventually(lambda: (s := site.stats(camera)) and s["pictures"] >= 35 and s)
    site.kill()
    (path,) = site.files()
    assert site.segments(camera) == []
    with path.open("ab") as file:
        file.write(b"\0\0\1\0moof half written")
    site.start()
    row = eventually(lambda: site.segments(camera))[0]
    eventually(lambda: site.stats(camera).get("last_fragment_ms"))
    site.stop()
    assert row.repaired
    data = path.read_bytes()
    assert (len(data), hashlib.sha256(data).digest()) == (row.size, row.sha256)
    assert len(kept_pictures(path)) >= seen["pictures"] - 12
    crash, stopped = site.gaps(camera)
    again = site.segments(camera)[-1]
    assert (crash.cause, crash.start_ms, crash.end_ms) == (
        GapCause.RECORDER_CRASHED,
        row.end_ms,
        again.key.start_ms,
    )
    assert stopped.cause is GapCause.RECORDER_STOPPED
    assert site.beats > 0


def test_a_lost_camera_is_a_gap_that_ends(site: Site, camera_factory: Any, clip_factory: Any) -> None:
    """The connection breaks: the file ends, the gap has its cause, and ends where the next file begins."""
    server = camera_factory([VirtualCamera("one", clip_factory())])
    camera = site.add(server.url("one"))
    site.start()
    eventually(lambda: (site.stats(camera).get("pictures") or 0) >= 15)
    server.drop_clients()
    eventually(lambda: site.stats(camera).get("reconnects"))
    eventually(lambda: site.stats(camera).get("recording"))
    site.stop()
    first, second = site.segments(camera)
    lost = site.gaps(camera)[0]
    assert (lost.cause, lost.start_ms) == (GapCause.CAMERA_LOST, first.end_ms)
    assert lost.end_ms == second.key.start_ms


def test_changes_touch_only_their_camera(site: Site, virtual_cameras: Any) -> None:
    """Switching recording off and on makes a gap on that camera; another goes on in the same file."""
    one, other = site.add(virtual_cameras.url("gate")), site.add(virtual_cameras.url("lawn"))
    site.start()
    eventually(lambda: site.stats(one).get("recording") and site.stats(other).get("recording"))
    site.change(one, record=False)
    eventually(lambda: site.stats(one).get("recording") is False)
    assert site.stats(one)["state"] == "live"
    eventually(lambda: [g.cause for g in site.gaps(one)] == [GapCause.RECORDING_OFF])
    site.change(one, record=True)
    eventually(lambda: site.stats(one).get("recording"))
    third = site.add(virtual_cameras.url("roof"), record_audio=False)
    eventually(lambda: site.stats(third).get("recording"))
    with site.catalog.write() as conn:
        cameras.remove(conn, 0, third)
    eventually(lambda: site.stats(third) == {})
    site.stop()
    assert len(site.segments(one)) == 2
    assert len(site.segments(other)) == 1
    (silent,) = site.segments(third)
    with site.catalog.read() as conn:
        assert segments.formats(conn, [silent.format])[silent.format].audio_codec is None


def test_a_swapped_disk_is_said_and_live_goes_on(site: Site, virtual_cameras: Any) -> None:
    """Without the right identity nothing is written; stats say why; it records when the disk is back."""
    identity = site.path / "footage" / ".beholden-volume"
    right = identity.read_text()
    identity.unlink()
    camera = site.add(virtual_cameras.url("gate"))
    site.start()
    told = eventually(lambda: (s := site.stats(camera)) and "identity" in s["reason"] and s)
    assert (told["state"], told["recording"]) == ("live", False)
    assert told["next_step"]
    assert site.files() == []
    identity.write_text(right)
    eventually(site.files)
    eventually(lambda: site.stats(camera)["recording"])
    site.stop()
    assert site.gaps(camera)[0].cause is GapCause.DISK_ERROR
    assert site.gaps(camera)[0].end_ms == site.segments(camera)[0].key.start_ms


def test_a_directory_without_a_volume_gets_its_first(tmp_path: Path) -> None:
    """A recorder that finds none registered makes ``footage``; one without a catalog says so and ends; one
    that is told to stop before it began does nothing."""
    with pytest.raises(CatalogError, match="no catalog"):
        run_recorder(tmp_path, 0, lambda: None, threading.Event())
    catalog = Catalog.open(tmp_path)
    with catalog.write() as conn:
        sites.ensure(conn)
    stopped = threading.Event()
    stopped.set()
    run_recorder(tmp_path, 0, lambda: None, stopped)
    assert not (tmp_path / "footage").exists()
    stop = threading.Event()
    thread = threading.Thread(target=run_recorder, args=(tmp_path, 0, lambda: None, stop))
    thread.start()
    eventually(socket_path(tmp_path, "recorder-0").exists)
    stop.set()
    thread.join(30)
    with catalog.read() as conn:
        (row,) = volumes.all_volumes(conn)
    assert Path(row.path) == tmp_path / "footage"
    catalog.close()


def test_bad_requests_are_answered(site: Site) -> None:
    """Nonsense and streams that do not exist get a typed answer."""
    site.start()
    eventually(socket_path(site.path, "recorder-0").exists)
    with BusClient(socket_path(site.path, "recorder-0")) as client:
        for body in (
            {"op": "dance"},
            {"op": "subscribe"},
            {"op": "subscribe", "camera": 9, "stream": "main"},
        ):
            with pytest.raises(BusError):
                client.request(body)
        process = client.request({"op": "stats"})["process"]
        assert process["pid"] == os.getpid()
        assert process["rss_bytes"] > 0
