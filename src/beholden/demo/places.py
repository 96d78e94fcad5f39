"""Where the demo keeps things: inside a checkout, or in the user's cache directory when installed."""

from __future__ import annotations

import os
from pathlib import Path


def checkout() -> Path | None:
    """The checkout this package runs from, None when it is installed."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").exists() and (root / "scripts" / "demo").exists() else None


def cache() -> Path:
    """``.cache`` of the checkout, else ``$XDG_CACHE_HOME/beholden``."""
    root = checkout()
    if root is not None:
        return root / ".cache"
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "beholden"


def default_data() -> Path:
    """The data directory when none is given: ``data`` of the checkout, else ``demo`` in the cache."""
    root = checkout()
    return root / "data" if root is not None else cache() / "demo"
