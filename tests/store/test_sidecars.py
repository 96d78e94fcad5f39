"""What was seen in footage lies beside it, survives crashes and moves, and never outlives it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.model.camera import StreamRole
from beholden.model.segment import SegmentKey
from beholden.store import sidecars
from beholden.store.sidecars import SideKind
from beholden.store.volume import Volume

T0 = 1_795_472_104_250
MINUTE = 60_000


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """A volume."""
    return Volume.create(tmp_path / "footage")


def recorded(volume: Volume, start_ms: int = T0, epoch: int = 0) -> SegmentKey:
    """A segment's file."""
    key = SegmentKey(1, StreamRole.MAIN, start_ms, epoch)
    path = volume.path_of(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"footage")
    return key


def payloads(volume: Volume, key: SegmentKey, kind: SideKind = SideKind.MOTION) -> list[bytes]:
    """What a side-car holds."""
    blocks = sidecars.read_blocks(sidecars.sidecar_path(volume.path, key, kind), kind)
    return [bytes(block.payload) for block in blocks]


def files(volume: Volume) -> list[str]:
    """All side-cars of a volume."""
    return sorted(path.relative_to(volume.path).as_posix() for path in volume.path.rglob("*.side"))


def test_blocks_come_back_as_they_were(volume: Volume) -> None:
    """Payload, segment and first instant are read back in order; kinds do not mix."""
    first, second = recorded(volume), recorded(volume, T0 + MINUTE)
    assert sidecars.append(volume.path, first, SideKind.MOTION, [(T0, b"one")])
    assert sidecars.append(volume.path, second, SideKind.MOTION, [(T0 + MINUTE, b"two" * 100)])
    assert sidecars.append(volume.path, first, SideKind.BOXES, [(T0 + 5, b"boxes")])
    path = sidecars.sidecar_path(volume.path, first, SideKind.MOTION)
    blocks = sidecars.read_blocks(path, SideKind.MOTION)
    assert [(b.segment_ms, b.epoch, b.first_ms) for b in blocks] == [
        (T0, 0, T0),
        (T0 + MINUTE, 0, T0 + MINUTE),
    ]
    assert payloads(volume, first) == [b"one", b"two" * 100]
    assert payloads(volume, first, SideKind.BOXES) == [b"boxes"]
    assert sidecars.read_blocks(path, SideKind.BOXES) == []


def test_deleting_a_segment_deletes_what_was_seen_in_it(volume: Volume) -> None:
    """Its blocks go with it, bytes and all; others stay; the file and the folders go with the last."""
    first, second = recorded(volume), recorded(volume, T0 + MINUTE)
    for kind in SideKind:
        sidecars.append(volume.path, first, kind, [(T0, b"secret of the first")])
        sidecars.append(volume.path, second, kind, [(T0 + MINUTE, b"of the second")])
    volume.delete(first)
    for kind in SideKind:
        path = sidecars.sidecar_path(volume.path, first, kind)
        assert payloads(volume, first, kind) == [b"of the second"]
        assert b"secret" not in path.read_bytes()
    assert len(files(volume)) == 3
    volume.delete(second)
    assert files(volume) == []
    assert list(volume.path.glob("cam-*")) == []


def test_another_copy_of_the_same_instant_keeps_its_own(volume: Volume) -> None:
    """The epoch tells them apart."""
    first, copy = recorded(volume), recorded(volume, epoch=1)
    sidecars.append(volume.path, first, SideKind.MOTION, [(T0, b"first")])
    sidecars.append(volume.path, copy, SideKind.MOTION, [(T0, b"copy")])
    volume.delete(first)
    assert payloads(volume, copy) == [b"copy"]


def test_nothing_is_kept_of_footage_that_is_not(volume: Volume) -> None:
    """A block of a segment that is gone is refused, and makes no file and no folder."""
    key = SegmentKey(1, StreamRole.MAIN, T0)
    assert not sidecars.append(volume.path, key, SideKind.MOTION, [(T0, b"late")])
    other = recorded(volume, T0 + MINUTE)
    assert not sidecars.append(volume.path, key, SideKind.MOTION, [(T0, b"late")])
    assert files(volume) == []
    volume.delete(other)
    assert list(volume.path.glob("cam-*")) == []


def test_quarantine_takes_it_too(volume: Volume) -> None:
    """A file set aside is no footage any more."""
    key = recorded(volume)
    sidecars.append(volume.path, key, SideKind.MOTION, [(T0, b"x")])
    volume.quarantine(key)
    assert files(volume) == []


@given(cut=st.integers(min_value=0, max_value=90))
def test_a_cut_end_costs_the_last_block_only(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """Wherever a crash cut the file, whole blocks are read, and appending goes on behind them."""
    volume = Volume.create(tmp_path_factory.mktemp("side") / "footage")
    key = recorded(volume)
    path = sidecars.sidecar_path(volume.path, key, SideKind.MOTION)
    for number in range(2):
        sidecars.append(volume.path, key, SideKind.MOTION, [(T0 + number, bytes([number]) * 10)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut])
    expected = [bytes([number]) * 10 for number in range(2)][: 2 if cut == 0 else 1 if cut <= 41 else 0]
    assert payloads(volume, key) == expected
    sidecars.append(volume.path, key, SideKind.MOTION, [(T0 + 9, b"after")])
    assert payloads(volume, key) == [*expected, b"after"]


def test_a_damaged_block_is_left_out(volume: Volume) -> None:
    """A flipped bit in a payload costs its block; the others are read."""
    key = recorded(volume)
    for word in (b"first", b"second", b"third"):
        sidecars.append(volume.path, key, SideKind.MOTION, [(T0, word)])
    path = sidecars.sidecar_path(volume.path, key, SideKind.MOTION)
    path.write_bytes(path.read_bytes().replace(b"second", b"sEcond"))
    assert payloads(volume, key) == [b"first", b"third"]


@given(junk=st.binary(max_size=200))
def test_junk_is_no_side_car(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    """Any bytes are read as nothing, never as an error, and are written over."""
    volume = Volume.create(tmp_path_factory.mktemp("side") / "footage")
    key = recorded(volume)
    path = sidecars.sidecar_path(volume.path, key, SideKind.SOUND)
    path.write_bytes(junk)
    assert sidecars.read_blocks(path, SideKind.SOUND) == []
    assert sidecars.append(volume.path, key, SideKind.SOUND, [(T0, b"good")])
    assert payloads(volume, key, SideKind.SOUND) == [b"good"]
    volume.delete(key)
    assert not path.exists()


def test_a_move_takes_it_along(volume: Volume, tmp_path: Path) -> None:
    """Copied to another volume it is there once, and deleting the old file leaves the new one's alone."""
    other = Volume.create(tmp_path / "slow")
    key, neighbour = recorded(volume), recorded(volume, T0 + MINUTE)
    for kind in SideKind:
        sidecars.append(volume.path, key, kind, [(T0, b"mine")])
        sidecars.append(volume.path, neighbour, kind, [(T0, b"not mine")])
    recorded(other)
    sidecars.copy(volume.path, other.path, key)
    sidecars.copy(volume.path, other.path, key)
    volume.delete(key)
    for kind in SideKind:
        assert payloads(other, key, kind) == [b"mine"]
        assert payloads(volume, neighbour, kind) == [b"not mine"]


def test_a_range_names_the_files_that_may_matter(volume: Volume) -> None:
    """One a day for motion, one an hour for boxes, those of segments that reach into the range included."""
    hours = [recorded(volume, T0 + hour * 60 * MINUTE) for hour in range(-30, 31, 6)]
    for key in hours:
        for kind in SideKind:
            sidecars.append(volume.path, key, kind, [(key.start_ms, b"x")])
    start, end = T0 - 6 * 60 * MINUTE + 5000, T0 + 60 * MINUTE
    found = sidecars.sidecars_between(volume.path, 1, SideKind.BOXES, start, end)
    assert [path for path in found if path.exists()] == [
        sidecars.sidecar_path(volume.path, key, SideKind.BOXES) for key in hours[4:6]
    ]
    days = sidecars.sidecars_between(volume.path, 1, SideKind.MOTION, T0 - 24 * 60 * MINUTE, T0)
    assert [path.parent.name for path in days] == ["2026-11-22", "2026-11-23"]


def test_appending_and_deleting_at_once_lose_nothing(volume: Volume) -> None:
    """While one side appends and the other deletes, every segment that stays keeps its block."""
    keys = [recorded(volume, T0 + number * 1000) for number in range(40)]
    sidecars.append(volume.path, keys[0], SideKind.MOTION, [(T0, b"0")])

    def delete() -> None:
        for key in keys[::2]:
            volume.delete(key)

    thread = threading.Thread(target=delete)
    thread.start()
    for number, key in enumerate(keys[1:], 1):
        sidecars.append(volume.path, key, SideKind.MOTION, [(T0, str(number).encode())])
    thread.join()
    assert payloads(volume, keys[1]) == [str(number).encode() for number in range(1, 40, 2)]
