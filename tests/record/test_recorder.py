"""A shard's streams follow the catalog: only what changed is touched, and who listened goes on listening."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from beholden.bus.messages import BusError
from beholden.bus.server import Connection
from beholden.catalog import Catalog
from beholden.ingest.hot_path import hot_path
from beholden.ingest.loop import IngestLoop
from beholden.ingest.source import FakeSource
from beholden.model.camera import CameraConfig, RecordingMode, RecordingWindow, StreamAddress, StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, StreamFormat, Track, VideoFormat
from beholden.model.time import FakeClock
from beholden.record.analysis_feed import FakeAnalysis
from beholden.record.disk import DiskWriter
from beholden.record.index import CloseGap, Index, IndexItem, OpenGap
from beholden.record.recorder import Recorder
from beholden.record.stream import Means
from beholden.store.fake import FakeStore

FORMAT = StreamFormat(VideoFormat("h264", 16, 16, (b"\x67\x42\x00\x1e", b"\x68\x00")))
MONDAY = 1_795_996_800_000  # 00:00 UTC
ALARM = BeholdenError("disk_full", "The disk is full.", "Free some.")
CAMERA = CameraConfig(
    id=1, name="gate", main=StreamAddress("rtsp://h/1"), sub=StreamAddress("rtsp://h/2"), enabled=True,
    record=True, record_audio=True, analyse="always", keep_days=14, shard=0, rev=1, created_ms=0,
)  # fmt: skip


class Rig:
    """A recorder whose cameras say nothing."""

    def __init__(self, path: Path) -> None:
        self.clock = FakeClock(MONDAY)
        self.analysis = FakeAnalysis()
        self.items: list[IndexItem] = []
        self.loop = IngestLoop(self.clock)
        self.catalog = Catalog.open(path)
        self.index = Index(self.catalog, self.clock)
        self.disk = DiskWriter(FakeStore(path / "footage"), lambda _file: None)
        means = Means(self.clock, self.disk, self.items.append, self._source, None, self.analysis)
        self.recorder = Recorder(0, self.loop, means, self.index, lambda: [ALARM])

    def _source(self, _address: Any, sink: Any, clock: Any, *, after_pts: int = 0) -> FakeSource:
        return FakeSource(sink, clock, [])

    def apply(self, *cameras: CameraConfig, zone: str = "UTC") -> None:
        self.recorder.apply(list(cameras), zone)

    def streams(self) -> list[tuple[int, StreamRole]]:
        return [(stream.camera, stream.role) for stream in self.recorder.streams]

    def causes(self) -> list[GapCause]:
        return [item.cause for item in self.items if isinstance(item, OpenGap)]


class Listener:
    """A connection that counts what it is sent."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def send_json(self, body: dict[str, Any]) -> None:
        self.told.append(body)

    def send_unit(self, *_unit: Any) -> None:
        """Nobody looks at it here."""

    def forget(self, _stream: Any) -> None:
        """Nothing is queued."""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Its threads are ended."""
    rig = Rig(tmp_path)
    yield rig
    rig.recorder.close()
    rig.disk.stop(30)
    rig.index.stop(30)
    rig.catalog.close()
    rig.loop.close()


def test_only_what_changed_is_touched(rig: Rig) -> None:
    """A new revision of one camera leaves the others' streams alone; a removed one leaves no gap."""
    other = replace(CAMERA, id=2, sub=None)
    rig.apply(CAMERA, other)
    assert rig.streams() == [(1, StreamRole.MAIN), (1, StreamRole.SUB), (2, StreamRole.MAIN)]
    before = rig.recorder.streams
    rig.apply(replace(CAMERA, rev=2, keep_days=3), other)
    assert rig.recorder.streams == before, "other settings do not end a pull"
    rig.apply(replace(CAMERA, rev=3, main=StreamAddress("rtsp://h/3"), sub=None), other)
    assert rig.streams() == [(2, StreamRole.MAIN), (1, StreamRole.MAIN)]
    assert rig.recorder.streams[0] is before[2]
    rig.apply(replace(CAMERA, rev=4, enabled=False), other)
    rig.apply(other)
    assert rig.causes() == [GapCause.CAMERA_LOST, GapCause.RECORDING_OFF]


def test_who_listened_goes_on_listening(rig: Rig) -> None:
    """The camera's address changes under a listener; only its own end, or asking, ends it."""
    rig.apply(CAMERA)
    listener = Listener()
    connection = cast(Connection, listener)
    rig.recorder.on_request(connection, {"op": "subscribe", "camera": 1, "stream": "main", "fast": True})
    assert rig.recorder.streams[0].session.fast
    rig.apply(replace(CAMERA, rev=2, main=StreamAddress("rtsp://h/9")))
    (main,) = (stream for stream in rig.recorder.streams if stream.role is StreamRole.MAIN)
    assert main.session.fast
    rig.recorder.on_request(connection, {"op": "unsubscribe", "camera": 1, "stream": "main"})
    assert not main.session.fast
    rig.recorder.on_request(connection, {"op": "subscribe", "camera": 1, "stream": "main", "fast": True})
    rig.recorder.on_close(connection)
    rig.recorder.on_close(connection)
    assert not main.session.fast
    rig.recorder.on_request(connection, {"op": "unsubscribe", "camera": 7, "stream": "main"})
    for body in ({"op": "dance"}, {"op": "subscribe", "camera": 7, "stream": "main"}):
        with pytest.raises(BusError):
            rig.recorder.on_request(connection, body)


def test_only_what_nobody_hears_is_left_to_the_kernel(rig: Rig) -> None:
    """Until its fragment is due: what is recorded and has no listener. Others are read at every tick."""
    rig.apply(CAMERA)
    (main,) = (stream for stream in rig.recorder.streams if stream.role is StreamRole.MAIN)
    (sub,) = (stream for stream in rig.recorder.streams if stream.role is StreamRole.SUB)
    picture = AccessUnit(Track.VIDEO, MONDAY * 90, True, (b"x",), 1, MONDAY)
    for stream in (main, sub):
        stream.on_format(FORMAT)
        stream.on_access_unit(picture)
    assert (main.needed_ms(), sub.needed_ms()) == (MONDAY + 666, 0)
    listener = cast(Connection, Listener())
    rig.recorder.on_request(listener, {"op": "subscribe", "camera": 1, "stream": "main", "fast": False})
    assert main.needed_ms() == 0
    rig.recorder.on_request(listener, {"op": "unsubscribe", "camera": 1, "stream": "main"})
    assert main.needed_ms() == MONDAY + 666
    rig.recorder.on_close(listener)


def test_stats_tell_of_streams_alarms_and_memory(rig: Rig) -> None:
    """Each stream with its bound, the shard with its alarms and delays."""
    rig.apply(replace(CAMERA, memory_bytes=5_000_000))
    listener = Listener()
    rig.recorder.on_request(cast(Connection, listener), {"op": "stats"})
    (told,) = listener.told
    main, sub = told["streams"]
    assert (main["memory_bytes"], main["memory_limit_bytes"], main["resting"]) == (0, 5_000_000, False)
    assert sub["memory_limit_bytes"] < 5_000_000
    assert told["alarms"] == [{"code": ALARM.code, "message": ALARM.message, "next_step": ALARM.next_step}]
    assert told["process"]["memory_buffered_bytes"] == 0
    assert told["process"]["disk_delay_p99_ms"] == 0.0
    assert told["process"]["compiled"] == hot_path().compiled


def test_analysis_is_asked_for_those_who_depend_on_it(rig: Rig) -> None:
    """Cameras that record on events and no others; news make only those look again."""
    rig.apply(CAMERA, replace(CAMERA, id=2, mode=RecordingMode.EVENTS))
    assert rig.analysis.wanted == {2}
    rig.recorder.judge()
    rig.recorder.tick()
    rig.apply(CAMERA, replace(CAMERA, id=2, rev=2, mode=RecordingMode.EVENTS, record=False))
    assert rig.analysis.wanted == set()


def test_another_zone_moves_every_schedule(rig: Rig) -> None:
    """The site's clock is the schedule's, from the moment it is set."""
    window = RecordingWindow(0, 0, 60, RecordingMode.CONTINUOUS)
    rig.apply(replace(CAMERA, mode=RecordingMode.SCHEDULE, windows=(window,)))
    assert rig.recorder.stats()["streams"][0]["resting"] is False
    rig.apply(replace(CAMERA, mode=RecordingMode.SCHEDULE, windows=(window,)), zone="Asia/Tokyo")
    assert rig.recorder.stats()["streams"][0]["resting"] is True
    assert isinstance(rig.items[0], CloseGap), "whatever gap the last run left ends where the rule begins"
    assert rig.causes() == [GapCause.RULE_OFF]
