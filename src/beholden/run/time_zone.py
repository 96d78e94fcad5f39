"""The machine's time zone by its IANA name."""

from __future__ import annotations

import os
import zoneinfo
from pathlib import Path


def of_machine(root: Path = Path("/")) -> str:
    """The name in TZ, /etc/timezone or the target of /etc/localtime; ``UTC`` when none is a known one."""
    known = zoneinfo.available_timezones()
    candidates = [os.environ.get("TZ", "").removeprefix(":"), _written(root), _linked(root)]
    return next((name for name in candidates if name in known), "UTC")


def _written(root: Path) -> str:
    try:
        return (root / "etc/timezone").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _linked(root: Path) -> str:
    try:
        return (root / "etc/localtime").readlink().as_posix().partition("zoneinfo/")[2]
    except OSError:
        return ""
