"""A whole file system is made durable with one call only where that is known to be so."""

from __future__ import annotations

import ctypes
import errno
import tempfile
from pathlib import Path

import pytest

from beholden.store import file_system
from beholden.store.file_system import sync_file_system

EXT4, FUSE = 0xEF53, 0x65735546


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
