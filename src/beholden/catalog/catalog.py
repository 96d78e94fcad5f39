"""Opening the catalog, and its two kinds of transaction."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import QueuePool

from beholden.catalog.migrations import HEAD
from beholden.model.errors import BeholdenError

FILE_NAME = "catalog.db"
BUSY_TIMEOUT_MS = 10_000
QUICK_CHECK_BYTES = 32 * 1024 * 1024


class CatalogError(BeholdenError):
    """The catalog cannot be opened, read or written; the text says why."""


class Catalog:
    """One database of one site.

    Safe to use from several threads and several processes. Reads see a consistent state; a write is
    one short ``BEGIN IMMEDIATE`` transaction, durable (``synchronous=FULL``) when the block ends.
    No file or network work belongs inside either block.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        self._write_lock = threading.Lock()
        self._engine = create_engine(
            "sqlite://", creator=self._connect, poolclass=QueuePool, pool_size=2, max_overflow=10
        )

    @classmethod
    def open(cls, directory: Path) -> Catalog:
        """Open the catalog of a data directory, creating or upgrading it as needed.

        Raises CatalogError for a directory that cannot be written, a corrupt file, or a catalog
        made by a newer version.
        """
        path = directory / FILE_NAME
        catalog = cls(path)
        with _told_plainly(path):
            catalog._check()
            catalog._upgrade()
        return catalog

    @classmethod
    def open_existing(cls, directory: Path) -> Catalog:
        """Open a catalog that must exist already and be of this version (for commands and roles)."""
        path = directory / FILE_NAME
        if not path.exists():
            raise CatalogError(
                "no_catalog",
                f"There is no catalog in {directory}.",
                "Give the directory that `beholden run --data` uses, or start it there first.",
            )
        return cls.open(directory)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with; nothing it writes is kept."""
        with _told_plainly(self.path), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextlib.contextmanager
    def write(self, *, references: bool = True) -> Iterator[Connection]:
        """One durable transaction; rolled back when the block raises.

        ``references`` False: those between tables are not looked after. For deleting many rows to which
        nothing refers: SQLite looks after each twice as long as deleting it takes.
        """
        connect = self._engine.connect if references else self._without_references
        with _told_plainly(self.path), self._write_lock, connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _without_references(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")  # nothing happens inside a transaction
            try:
                yield connection
            except BaseException:
                connection.invalidate()  # nobody gets it again as it is
                raise
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode={'ro' if self._read_only else 'rwc'}"
        # isolation_level None: the driver must not open transactions by itself, read() and write() do.
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
        )
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA foreign_keys=ON")
        if not self._read_only:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA journal_size_limit=67108864")
        cursor.close()
        return connection

    def _check(self) -> None:
        # A whole check reads every page: worth it while that takes a blink. Damage in a large catalog is
        # told when it is met, and `beholden check` looks for it.
        with self._engine.connect() as connection:
            connection.exec_driver_sql("select count(*) from sqlite_master").scalar_one()
            if self.path.stat().st_size > QUICK_CHECK_BYTES:
                return
            if connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() != "ok":
                raise _corrupt(self.path)

    def _upgrade(self) -> None:
        with self._engine.connect() as connection:
            current = _revision(connection)
        if current == HEAD:
            return
        # Alembic is large, and only the process that upgrades needs it.
        from beholden.catalog.upgrade import knows, upgrade

        if current is not None and not knows(current):
            raise CatalogError(
                "catalog_newer",
                f"The catalog {self.path} was made by a newer version of Beholden.",
                "Run that version, or restore the catalog from before the upgrade.",
            )
        with self._write_lock, self._engine.connect() as connection:
            # Two processes may start at once: the second waits here and finds nothing to do.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            upgrade(connection)
            connection.commit()


def _revision(connection: Connection) -> str | None:
    """The schema's revision; None for a database without one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("select version_num from alembic_version").scalar()
    return None if found is None else str(found)


def _corrupt(path: Path) -> CatalogError:
    return CatalogError(
        "catalog_corrupt",
        f"The catalog {path} is damaged or not a Beholden catalog.",
        "Move it aside and restore a copy; the footage itself is untouched and will be indexed again.",
    )


@contextlib.contextmanager
def _told_plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig)
        if "disk I/O" in reason or "malformed" in reason:
            raise _corrupt(path) from error
        if "no such table" in reason or "no such column" in reason:
            raise
        raise CatalogError(
            "catalog_unavailable",
            f"The catalog {path} cannot be used: {reason}.",
            _next_step(reason),
        ) from error
    except DatabaseError as error:
        if isinstance(error.orig, sqlite3.DatabaseError) and type(error.orig) is sqlite3.DatabaseError:
            raise _corrupt(path) from error
        raise


def _next_step(reason: str) -> str:
    if "readonly" in reason:
        return "Make the data directory writable for this user."
    if "full" in reason:
        return "Free space on the disk that holds it."
    if "locked" in reason:
        return "Another process holds it; try again, and stop other programs that open it."
    return "Check that the data directory exists and is writable."
