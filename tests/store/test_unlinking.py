"""Many files leave a folder with one call, compiled and not, in the same way."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from beholden.store import unlinking
from beholden.store.unlinking import Unlink, unlink_all


@pytest.fixture(params=["compiled", "python"])
def compiled(request: pytest.FixtureRequest) -> Unlink | None:
    """The compiled code of the source as it is, whether or not set-up built it; or none."""
    if request.param == "python":
        return None
    built = request.getfixturevalue("built_libraries")(unlinking.SOURCE)
    found = unlinking.load(built, unlinking.SOURCE)
    assert found is not None
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With five files, one of a name that is not ASCII, and a folder."""
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    for name in ("a", "b", "c", "d", "é x"):
        (folder / name).touch()
    return folder


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_named_files_go_and_no_other(folder: Path, compiled: Unlink | None) -> None:
    """Also when some are not there."""
    unlink_all(folder, ["a", "gone", "c", "é x"], compiled)
    assert _names(folder) == ["b", "d", "deep"]
    unlink_all(folder, [], compiled)
    assert _names(folder) == ["b", "d", "deep"]


def test_a_folder_that_is_gone_is_no_error(folder: Path, compiled: Unlink | None) -> None:
    """A crash before may have left it so."""
    unlink_all(folder / "none", ["a"], compiled)


def test_what_cannot_be_removed_is_told(folder: Path, compiled: Unlink | None) -> None:
    """As the system tells it; what comes after it stays."""
    with pytest.raises(OSError, match=r"directory|permitted") as raised:
        unlink_all(folder, ["a", "deep", "b"], compiled)
    assert raised.value.errno in (errno.EISDIR, errno.EPERM)
    assert _names(folder) == ["b", "c", "d", "deep", "é x"]


def test_a_name_without_its_end_is_refused(folder: Path, compiled: Unlink | None) -> None:
    """Nothing beyond the names is read."""
    if compiled is None:
        pytest.skip("of the compiled code")
    fd = os.open(folder, os.O_RDONLY)
    assert compiled(fd, b"a\0b", 3) == errno.EINVAL
    os.close(fd)
    assert _names(folder) == ["b", "c", "d", "deep", "é x"]


def test_code_of_another_source_is_not_used(tmp_path: Path) -> None:
    """Nor what is no library."""
    path = tmp_path / "unlink.so"
    assert unlinking.load(path, unlinking.SOURCE) is None
    path.write_bytes(b"no library")
    assert unlinking.load(path, unlinking.SOURCE) is None


def test_python_code_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch for diagnosis."""
    monkeypatch.setenv("BEHOLDEN_PURE_PYTHON", "1")
    unlinking.chosen.cache_clear()
    assert unlinking.chosen() is None
    unlinking.chosen.cache_clear()
