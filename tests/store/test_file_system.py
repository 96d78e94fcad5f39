"""A whole file system is made durable with one call only where that is known to be so."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beholden.store import file_system
from beholden.store.file_system import sync_file_system

EXT4, FUSE = 0xEF53, 0x65735546
GO_DOWN, WITHOUT_LOG = 0x8004587D, 2  # XFS_IOC_GOINGDOWN, which ext4 has too


class System:
    """A C library on a file system of this kind, whose syncfs fails with ``code`` if that is not 0."""

    def __init__(self, kind: int, code: int = 0) -> None:
        self._kind = kind
        self._code = code
        self.synced: list[int] = []

    def fstatfs(self, _fd: int, found: ctypes.Array[ctypes.c_char]) -> int:
        ctypes.c_long.from_buffer(found).value = self._kind
        return 0

    def syncfs(self, fd: int) -> int:
        self.synced.append(fd)
        ctypes.set_errno(self._code)
        return -1 if self._code else 0


def test_a_file_system_that_keeps_its_word_is_synced() -> None:
    """With the descriptor that was given."""
    system = System(EXT4)
    assert sync_file_system(7, system)
    assert system.synced == [7]


def test_one_that_passes_nothing_on_is_not_asked() -> None:
    """FUSE answers syncfs without a word to the server that has the bytes."""
    system = System(FUSE)
    assert not sync_file_system(7, system)
    assert system.synced == []


def test_a_failure_is_raised() -> None:
    """With the system's code."""
    with pytest.raises(OSError, match="Input/output") as raised:
        sync_file_system(7, System(EXT4, errno.EIO))
    assert raised.value.errno == errno.EIO


def test_without_the_call_nothing_is_promised() -> None:
    """Other systems, and kernels that would not tell of errors."""
    assert not sync_file_system(7, None)


@pytest.mark.parametrize(
    ("release", "tells"), [("6.1.0-18-amd64", True), ("5.8.0", True), ("5.7.19", False), ("4.19", False)]
)
def test_old_kernels_do_not_tell_of_errors(release: str, tells: bool) -> None:
    """syncfs before Linux 5.8 says that all is well whatever happened."""
    assert file_system.tells_errors(release) == tells


def test_the_file_system_of_a_real_file(tmp_path: Path) -> None:
    """True only where the kernel says that it is of a kind that is listed; memory is not."""
    with (tmp_path / "file").open("wb") as file:
        file.write(b"x")
        assert sync_file_system(file.fileno()) in (True, False)
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == Path("/").stat().st_dev:
        pytest.skip("there is no file system in memory")
    with tempfile.TemporaryFile(dir=shared) as file:
        assert not sync_file_system(file.fileno())


@pytest.fixture(params=["ext4", "xfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A small file system, and what cuts its power: nothing that it has not written reaches the disk."""
    image, path = tmp_path / "disk.img", tmp_path / "disk"
    path.mkdir()
    image.touch()
    os.truncate(image, 400 << 20)

    def run(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True)

    def cut() -> None:
        fd = os.open(path, os.O_RDONLY)
        fcntl.ioctl(fd, GO_DOWN, struct.pack("I", WITHOUT_LOG))
        os.close(fd)
        run("umount", str(path))
        run("mount", "-o", "loop", str(image), str(path))

    try:
        run(f"mkfs.{request.param}", "-q", str(image))
        run("mount", "-o", "loop", str(image), str(path))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"mounting a loop device needs root, and mkfs.{request.param}")
    yield path, cut
    subprocess.run(["umount", "-l", str(path)], check=False)


def test_what_was_synced_with_one_call_outlives_a_power_cut(disk: tuple[Path, Callable[[], None]]) -> None:
    """All files with their names and folders; what was not synced does not, which says that
    this test can fail."""
    path, cut = disk
    folders = [path / name / "a" for name in ("synced", "later")]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        files = [(folder / str(count)).open("wb", buffering=0) for count in range(5)]
        for file in files:
            file.write(b"x" * 300_000)
        assert number or sync_file_system(files[0].fileno())
        for file in files:
            file.close()
    cut()
    kept = [sorted(len(file.read_bytes()) for file in folder.glob("*")) for folder in folders]
    assert kept[0] == [300_000] * 5
    assert kept[1] != [300_000] * 5
