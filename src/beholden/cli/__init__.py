"""The `beholden` command."""

from __future__ import annotations

import os
import sys

UMASK = 0o027


def main() -> None:
    """Entry point: exit code 0 done, 1 could not be done (one sentence on stderr), 2 wrongly asked."""
    from beholden.cli.app import run

    # What we make is nobody else's: the catalog, logs and footage, in every process we start.
    os.umask(UMASK)
    sys.exit(run(sys.argv[1:]))
