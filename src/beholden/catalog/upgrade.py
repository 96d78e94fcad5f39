"""Bringing a catalog's schema up to date with Alembic."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection


def knows(revision: str) -> bool:
    """Whether this version has a migration of that name."""
    try:
        return _scripts().get_revision(revision) is not None
    except CommandError:
        return False


def newest() -> str | None:
    """The revision that ``upgrade`` leads to."""
    return _scripts().get_current_head()


def upgrade(connection: Connection) -> None:
    """Run what is missing on a connection inside a transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "beholden.catalog:migrations")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
