"""`beholden version`."""

from __future__ import annotations

from beholden import __version__
from beholden.cli.options import Json
from beholden.cli.output import print_json, say


def version(json: Json = False) -> None:
    """Say which version this is."""
    if json:
        print_json({"version": __version__})
    else:
        say(f"beholden {__version__}")
