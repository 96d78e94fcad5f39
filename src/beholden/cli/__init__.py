"""The `beholden` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point: exit code 0 done, 1 could not be done (one sentence on stderr), 2 wrongly asked."""
    from beholden.cli.app import run

    sys.exit(run(sys.argv[1:]))
