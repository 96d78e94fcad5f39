"""Opening, upgrading and refusing catalogs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from beholden.catalog import Catalog, CatalogError
from beholden.catalog.migrations import HEAD
from beholden.catalog.tables import APPEND_ONLY, metadata
from beholden.catalog.upgrade import newest


def test_migrations_make_the_tables_of_the_code(catalog: Catalog) -> None:
    """What migrations build is exactly what tables.py says."""
    with catalog.read() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_named() -> None:
    """Opening compares with a constant, so that only an upgrade loads Alembic: the constant must be true."""
    assert newest() == HEAD


def test_opening_an_up_to_date_catalog_does_not_load_alembic(catalog: Catalog, tmp_path: Path) -> None:
    """A recorder keeps its memory for footage."""
    code = (
        "import sys, pathlib; from beholden.catalog import Catalog; "
        f"Catalog.open(pathlib.Path({str(tmp_path)!r})).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_rowid_tables_stay_so(catalog: Catalog) -> None:
    """The tables keyed by time are clustered by their key in the migrated schema too."""
    wanted = {t.name for t in metadata.sorted_tables if t.dialect_options["sqlite"]["with_rowid"] is False}
    with catalog.read() as conn:
        rows = conn.execute(text("select name, sql from sqlite_master where type = 'table'")).all()
    assert {row.name for row in rows if "WITHOUT ROWID" in row.sql} == wanted


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("statement", ["update {} set at_ms = 2", "delete from {}"])
def test_append_only_tables_refuse_changes(catalog: Catalog, table: str, statement: str) -> None:
    """Neither a look nor a fact can be changed or taken back through the database."""
    columns = {
        "look": "(at_ms, user_id, user_name, ip, camera, action, from_ms, what)"
        " values (1, 1, 'a', '', 1, 'live', 1, '')",
        "journal": "(at_ms, kind, body) values (1, 'x', '{}')",
    }[table]
    with catalog.write() as conn:
        conn.exec_driver_sql(f"insert into {table} {columns}")
    with pytest.raises(Exception, match="append-only"), catalog.write() as conn:
        conn.exec_driver_sql(statement.format(table))
    with catalog.read() as conn:
        assert conn.exec_driver_sql(f"select at_ms from {table}").scalars().all() == [1]


def test_a_second_opening_changes_nothing(catalog: Catalog, tmp_path: Path) -> None:
    """Opening an up-to-date catalog is a no-op."""
    with catalog.write() as conn:
        conn.exec_driver_sql("insert into journal (at_ms, kind, body) values (7, 'x', '{}')")
    again = Catalog.open(tmp_path)
    with again.read() as conn:
        assert conn.exec_driver_sql("select at_ms from journal").scalars().all() == [7]
    again.close()


def test_a_newer_catalog_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    """A catalog of a later version is left alone, and the text says what to do."""
    with catalog.write() as conn:
        conn.exec_driver_sql("update alembic_version set version_num = '9999'")
    with pytest.raises(CatalogError, match="newer version") as caught:
        Catalog.open(tmp_path)
    assert caught.value.code == "catalog_newer"
    assert caught.value.next_step


@pytest.mark.parametrize(
    "content", [b"this is not a database" * 100, b"SQLite format 3\x00" + b"\xff" * 8000]
)
def test_a_corrupt_catalog_is_refused(tmp_path: Path, content: bytes) -> None:
    """A damaged file gives one clear error and is not touched."""
    path = tmp_path / "catalog.db"
    path.write_bytes(content)
    with pytest.raises(CatalogError) as caught:
        Catalog.open(tmp_path)
    assert caught.value.code == "catalog_corrupt"
    assert path.read_bytes() == content


def test_a_missing_catalog_is_said_plainly(tmp_path: Path) -> None:
    """Commands on an empty directory do not make a catalog there."""
    with pytest.raises(CatalogError, match="no catalog"):
        Catalog.open_existing(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_said_plainly(tmp_path: Path) -> None:
    """A data directory that is not there gives the reason and a next step."""
    with pytest.raises(CatalogError) as caught:
        Catalog.open(tmp_path / "nowhere")
    assert caught.value.code == "catalog_unavailable"


def test_read_keeps_nothing(catalog: Catalog) -> None:
    """What a reader writes by mistake is rolled back."""
    with catalog.read() as conn:
        conn.exec_driver_sql("insert into journal (at_ms, kind, body) values (7, 'x', '{}')")
    with catalog.read() as conn:
        assert conn.exec_driver_sql("select count(*) from journal").scalar() == 0


def test_a_failed_write_keeps_nothing(catalog: Catalog) -> None:
    """A write block is all or nothing."""

    def write_and_fail() -> None:
        with catalog.write() as conn:
            conn.exec_driver_sql("insert into journal (at_ms, kind, body) values (7, 'x', '{}')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    with catalog.read() as conn:
        assert conn.exec_driver_sql("select count(*) from journal").scalar() == 0


def test_only_a_mass_deletion_is_without_references(catalog: Catalog) -> None:
    """They are not looked after in the block that asked for it, and in every other, also when it failed."""
    foreign = "insert into user_grant (user_id, camera, action) values (4711, null, 'live')"

    def write_unlooked_after_and_fail() -> None:
        with catalog.write(references=False) as conn:
            conn.exec_driver_sql(foreign)
            raise RuntimeError

    def write_looked_after() -> None:
        with catalog.write() as conn:
            conn.exec_driver_sql(foreign)

    with pytest.raises(IntegrityError):
        write_looked_after()
    with pytest.raises(RuntimeError):
        write_unlooked_after_and_fail()
    with pytest.raises(IntegrityError):
        write_looked_after()
    with catalog.read() as conn:
        assert conn.exec_driver_sql("select count(*) from user_grant").scalar() == 0
    with catalog.write(references=False) as conn:
        conn.exec_driver_sql(foreign)
    with pytest.raises(IntegrityError):
        write_looked_after()
    with catalog.read() as conn:
        assert conn.exec_driver_sql("select count(*) from user_grant").scalar() == 1


def test_writes_are_durable_by_setting(catalog: Catalog) -> None:
    """WAL with synchronous=FULL: a committed fact survives a power cut."""
    with catalog.read() as conn:
        assert conn.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_path_with_odd_characters_works(tmp_path: Path) -> None:
    """Blanks, percent, question marks and hashes in the data directory are only characters."""
    odd = tmp_path / "a b%20?c#d"
    odd.mkdir()
    catalog = Catalog.open(odd)
    catalog.close()
    assert (odd / "catalog.db").exists()
    sqlite3.connect(odd / "catalog.db").close()


@pytest.mark.parametrize(
    ("reason", "code", "step"),
    [
        ("attempt to write a readonly database", "catalog_unavailable", "writable"),
        ("database or disk is full", "catalog_unavailable", "Free space"),
        ("database is locked", "catalog_unavailable", "Another process"),
        ("unable to open database file", "catalog_unavailable", "exists and is writable"),
        ("disk I/O error", "catalog_corrupt", "restore a copy"),
        ("database disk image is malformed", "catalog_corrupt", "restore a copy"),
    ],
)
def test_what_the_disk_refuses_is_said_plainly(catalog: Catalog, reason: str, code: str, step: str) -> None:
    """With what to do about it, whatever the statement was."""
    with pytest.raises(CatalogError) as caught, catalog.read():
        raise OperationalError("select 1", {}, sqlite3.OperationalError(reason))
    assert caught.value.code == code
    assert step in caught.value.next_step


def test_a_mistake_of_ours_is_not_told_as_the_disks(catalog: Catalog) -> None:
    """A table that is not there, a value that is not unique: they keep their own names."""
    with pytest.raises(OperationalError), catalog.read() as conn:
        conn.exec_driver_sql("select * from no_such")
    with pytest.raises(IntegrityError), catalog.write() as conn:
        conn.exec_driver_sql("insert into site (id) values (null), (null)")
    with pytest.raises(CatalogError) as caught, catalog.read():
        raise DatabaseError("select 1", {}, sqlite3.DatabaseError("file is not a database"))
    assert caught.value.code == "catalog_corrupt"
