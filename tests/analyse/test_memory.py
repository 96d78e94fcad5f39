"""What was seen is kept beside the footage it was seen in, second by second, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from beholden.analyse.analyser import Analyser
from beholden.analyse.detect.fake import FakeDetector
from beholden.analyse.grid import MotionSeconds, pack_blocks
from beholden.analyse.hooks import Hooks
from beholden.analyse.keeper import Keeper
from beholden.analyse.memory import PATIENCE_MS, CatalogShelf, FakeShelf, Memory, Place
from beholden.analyse.motion import Motion
from beholden.analyse.sink import FakeSink
from beholden.bus.fake import FakeBus
from beholden.catalog import Catalog, segments, volumes
from beholden.catalog.segments import MediaFormat, Segment
from beholden.model.boxes import unpack_frames
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.event import Box, ObjectClass
from beholden.model.frame import TrackedFrame, TrackedObject
from beholden.model.grid import CELL_BYTES, CELLS, HEAD_BYTES, SECONDS, WORD
from beholden.model.levels import unpack_levels
from beholden.model.segment import SegmentKey
from beholden.model.time import FakeClock, SystemClock
from beholden.store import sidecars
from beholden.store.sidecars import Block, SideKind
from beholden.store.volume import Volume

from .conftest import START_MS, blank, coded, decoded
from .test_analyser import Rig, camera, paced, see_bright

BOX = Box(0.25, 0.25, 0.5, 0.75)


def moving(left: int = 0, right: int = 320) -> Motion:
    """Motion between two columns of a picture 320 wide."""
    mask = np.zeros((180, 320), np.uint8)
    mask[:, left:right] = 255
    return Motion((Box(left / 320, 0, right / 320, 1),), 0.5, settling=False, mask=mask)


QUIET = Motion((), 0.0, settling=False, mask=np.zeros((180, 320), np.uint8))


def framed(at_ms: int, *tracks: int, number: int = 1) -> TrackedFrame:
    """A frame with people in it."""
    objects = tuple(TrackedObject(track, ObjectClass.PERSON, 0.8, BOX, False) for track in tracks)
    return TrackedFrame(number, at_ms, objects)


def tell(memory: Memory, frame: TrackedFrame) -> None:
    """As the analyser tells it."""
    memory.tracked(frame, decoded(blank(), frame.at_ms))


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """A volume."""
    return Volume.create(tmp_path / "footage")


@pytest.fixture
def shelf() -> FakeShelf:
    """Closed segments."""
    return FakeShelf()


@pytest.fixture
def clock() -> FakeClock:
    """A clock that begins with the pictures."""
    return FakeClock(START_MS)


@pytest.fixture
def memory(shelf: FakeShelf, clock: FakeClock) -> Memory:
    """A memory that writes when told to."""
    return Memory(shelf, clock)


def recorded(
    shelf: FakeShelf, volume: Volume, start_ms: int = START_MS, length_ms: int = 60_000, number: int = 1
) -> SegmentKey:
    """A closed segment."""
    key = SegmentKey(number, StreamRole.MAIN, start_ms)
    path = volume.path_of(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"footage")
    shelf.all.append(Place(volume.path, key, start_ms + length_ms))
    return key


def blocks(volume: Volume, key: SegmentKey, kind: SideKind) -> list[Block]:
    """What the side-car holds."""
    return sidecars.read_blocks(sidecars.sidecar_path(volume.path, key, kind), kind)


def frames(volume: Volume, key: SegmentKey) -> list[TrackedFrame]:
    """What was seen in the hour of a segment."""
    found = blocks(volume, key, SideKind.BOXES)
    return [item for block in found for item in unpack_frames(1, block.first_ms, block.payload)]


def watched_and_moved(volume: Volume, key: SegmentKey) -> tuple[set[int], set[int]]:
    """Seconds since START_MS that were watched, and in which something moved."""
    watched, moved = set(), set()
    for block in blocks(volume, key, SideKind.MOTION):
        first = (block.first_ms - START_MS) // 1000
        seen = WORD.unpack_from(block.payload)[0]
        rows = np.frombuffer(block.payload[HEAD_BYTES:], "<u8")
        any_row = int(np.bitwise_or.reduce(rows)) if rows.size else 0
        for bit in range(SECONDS):
            watched |= {first + bit} if seen >> bit & 1 else set()
            moved |= {first + bit} if any_row >> bit & 1 else set()
    return watched, moved


def test_seconds_and_boxes_lie_beside_their_segment(memory: Memory, shelf: FakeShelf, volume: Volume) -> None:
    """Each second and each frame is in the segment that holds it; what has no segment yet waits."""
    for second in range(130):
        memory.motion(1, START_MS + second * 1000, moving() if second % 10 == 0 else QUIET)
        tell(memory, framed(START_MS + second * 1000, second + 1))
    first = recorded(shelf, volume)
    memory.settle()
    assert watched_and_moved(volume, first) == (set(range(60)), {0, 10, 20, 30, 40, 50})
    assert [frame.objects[0].track for frame in frames(volume, first)] == list(range(1, 61))
    recorded(shelf, volume, START_MS + 60_000)
    memory.settle()
    memory.settle()
    assert watched_and_moved(volume, first)[0] == set(range(120))
    assert [frame.at_ms for frame in frames(volume, first)] == [START_MS + n * 1000 for n in range(120)]


def test_levels_lie_beside_their_segment_too(memory: Memory, shelf: FakeShelf, volume: Volume) -> None:
    """Sound that was listened to is remembered and deleted as motion is."""
    for second in range(90):
        memory.heard(1, START_MS + second * 1000, -40.0 if second != 7 else -10.0)
    key = recorded(shelf, volume)
    memory.settle()
    [block] = blocks(volume, key, SideKind.SOUND)
    levels = dict(unpack_levels(block.first_ms, block.payload))
    assert levels == {START_MS // 1000 + at: -10.0 if at == 7 else -40.0 for at in range(60)}
    volume.delete(key)
    assert list(volume.path.rglob("*.side")) == []


def test_it_goes_with_its_segment(memory: Memory, shelf: FakeShelf, volume: Volume) -> None:
    """Deleting a segment deletes what was seen in it, and what comes late is not written."""
    for second in range(120):
        memory.motion(1, START_MS + second * 1000, moving())
        tell(memory, framed(START_MS + second * 1000, 1))
    first, second_key = recorded(shelf, volume), recorded(shelf, volume, START_MS + 60_000)
    memory.settle()
    volume.delete(first)
    assert watched_and_moved(volume, second_key)[0] == set(range(60, 120))
    memory.motion(1, START_MS + 5000, moving())
    memory.settle()
    assert watched_and_moved(volume, second_key)[0] == set(range(60, 120))
    volume.delete(second_key)
    assert list(volume.path.rglob("*.side")) == []


def test_what_was_not_recorded_is_not_remembered(
    memory: Memory, shelf: FakeShelf, volume: Volume, clock: FakeClock
) -> None:
    """After ten minutes without footage of its time, what was seen is dropped."""
    memory.motion(1, START_MS, moving())
    tell(memory, framed(START_MS, 1))
    clock.advance(PATIENCE_MS / 1000 + 2)
    memory.settle()
    key = recorded(shelf, volume)
    memory.settle()
    assert list(volume.path.rglob("*.side")) == []
    assert volume.path_of(key).exists()


def test_a_busy_catalog_is_waited_for(memory: Memory, shelf: FakeShelf, volume: Volume) -> None:
    """Nothing is lost while the catalog cannot be read."""
    memory.motion(1, START_MS, moving())
    shelf.broken = BeholdenError("catalog_busy", "busy")
    assert memory.settle() == 0
    shelf.broken = None
    key = recorded(shelf, volume)
    memory.settle()
    assert watched_and_moved(volume, key) == ({0}, {0})


def test_stopping_keeps_the_segment_being_written(memory: Memory, shelf: FakeShelf, volume: Volume) -> None:
    """What was seen of an open segment is kept when the analyser stops."""
    key = recorded(shelf, volume)
    shelf.open, shelf.all = shelf.all, []
    for second in range(7):
        memory.motion(1, START_MS + second * 1000, moving())
    memory.close()
    assert watched_and_moved(volume, key)[0] == set(range(7))


def test_frames_nobody_looked_at_are_not_empty(memory: Memory, shelf: FakeShelf, volume: Volume) -> None:
    """A picture the detector was not shown says nothing; one empty frame says that the last has left."""
    for second, frame in enumerate([(1,), (), (), ()]):
        tell(memory, framed(START_MS + second * 1000, *frame))
    key = recorded(shelf, volume)
    memory.settle()
    assert [len(frame.objects) for frame in frames(volume, key)] == [1, 0]


def test_only_the_cells_that_moved(volume: Volume) -> None:
    """A block names the cells that moved and gives one row for each, in order."""
    seconds = MotionSeconds()
    seconds.look(START_MS, moving(0, 10))
    seconds.look(START_MS + 1000, moving(310, 320))
    [(first_ms, payload)] = pack_blocks(seconds.take(0, 1 << 40))
    assert first_ms == START_MS
    cells = np.flatnonzero(np.unpackbits(np.frombuffer(payload[8 : 8 + CELL_BYTES], np.uint8)))
    assert cells.tolist() == sorted([row * 32 for row in range(18)] + [row * 32 + 31 for row in range(18)])
    assert np.frombuffer(payload[HEAD_BYTES:], "<u8").tolist() == [1, 2] * 18
    assert cells.max() < CELLS


def test_seconds_between_looks_were_watched(volume: Volume) -> None:
    """Keyframes two seconds apart watch all the time; a pause of a minute is one."""
    seconds = MotionSeconds()
    for at in (0, 2000, 4000, 64_000):
        seconds.look(START_MS + at, QUIET)
    assert sorted(second - START_MS // 1000 for second in seconds.moved) == [0, 1, 2, 3, 4, 64]
    assert len(pack_blocks(seconds.take(0, 1 << 40))) == 2


def test_the_catalog_says_where_segments_are(tmp_path: Path) -> None:
    """Closed segments come from the catalog, the one being written from its folder."""
    catalog = Catalog.open(tmp_path)
    volume = Volume.create(tmp_path / "footage")
    fake = FakeShelf()
    closed = recorded(fake, volume)
    growing = recorded(fake, volume, START_MS + 60_000)
    with catalog.write() as conn:
        number = volumes.add(conn, START_MS, volume.uuid, str(volume.path))
        media = MediaFormat(0, b"init", "h264", "avc1", 16, 16, None, None, None)
        form = segments.format_id(conn, media)
        row = Segment(closed, START_MS + 60_000, 7, number, form, False, bytes(32), b"")
        segments.close_segment(conn, START_MS, row)
    shelf = CatalogShelf(catalog)
    assert shelf.places(1, START_MS + 30_000, START_MS + 90_000) == [fake.all[0]]
    assert shelf.places(2, START_MS, START_MS + 90_000) == []
    assert shelf.growing(1, START_MS + 70_000) == [Place(volume.path, growing, START_MS + 70_000)]
    catalog.close()


@pytest.fixture
def rig(tmp_path: Path, memory: Memory) -> Iterator[Rig]:
    """A running analyser that remembers."""
    buses: list[FakeBus] = []

    def connect(_: Path) -> FakeBus:
        buses.append(FakeBus())
        return buses[-1]

    detector, sink = FakeDetector(see_bright), FakeSink()
    keeper = Keeper(tmp_path, sink, lambda _: None)
    hooks = Hooks(onlookers=[memory], motion=[memory.motion])
    analyser = Analyser(detector, keeper, connect, lambda n: tmp_path / f"{n}.sock", SystemClock(), hooks)
    yield Rig(analyser, detector, sink, buses, [], tmp_path)
    analyser.close()
    keeper.close()


def test_a_running_analyser_remembers(
    rig: Rig, memory: Memory, shelf: FakeShelf, volume: Volume, moving_square: Path
) -> None:
    """From coded pictures to side-cars: the square's seconds and its boxes, from left to right."""
    rig.analyser.configure([camera()])
    paced(coded(moving_square), rig)
    rig.until(lambda: "end" in rig.phases())
    key = recorded(shelf, volume)
    memory.settle()
    watched, moved = watched_and_moved(volume, key)
    assert watched == set(range(9))
    assert {2, 3, 4} <= moved
    assert 0 not in moved
    lefts = [item.box.left for frame in frames(volume, key) for item in frame.objects]
    assert len(lefts) > 5
    assert lefts == sorted(lefts)
