"""What is checked and made before anything is started."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from beholden.access.links import use_link
from beholden.catalog import Catalog, sites, users, volumes
from beholden.model.access import Role
from beholden.model.errors import BeholdenError
from beholden.model.time import FakeClock
from beholden.run import data_directory, first_start, ports, settings, time_zone
from beholden.run.backoff import LONGEST_SECONDS, Backoff
from beholden.run.lock import InstanceLock, is_running


def test_the_data_directory_is_made_private(tmp_path: Path) -> None:
    """Footage, keys and passwords lie in it: nobody else may look."""
    data = tmp_path / "a" / "b"
    data_directory.prepare(data)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert list((data / "run").iterdir()) == []


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    """Told before anything is written."""
    path = tmp_path / "file"
    path.touch()
    for wrong in (path, path / "below"):
        with pytest.raises(BeholdenError, match="is not a directory") as caught:
            data_directory.prepare(wrong)
        assert caught.value.code == "data_not_a_directory"


def test_only_one_instance_runs_on_a_directory(tmp_path: Path) -> None:
    """The second is told who the first is; the lock ends with its holder."""
    (tmp_path / "run").mkdir()
    program = (
        "import sys, pathlib; from beholden.run.lock import InstanceLock;"
        "lock = InstanceLock(pathlib.Path(sys.argv[1])); lock.take(); print('taken', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"taken\n"
        assert is_running(tmp_path)
        with pytest.raises(BeholdenError, match=f"running already.*process {holder.pid}"):
            InstanceLock(tmp_path).take()
        holder.kill()
    assert not is_running(tmp_path)
    lock = InstanceLock(tmp_path)
    lock.take()
    assert is_running(tmp_path)
    lock.release()
    assert not is_running(tmp_path)


def test_asking_whether_it_runs_makes_nothing(tmp_path: Path) -> None:
    """A question about an empty directory leaves it empty."""
    assert not is_running(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_told() -> None:
    """Before any role is started, with what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BeholdenError, match=f"Port {port} on 127.0.0.1 is in use") as caught:
            ports.check_free("127.0.0.1", port)
    assert "--port" in caught.value.next_step
    ports.check_free("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "x" * 300])
def test_a_foreign_address_is_told(host: str) -> None:
    """An address of another machine, or none at all, cannot be listened on."""
    with pytest.raises(BeholdenError, match="is not an address of this machine"):
        ports.check_free(host, 8484)


def test_the_first_start_makes_what_is_needed(tmp_path: Path) -> None:
    """Catalog, key, site and first volume; a second start changes nothing."""
    found = settings.load(data=tmp_path)
    for _ in range(2):
        site = first_start.prepare(found, FakeClock())
        with site.catalog.read() as conn:
            assert sites.get(conn).time_zone == time_zone.of_machine()
            (row,) = volumes.all_volumes(conn)
        site.catalog.close()
        assert row.path == str(tmp_path / "footage")
        assert (tmp_path / "footage" / ".beholden-volume").read_text().strip() == row.uuid
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_a_missing_disk_does_not_stop_the_start(tmp_path: Path) -> None:
    """The owner looks in the UI, so the UI must come; the empty mount point is not made a new volume."""
    found = settings.load(data=tmp_path)
    first_start.prepare(found, FakeClock()).catalog.close()
    (tmp_path / "footage" / ".beholden-volume").unlink()
    site = first_start.prepare(found, FakeClock())
    with site.catalog.read() as conn:
        assert len(volumes.all_volumes(conn)) == 1
    site.catalog.close()
    assert not (tmp_path / "footage" / ".beholden-volume").exists()


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """An empty catalog."""
    return Catalog.open(tmp_path)


def _link_user(catalog: Catalog, path: str, clock: FakeClock) -> str | None:
    user = use_link(catalog, path.partition("token=")[2], clock)
    return user.name if user else None


def test_the_first_administrator_signs_in_by_link(catalog: Catalog) -> None:
    """Without accounts one is made, without a password, and its link works once."""
    clock = FakeClock()
    path = first_start.first_sign_in(catalog, clock)
    assert path is not None
    assert _link_user(catalog, path, clock) == "admin"
    assert _link_user(catalog, path, clock) is None
    with catalog.read() as conn:
        (account,) = users.all_users(conn)
    assert (account.role, account.password_hash) == (Role.ADMIN, None)


def test_a_lost_link_is_mended_by_a_restart(catalog: Catalog) -> None:
    """While nobody has a password, each start prints a new link for the same account."""
    clock = FakeClock()
    first_start.first_sign_in(catalog, clock)
    path = first_start.first_sign_in(catalog, clock)
    assert path is not None
    assert _link_user(catalog, path, clock) == "admin"
    with catalog.read() as conn:
        assert users.count(conn) == 1


def test_no_link_is_printed_once_an_administrator_has_a_password(catalog: Catalog) -> None:
    """A terminal or journal is no place for keys that are not needed."""
    with catalog.write() as conn:
        users.add(conn, 0, "eve", Role.ADMIN, "a hash")
    assert first_start.first_sign_in(catalog, FakeClock()) is None


def test_viewers_alone_are_not_enough(catalog: Catalog) -> None:
    """A site with only a viewer, even one named admin, still gets an administrator."""
    with catalog.write() as conn:
        users.add(conn, 0, "admin", Role.VIEWER, "a hash")
    path = first_start.first_sign_in(catalog, FakeClock())
    assert path is not None
    with catalog.read() as conn:
        assert {(item.name, item.role) for item in users.all_users(conn)} == {
            ("admin", Role.VIEWER),
            ("admin2", Role.ADMIN),
        }


def test_the_zone_of_the_machine_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TZ first, then /etc/timezone, then /etc/localtime; what is not a zone's name is stepped over."""
    monkeypatch.delenv("TZ", raising=False)
    (tmp_path / "etc").mkdir()
    assert time_zone.of_machine(tmp_path) == "UTC"
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    assert time_zone.of_machine(tmp_path) == "Asia/Tokyo"
    (tmp_path / "etc/timezone").write_text("Europe/Berlin\n")
    assert time_zone.of_machine(tmp_path) == "Europe/Berlin"
    monkeypatch.setenv("TZ", ":America/Lima")
    assert time_zone.of_machine(tmp_path) == "America/Lima"
    monkeypatch.setenv("TZ", "CET-1CEST")
    assert time_zone.of_machine(tmp_path) == "Europe/Berlin"


def test_back_off_grows_and_is_bounded() -> None:
    """No wait at first, then doubling, never more than the longest."""
    backoff = Backoff()
    waits = [backoff.died(0.0) for _ in range(100)]
    assert waits[:4] == [0.0, 0.5, 1.0, 2.0]
    assert waits[-1] == LONGEST_SECONDS
    assert backoff.died(3600.0) == 0.0
