"""Opening a data directory for a command."""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path

import structlog

from beholden.catalog import Catalog
from beholden.catalog.secrets import SecretBox
from beholden.model.time import SystemClock
from beholden.run import first_start, settings
from beholden.run.first_start import OpenSite


def operator() -> str:
    """Who gave the command, for the journal."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return f"command line ({name})"


def log_to_stderr() -> None:
    """Keep standard output for what was asked; only trouble is logged."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.LogfmtRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


@contextlib.contextmanager
def existing(data: Path) -> Iterator[OpenSite]:
    """A data directory that has a catalog already; BeholdenError ``no_catalog`` when it has none."""
    log_to_stderr()
    catalog = Catalog.open_existing(data)
    try:
        yield OpenSite(data, catalog, SecretBox.open(data))
    finally:
        catalog.close()


@contextlib.contextmanager
def made_ready(data: Path) -> Iterator[OpenSite]:
    """The same, made first when there is none: cameras may be added before the first start."""
    log_to_stderr()
    site = first_start.prepare(settings.load(data=data), SystemClock())
    try:
        yield site
    finally:
        site.catalog.close()
