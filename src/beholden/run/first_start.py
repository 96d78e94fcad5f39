"""A data directory made ready for work: catalog, key, site, first volume, first administrator."""

from __future__ import annotations

import itertools
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Connection

from beholden.access.links import link_path, make_link
from beholden.catalog import Catalog, sites, users, volumes
from beholden.catalog.secrets import SecretBox
from beholden.model.access import Role
from beholden.model.time import Clock
from beholden.run import data_directory, time_zone
from beholden.run.settings import Settings
from beholden.store.store import StoreError
from beholden.store.volume import Volume

log = structlog.get_logger()

FIRST_ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class OpenSite:
    """An opened data directory."""

    data_dir: Path
    catalog: Catalog
    box: SecretBox


def prepare(settings: Settings, clock: Clock) -> OpenSite:
    """Make what is missing and open it; safe to call again at each start.

    Raises BeholdenError for a directory that cannot be used and a damaged or newer catalog. A storage
    directory that is missing or swapped is told in the log and no reason not to start: the UI is where
    its owner looks.
    """
    data_directory.prepare(settings.data)
    catalog = Catalog.open(settings.data)
    try:
        box = SecretBox.open(settings.data)
        with catalog.write() as conn:
            sites.ensure(conn, time_zone=time_zone.of_machine())
        _ensure_volume(catalog, settings.footage_directory, clock)
    except BaseException:
        catalog.close()
        raise
    return OpenSite(settings.data, catalog, box)


def first_sign_in(catalog: Catalog, clock: Clock) -> str | None:
    """The path of a one-time link for the first administrator, while no administrator has a password.

    A link is made at each such start: the one printed before may have been lost with its terminal.
    """
    with catalog.write() as conn:
        accounts = users.all_users(conn)
        admins = [account for account in accounts if account.role is Role.ADMIN and not account.disabled]
        if any(account.password_hash is not None for account in admins):
            return None
        admin = admins[0].id if admins else _add_admin(conn, {item.name for item in accounts}, clock)
    return link_path(make_link(catalog, admin, clock=clock))


def _add_admin(conn: Connection, taken: Container[str], clock: Clock) -> int:
    numbered = (f"{FIRST_ADMIN}{number}" for number in itertools.count(2))
    names = itertools.chain((FIRST_ADMIN,), numbered)
    name = next(name for name in names if name not in taken)
    return users.add(conn, clock.now_ms(), name, Role.ADMIN)


def _ensure_volume(catalog: Catalog, path: Path, clock: Clock) -> None:
    with catalog.read() as conn:
        known = volumes.all_volumes(conn)
    if not known:
        made = Volume.create(path)
        with catalog.write() as conn:
            volumes.add(conn, clock.now_ms(), made.uuid, str(path))
        return
    for row in known:
        try:
            Volume.open(Path(row.path), row.uuid)
        except StoreError as error:
            log.error("a storage directory cannot be used", path=row.path, cause=str(error))
