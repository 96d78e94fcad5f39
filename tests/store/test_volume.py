"""A volume is the right disk or none, and its files appear and go durably and alone."""

from __future__ import annotations

import errno
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.model.camera import StreamRole
from beholden.model.segment import SegmentKey, names_by_folder
from beholden.store.fake import FakeStore
from beholden.store.store import StoreError
from beholden.store.volume import IDENTITY_NAME, Volume

T0 = 1_795_472_104_250


def key(
    start_ms: int = T0, camera: int = 1, stream: StreamRole = StreamRole.MAIN, epoch: int = 0
) -> SegmentKey:
    """A key."""
    return SegmentKey(camera, stream, start_ms, epoch)


def put(volume: Volume, *keys: SegmentKey) -> None:
    """Make files."""
    for item in keys:
        fd = volume.create_exclusive(item)
        volume.write(fd, b"footage")
        volume.sync(fd, item)
        os.close(fd)


def test_create_then_open(tmp_path: Path) -> None:
    """The uuid given at creation opens it again; creating twice keeps the first."""
    made = Volume.create(tmp_path / "footage")
    assert Volume.create(tmp_path / "footage").uuid == made.uuid
    assert Volume.open(tmp_path / "footage", made.uuid).uuid == made.uuid


@pytest.mark.parametrize("state", ["absent", "empty", "file"])
def test_a_missing_identity_is_refused(tmp_path: Path, state: str) -> None:
    """No directory, an empty one (an unmounted disk) or a file: refused, and nothing is made there."""
    path = tmp_path / "footage"
    if state == "empty":
        path.mkdir()
    if state == "file":
        path.write_text("x")
    with pytest.raises(StoreError) as caught:
        Volume.open(path, "00000000-0000-0000-0000-000000000000")
    assert caught.value.code == "volume_missing"
    assert caught.value.next_step
    assert state != "empty" or list(path.iterdir()) == []


def test_a_swapped_disk_is_refused(tmp_path: Path) -> None:
    """Another volume's identity in the same place is not ours."""
    uuid = Volume.create(tmp_path / "a").uuid
    Volume.create(tmp_path / "b")
    with pytest.raises(StoreError) as caught:
        Volume.open(tmp_path / "b", uuid)
    assert caught.value.code == "volume_swapped"


def test_a_damaged_identity_is_refused(tmp_path: Path) -> None:
    """Not a uuid: said plainly, not overwritten."""
    (tmp_path / IDENTITY_NAME).write_bytes(b"\xff\xfe what")
    for call in (lambda: Volume.create(tmp_path), lambda: Volume.open(tmp_path, "x")):
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.code == "volume_unreadable"


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EROFS, "volume_read_only"), (errno.EIO, "volume_unreadable"), (errno.ENOSPC, None)],
)
def test_what_the_disk_answers_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str | None
) -> None:
    """A full disk is the right disk: it stays in use, since retention frees it. (Permissions do not bind
    root, so the call is made to fail.)"""
    volume = Volume.create(tmp_path / "footage")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("beholden.store.volume._try_writing", refuse)
    if code is None:
        volume.check()
        return
    with pytest.raises(StoreError) as caught:
        volume.check()
    assert caught.value.code == code


def test_a_folder_that_is_deleted_over_and_over_is_told(tmp_path: Path) -> None:
    """A new file's folder may be removed by whoever deletes old footage, but not for ever."""
    volume = _Emptied.create(tmp_path / "footage")
    with pytest.raises(FileNotFoundError):
        volume.create_exclusive(key())


class _Emptied(Volume):
    def _make_folders(self, folder: Path) -> None:
        super()._make_folders(folder)
        folder.rmdir()


def test_a_disk_that_goes_away_is_not_made_up(tmp_path: Path) -> None:
    """When the identity is gone (unmounted under us), no file is written to the bare directory."""
    volume = Volume.create(tmp_path)
    (tmp_path / IDENTITY_NAME).unlink()
    with pytest.raises(FileNotFoundError):
        volume.create_exclusive(key())
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_written_once(tmp_path: Path) -> None:
    """A second writer of the same key is refused and the first's bytes stay."""
    volume = Volume.create(tmp_path)
    put(volume, key())
    with pytest.raises(FileExistsError):
        volume.create_exclusive(key())
    assert volume.path_of(key()).read_bytes() == b"footage"


@pytest.mark.parametrize("place", ["a disk", "memory"])
def test_folders_that_still_hold_something_stay_when_many_are_deleted_from(
    tmp_path: Path, place: str
) -> None:
    """On a file system that is synced as a whole, and on one of which folder after folder is."""
    shared = Path("/dev/shm")
    if place == "memory" and not shared.is_dir():
        pytest.skip("there is no file system in memory")
    with tempfile.TemporaryDirectory(dir=tmp_path if place == "a disk" else shared) as name:
        volume = Volume.create(Path(name) / "v")
        keys = [
            SegmentKey(camera, StreamRole.MAIN, at)
            for camera in (1, 2, 3)
            for at in range(0, 9_000_000, 1_800_000)
        ]
        for key in keys:
            os.close(volume.create_exclusive(key))
        kept = [key for key in keys if key.camera < 3 and key.start_ms >= 7_200_000]
        volume.delete_many(key for key in keys if key not in kept)
        assert list(volume.walk()) == kept
        assert volume.cameras() == [1, 2]
        assert len(list(volume.path.glob("cam-*/*/*/*"))) == 2, "the hours that hold a file, and no other"


def test_two_may_delete_from_the_same_folders_at_once(tmp_path: Path) -> None:
    """Folders that one of them finds empty, or gone, are no error for the other."""
    volume = Volume.create(tmp_path / "v")
    for _ in range(20):
        keys = [SegmentKey(1, StreamRole.MAIN, at) for at in range(0, 100_000_000, 1_000_000)]
        for key in keys:
            os.close(volume.create_exclusive(key))
        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(volume.delete_many, keys[at::2]) for at in range(2)]:
                done.result()
        assert volume.cameras() == []


def test_deleting_prunes_empty_folders_only(tmp_path: Path) -> None:
    """The last file of a camera takes its folders along, and not the volume."""
    volume = Volume.create(tmp_path)
    put(volume, key(), key(T0 + 60_000))
    volume.delete(key())
    assert list(volume.walk()) == [key(T0 + 60_000)]
    volume.delete(key(T0 + 60_000))
    volume.delete(key(T0 + 60_000))
    assert sorted(p.name for p in tmp_path.iterdir()) == [IDENTITY_NAME]


def test_deleting_what_is_gone_already_is_no_error(tmp_path: Path) -> None:
    """A file, or its whole folder: the rest goes, in whatever order it is named."""
    volume = Volume.create(tmp_path / "v")
    keys = [key(T0 + n * 1_800_000) for n in range(6)]
    put(volume, *keys)
    volume.path_of(keys[0]).unlink()
    for gone in keys[2:4]:
        volume.path_of(gone).unlink()
    for folder in {volume.path_of(gone).parent for gone in keys[2:4]}:
        if not list(folder.iterdir()):
            folder.rmdir()
    volume.delete_many([keys[5], *keys[:5]])
    assert [path.name for path in volume.path.iterdir()] == [IDENTITY_NAME]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 1), st.integers(0, 2**42), st.integers(0, 2))))
def test_names_by_folder_are_the_paths(parts: list[tuple[int, int, int, int]]) -> None:
    """What is deleted folder by folder are the same files as one by one."""
    keys = [SegmentKey(camera, StreamRole(stream), at, epoch) for camera, stream, at, epoch in parts]
    found = [
        (key, f"{folder}/{name}")
        for folder, there, names in names_by_folder(keys)
        for key, name in zip(there, names, strict=True)
    ]
    assert found == [(key, key.path()) for key in keys]


def test_foreign_files_are_stepped_over(tmp_path: Path) -> None:
    """What is not ours is neither listed nor in the way."""
    volume = Volume.create(tmp_path)
    put(volume, key())
    folder = volume.path_of(key()).parent
    for name in ("notes.txt", "22-15-04.250_99-0.mp4", "_-0.mp4", "x_9999999999999999999-0.mp4"):
        (folder / name).write_text("x")
    (tmp_path / "cam-x").mkdir()
    (tmp_path / "cam-1" / "third" / "2026-01-01" / "00").mkdir(parents=True)
    (tmp_path / "cam-1" / "third" / "2026-01-01" / "00" / "00-00-00.000_0-0.mp4").write_text("x")
    assert list(volume.walk()) == [key()]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5 * 86_400_000), st.integers(1, 2), st.sampled_from(StreamRole)), unique=True
    ),
    st.integers(0, 5 * 86_400_000),
)
def test_listing_finds_exactly_what_began_since(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[int, int, StreamRole]], after: int
) -> None:
    """open_segments gives a stream's files from an instant on, in order; walk gives all."""
    volume = Volume.create(tmp_path_factory.mktemp("v"))
    keys = [key(T0 + offset, camera, stream) for offset, camera, stream in made]
    for item in keys:
        os.close(volume.create_exclusive(item))
    expected = sorted(
        k for k in keys if k.camera == 1 and k.stream is StreamRole.MAIN and k.start_ms >= T0 + after
    )
    assert volume.open_segments(1, StreamRole.MAIN, T0 + after) == expected
    assert sorted(volume.walk()) == sorted(keys)


def test_truncate_and_quarantine(tmp_path: Path) -> None:
    """Repair cuts a file in place; what cannot be repaired is set aside, out of walk's sight."""
    volume = Volume.create(tmp_path)
    put(volume, key())
    volume.truncate(key(), 4)
    assert volume.path_of(key()).read_bytes() == b"foot"
    moved = volume.quarantine(key())
    assert moved.read_bytes() == b"foot"
    assert list(volume.walk()) == []


def test_space_is_reported(tmp_path: Path) -> None:
    """Free space is within the total."""
    volume = Volume.create(tmp_path)
    assert 0 < volume.free_bytes() <= volume.total_bytes()


def test_the_fake_fails_on_demand(tmp_path: Path) -> None:
    """Each fault is an OSError of its kind, and goes when switched off."""
    store = FakeStore(tmp_path)
    fd = store.create_exclusive(key())
    store.full = True
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        store.write(fd, b"x")
    store.full, store.broken = False, True
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        store.sync(fd, key())
    store.broken, store.lost = False, True
    with pytest.raises(StoreError):
        store.check()
    store.lost = False
    store.write(fd, b"x")
    os.close(fd)
    store.free = 7
    assert store.free_bytes() == 7
    assert store.log == ["create", "write"]
