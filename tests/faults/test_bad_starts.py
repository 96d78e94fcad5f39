"""Everything that can be wrong when `beholden run` starts: one sentence, exit code 1, nothing started."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beholden.catalog import Catalog

pytestmark = pytest.mark.faults

MOUNT = Callable[[str], Path]


def _run(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "beholden", "run", "--data", str(data), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def _is_one_sentence(done: subprocess.CompletedProcess[str], *said: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1, done.stderr
    for words in said:
        assert words in done.stderr


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[MOUNT]:
    """``mounted("size=48m")`` → a small file system of its own; skipped where mounting is not allowed."""
    points: list[Path] = []

    def mount(options: str) -> Path:
        point = tmp_path / f"disk-{len(points)}"
        point.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(point)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("mounting a file system needs more rights than this user has")
        points.append(point)
        return point

    yield mount
    for point in points:
        subprocess.run(["umount", "-l", str(point)], check=True)


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    """With the port, and what to do; the data directory is ready for the next try."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = _run(tmp_path / "data", "--port", str(port))
    _is_one_sentence(done, f"Port {port} on 127.0.0.1 is in use", "--port")


def test_an_address_of_another_machine_is_told(tmp_path: Path) -> None:
    """--host takes an address of this machine."""
    _is_one_sentence(_run(tmp_path / "data", "--host", "192.0.2.1"), "is not an address of this machine")


def test_a_read_only_directory_is_told(mounted: MOUNT) -> None:
    """A disk that was remounted after an error, say."""
    point = mounted("size=64m")
    subprocess.run(["mount", "-o", "remount,ro", str(point)], check=True)
    for data in (point, point / "data"):
        _is_one_sentence(_run(data), "mounted read-only", "Mount it writable")


@pytest.mark.parametrize("how", ["filled", "small", "no room for names"])
def test_a_full_directory_is_told(mounted: MOUNT, how: str) -> None:
    """Before the catalog is opened, which a full disk could harm."""
    if how == "no room for names":
        point = mounted("size=64m,nr_inodes=2")
    else:
        point = mounted("size=64m" if how == "filled" else "size=8m")
    if how == "filled":
        (point / "films").write_bytes(b"\0" * (60 * 1024**2))
    _is_one_sentence(_run(point / "data"), "is full", "Free")
    assert not (point / "data" / "catalog.db").exists()


def test_a_directory_of_another_user_is_told(tmp_path: Path) -> None:
    """As any user but root, who may write everywhere."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    program = (
        "import os, sys; from pathlib import Path; from beholden.run import data_directory;"
        "from beholden.model.errors import BeholdenError; os.setuid(65534)\n"
        "try: data_directory.prepare(Path(sys.argv[1]))\n"
        "except BeholdenError as error: sys.exit(str(error))"
    )
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(path.stat().st_mode | 0o055)
    done = subprocess.run(
        [sys.executable, "-c", program, str(theirs)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "cannot be written by this user" in done.stderr


@pytest.mark.parametrize("content", [b"this is no database" * 1000, b"SQLite format 3\0" + b"\xff" * 8192])
def test_a_corrupt_catalog_is_told_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    """Nothing is written over what may still be rescued."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "catalog.db").write_bytes(content)
    _is_one_sentence(_run(data), "damaged or not a Beholden catalog", "Move it aside")
    assert (data / "catalog.db").read_bytes() == content


def test_a_catalog_damaged_in_the_middle_is_told(tmp_path: Path) -> None:
    """A bad block, not a bad header."""
    data = tmp_path / "data"
    data.mkdir()
    Catalog.open(data).close()
    with (data / "catalog.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 4096 * 8)
    _is_one_sentence(_run(data), "damaged")


def test_a_catalog_of_a_newer_version_is_told(tmp_path: Path) -> None:
    """It is not opened by guessing, and not changed."""
    data = tmp_path / "data"
    data.mkdir()
    Catalog.open(data).close()
    with sqlite3.connect(data / "catalog.db") as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
    conn.close()
    _is_one_sentence(_run(data), "newer version of Beholden", "Run that version")


def test_a_second_start_on_the_same_directory_is_told(
    tmp_path: Path, system_factory: Callable[..., Any]
) -> None:
    """And the first one is not disturbed."""
    system = system_factory(tmp_path / "data")
    before = system.processes()
    _is_one_sentence(_run(system.data), "running already", f"process {system.process.pid}")
    assert set(before) <= set(system.processes())
    assert system.status()["status"] in ("ok", "degraded")
    assert system.stop() == 0
    assert system.lines[-1] == "Stopped."
    assert system.processes() == []
    assert not (system.data / "run" / "roles.json").exists()


@pytest.mark.parametrize(
    ("text", "said"), [("prot = 1\n", "no setting named 'prot'"), ("port = [\n", "not valid TOML")]
)
def test_a_wrong_settings_file_is_told(tmp_path: Path, text: str, said: str) -> None:
    """With the file and the setting."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "beholden.toml").write_text(text)
    _is_one_sentence(_run(data), said, "beholden.toml")


def test_a_wrong_secret_key_is_told(tmp_path: Path) -> None:
    """A key cut short would make every camera password unreadable: better not to start."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "secret.key").write_bytes(b"short")
    _is_one_sentence(_run(data), "secret.key is damaged", "Restore it")
