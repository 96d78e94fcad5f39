"""Loaded once by the server from which roles are forked. Nothing here may start a thread, open a
file or import a decoder, a detector or web code: the recorder is forked from it."""

from __future__ import annotations

import signal
import sys

import beholden.catalog.catalog
import beholden.record.role
import beholden.run.role_process  # noqa: F401
from beholden.run.death import die_with_parent


def settle(arguments: list[str]) -> None:
    """Set up the fork server's own process; does nothing in any other.

    A service manager that stops the whole group signals this server too. It must outlive the roles,
    for the kernel ends them with it, and they need a moment to close their files. And it must end
    with the supervisor: Python alone would keep it until the last role is gone.
    """
    if any("multiprocessing.forkserver" in word for word in arguments):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        die_with_parent()


settle(sys.orig_argv)
