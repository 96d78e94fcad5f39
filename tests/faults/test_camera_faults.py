"""Every fault a camera can have, through the real client and the real recorder to what lies on disk.

One recorder pulls a camera for each fault at once. Every picture carries its number, so that what was kept
can be compared with what was sent: nothing lost without a reason told, nothing twice, nothing out of order.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest

from beholden.bus.client import BusClient
from beholden.bus.messages import BusError
from beholden.bus.paths import socket_path
from beholden.catalog import Catalog, cameras, gaps, segments, sites, volumes
from beholden.catalog.secrets import SecretBox
from beholden.demo.camera import VirtualCamera
from beholden.demo.identity import TlsIdentity
from beholden.demo.rtsp_server import RunningCameras, start_virtual_cameras
from beholden.demo.synthetic import read_frame_number
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.record.role import run_recorder
from beholden.store.volume import Volume

pytestmark = [pytest.mark.faults, pytest.mark.rtsp]

ROUND = 300  # pictures before the numbers begin anew: longer than any run
ENOUGH = 110  # pictures sent by every camera that can send on
FAR = 1 << 62

# Nothing may be missing: camera, what is wrong with it, how it is pulled.
WHOLE: dict[str, tuple[dict[str, object], dict[str, str]]] = {
    "plain": ({}, {}),
    "garbage": ({"garbage": 64}, {}),
    "no-marker": ({"no_marker": True}, {}),
    "no-sets": ({"no_parameter_sets": True}, {}),
    "no-in-band": ({"no_in_band": True}, {}),
    "early": ({"early": True}, {}),
    "jump-on": ({"jump": "3:5000"}, {}),
    "jump-back": ({"jump": "3:-5000"}, {}),
    "wrap": ({"wrap": 3}, {}),
    "still": ({"stand_still": "3:2"}, {}),
    "fast-clock": ({"drift": 500}, {}),
    "slow-clock": ({"drift": -500}, {}),
    "wrong-clock": ({"wrong_clock": -7200}, {}),
    "wrong-sound": ({"wrong_clock": "3600:audio"}, {}),
    "late-sound": ({"audio_late": 3}, {}),
    "sound-stops": ({"audio_stops": 3}, {}),
    "impatient": ({"session_timeout": 2}, {}),
    "absolute": ({"absolute_control": True}, {}),
    "no-tcp": ({"no_tcp": True}, {}),
    "udp": ({}, {"transport": "udp"}),
    "udp-order": ({"reorder": True}, {"transport": "udp"}),
    "udp-twice": ({"duplicate": True}, {"transport": "udp"}),
    "b-pictures": ({}, {}),
    "long-gop": ({}, {}),
    "hevc": ({}, {}),
}
# The connection breaks or media goes bad: what may be missing has a gap or a count that tells of it.
BROKEN: dict[str, tuple[dict[str, object], dict[str, str], GapCause | None]] = {
    "drop": ({"drop": 4}, {}, GapCause.CAMERA_LOST),
    "freeze": ({"freeze": 4}, {}, GapCause.CAMERA_STALLED),
    "half-open": ({"half_open": 4}, {}, GapCause.CAMERA_STALLED),
    "login-lost": ({"unauthorised": 5}, {}, GapCause.LOGIN_REFUSED),
    "bad-frames": ({"bad_frames": 40}, {}, None),
    "udp-loss": ({"loss": 0.02}, {"transport": "udp"}, None),
}


@dataclass(frozen=True)
class Row:
    """What became of one camera: its number in the catalog and its last status."""

    id: int
    status: dict[str, Any]


class Aftermath:
    """All cameras after the run: what they sent, what was kept, what is said about the rest."""

    def __init__(
        self, site: Path, catalog: Catalog, servers: dict[str, RunningCameras], rows: dict[str, Row]
    ) -> None:
        self.site = site
        self.catalog = catalog
        self.rows = rows
        self._servers = servers

    def sent(self, name: str) -> list[int]:
        """Numbers of all pictures sent, in order of sending."""
        return [each.round * ROUND + each.number for each in self._servers[name].sent_pictures(name)]

    def rows_of(self, name: str) -> list[segments.Segment]:
        """Its segments, oldest first."""
        with self.catalog.read() as conn:
            return segments.between(conn, self.rows[name].id, StreamRole.MAIN, 0, FAR)

    def kept(self, name: str) -> list[tuple[float, int]]:
        """(seconds, number) of all pictures kept, as an independent decoder shows them, file after file."""
        found: list[tuple[float, int]] = []
        for row in self.rows_of(name):
            with av.open(str(self.site / "footage" / row.key.path())) as container:
                for frame in container.decode(video=0):
                    number = read_frame_number(frame.to_ndarray(format="gray"))
                    assert number is not None or name == "bad-frames"
                    assert frame.pts is not None
                    assert frame.time_base is not None
                    found.append((float(frame.pts * frame.time_base), number or 0))
        return found

    def causes(self, name: str) -> list[GapCause]:
        """Causes of its gaps, oldest first."""
        with self.catalog.read() as conn:
            return [gap.cause for gap in gaps.between(conn, self.rows[name].id, StreamRole.MAIN, 0, FAR)]


def _clips(make: Callable[..., Path]) -> dict[str, Path]:
    usual = make(seconds=ROUND / 10, audio="aac")
    clips = dict.fromkeys([*WHOLE, *BROKEN], usual)
    clips["b-pictures"] = make(seconds=ROUND / 10, b_pictures=2)
    clips["long-gop"] = make(seconds=ROUND / 25, fps=25, gop=250)  # 10 seconds and 250 pictures
    clips["hevc"] = make(seconds=ROUND / 10, codec="h265")
    return clips


def _stats(site: Path, shards: list[int]) -> dict[int, dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for shard in shards:
        try:
            with BusClient(socket_path(site, f"recorder-{shard}")) as client:
                rows += client.request({"op": "stats"}, timeout=10)["streams"]
        except BusError:
            continue
    return {row["camera"]: row for row in rows}


def _prepare(site: Path) -> Catalog:
    catalog = Catalog.open(site)
    volume = Volume.create(site / "footage")
    with catalog.write() as conn:
        sites.ensure(conn)
        volumes.add(conn, 0, volume.uuid, str(volume.path), floor_bytes=0)
    return catalog


def _until(condition: Callable[[], object], seconds: float = 90, tell: Callable[[], object] = str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, tell()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def aftermath(
    tmp_path_factory: pytest.TempPathFactory, clip_factory: Callable[..., Path]
) -> Iterator[Aftermath]:
    """The run: all cameras at once, until each has sent enough and the broken ones were noticed."""
    site = tmp_path_factory.mktemp("camera-faults")
    clips = _clips(clip_factory)
    identity = TlsIdentity()
    others = [
        VirtualCamera("recode", clip_factory(seconds=ROUND / 10)),
        VirtualCamera("recoded", clip_factory(seconds=ROUND / 10, codec="h265")),
        VirtualCamera("resize", clip_factory(seconds=ROUND / 10)),
        VirtualCamera("resized", clip_factory(seconds=ROUND / 10, width=480, height=270)),
    ]
    with ExitStack() as ending:
        server = ending.enter_context(
            start_virtual_cameras([*(VirtualCamera(name, clip) for name, clip in clips.items()), *others])
        )
        usual = [
            VirtualCamera(name, clips["plain"]) for name in ("rtsps", "digest-sha256", "basic", "digest")
        ]
        guarded = [
            ending.enter_context(start_virtual_cameras(usual, "cam", "pw", scheme=scheme, identity=tls))
            for scheme, tls in (
                ("digest", identity),
                ("digest-sha256", None),
                ("basic", None),
                ("digest", None),
            )
        ]
        catalog = _prepare(site)
        ending.callback(catalog.close)
        box = SecretBox.open(site)
        wanted = {name: (server.url(name, **fault), more) for name, (fault, more) in WHOLE.items()}
        wanted |= {name: (server.url(name, **fault), more) for name, (fault, more, _) in BROKEN.items()}
        wanted["recode"] = (server.url("recode", recode="4:recoded"), {})
        wanted["resize"] = (server.url("resize", swap="4:resized"), {})
        for camera, running in zip(usual, guarded, strict=True):
            pin = {"certificate": f"sha256:{identity.fingerprint}"} if camera.name == "rtsps" else {}
            wanted[camera.name] = (running.url(camera.name), {"username": "cam", "password": "pw", **pin})
        ids = {}
        with catalog.write() as conn:
            for name, (url, more) in wanted.items():
                new = cameras.NewCamera(name, url, None, analyse="off", **more)  # type: ignore[arg-type]
                ids[name] = cameras.add(conn, box, 0, new)
        stop = threading.Event()
        with catalog.read() as conn:
            shards = cameras.shards(conn)
        recorders = [
            threading.Thread(target=run_recorder, args=(site, shard, lambda: None, stop)) for shard in shards
        ]
        for recorder in recorders:
            recorder.start()
        servers = dict.fromkeys(wanted, server)
        servers |= {camera.name: each for camera, each in zip(usual, guarded, strict=True)}
        after = Aftermath(site, catalog, servers, {})
        try:
            steady = [*WHOLE, *(camera.name for camera in usual)]
            _until(
                lambda: all(len(after.sent(name)) >= ENOUGH for name in steady),
                tell=lambda: {name: len(after.sent(name)) for name in steady},
            )
            stalled = ("freeze", "half-open")
            _until(
                lambda: all((_stats(site, shards).get(ids[name]) or {}).get("reconnects") for name in stalled)
            )
            for each in (server, *guarded):
                each.hold()
            time.sleep(2)  # what is on its way arrives
        finally:
            last = _stats(site, shards)
            stop.set()
            for recorder in recorders:
                recorder.join(30)
        after.rows = {name: Row(number, last.get(number, {})) for name, number in ids.items()}
        yield after


def _in_order(kept: list[tuple[float, int]]) -> None:
    assert kept
    times = [seconds for seconds, _ in kept]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    numbers = [number for _, number in kept]
    assert all((later - earlier) % ROUND < ROUND // 2 for earlier, later in itertools.pairwise(numbers))
    assert all(later != earlier for earlier, later in itertools.pairwise(numbers))


@pytest.mark.parametrize("name", [*WHOLE, "rtsps", "digest-sha256", "basic", "digest"])
def test_a_camera_with_this_fault_loses_nothing(aftermath: Aftermath, name: str) -> None:
    """Every picture it sent is kept, once, in order, and decodes; the only gap is the stop at the end."""
    kept, sent = aftermath.kept(name), [number % ROUND for number in aftermath.sent(name)]
    _in_order(kept)
    if name == "b-pictures":  # sent in another order than shown; the end may lack what was not sent any more
        assert len(kept) == len(sent)
    else:
        # Without a marker the last picture ends with the next, which never came.
        assert [number for _, number in kept] == (sent[:-1] if name == "no-marker" else sent)
    assert aftermath.causes(name) == [GapCause.RECORDER_STOPPED]
    assert aftermath.rows[name].status["state"] == "live"


@pytest.mark.parametrize("name", BROKEN)
def test_what_a_broken_camera_loses_is_explained(aftermath: Aftermath, name: str) -> None:
    """What was kept was sent, in order; where something is missing, a gap says why or packets are counted."""
    cause = BROKEN[name][2]
    kept, sent = aftermath.kept(name), [number % ROUND for number in aftermath.sent(name)]
    assert all(later[0] > earlier[0] for earlier, later in itertools.pairwise(kept))
    if name != "bad-frames":  # its numbers may be unreadable
        left = iter(sent)  # a camera that is pulled again sends its GOP once more
        assert all(number in left for _, number in kept), "kept as sent, in that order"
    if cause is not None:
        assert cause in aftermath.causes(name)
        assert aftermath.rows[name].status["reconnects"] >= 1
    elif name == "udp-loss":
        assert aftermath.rows[name].status["lost_packets"] > 0
    assert len(kept) >= min(30, len(sent) // 2)


def test_a_new_resolution_is_a_new_file_and_nothing_is_lost(aftermath: Aftermath) -> None:
    """Both sizes are kept whole, and the second begins in a file of its own."""
    sizes = []
    for row in aftermath.rows_of("resize"):
        with av.open(str(aftermath.site / "footage" / row.key.path())) as container:
            sizes.append(next(container.decode(video=0)).width)
    assert sizes == [320, 480]
    assert aftermath.causes("resize") == [GapCause.RECORDER_STOPPED]


def test_a_new_codec_is_described_anew(aftermath: Aftermath) -> None:
    """H.264 is kept to the change, H.265 from then on, nothing of one under the other's name."""
    codecs = []
    for row in aftermath.rows_of("recode"):
        with av.open(str(aftermath.site / "footage" / row.key.path())) as container:
            codecs.append(container.streams.video[0].codec_context.name)
            assert sum(1 for _ in container.decode(video=0)) > 10
    assert codecs == ["h264", "hevc"]
    assert GapCause.CAMERA_LOST in aftermath.causes("recode") or aftermath.causes("recode") == [
        GapCause.RECORDER_STOPPED
    ]


def test_sound_that_comes_and_goes_is_kept_where_it_was(aftermath: Aftermath) -> None:
    """From its beginning, to its end; and everywhere for a camera whose sound's clock is wrong by an hour."""
    heard = {name: _heard(aftermath, name) for name in ("plain", "late-sound", "sound-stops", "wrong-sound")}
    assert heard["plain"][0] < 0.5
    assert heard["wrong-sound"][0] < 0.5
    assert 2 < heard["late-sound"][0] < 4.5
    assert 2 < heard["sound-stops"][1] < 4.5
    assert heard["wrong-sound"][1] > 8


def _heard(aftermath: Aftermath, name: str) -> tuple[float, float]:
    # First and last second of sound, from the first picture on.
    begin = aftermath.kept(name)[0][0]
    times: list[float] = []
    for row in aftermath.rows_of(name):
        with av.open(str(aftermath.site / "footage" / row.key.path())) as container:
            for packet in container.demux(audio=0):
                if packet.size and packet.pts is not None and packet.time_base is not None:
                    times.append(float(packet.pts * packet.time_base) - begin)
    return min(times), max(times)


def test_a_cameras_wrong_clock_is_shown_and_not_believed(aftermath: Aftermath) -> None:
    """Two hours slow: the status says so; the footage lies where it was filmed."""
    row = aftermath.rows["wrong-clock"]
    assert row.status["clock_offset_ms"] == pytest.approx(-7_200_000, abs=3000)
    assert aftermath.rows["plain"].status["clock_offset_ms"] == pytest.approx(0, abs=3000)
    now = time.time()
    assert all(now - 300 < seconds < now for seconds, _ in aftermath.kept("wrong-clock"))


def test_how_media_came_is_shown(aftermath: Aftermath) -> None:
    """By UDP where it was chosen or TCP refused."""
    shown = {name: aftermath.rows[name].status["transport"] for name in ("plain", "no-tcp", "udp")}
    assert shown == {"plain": "tcp", "no-tcp": "udp", "udp": "udp"}
