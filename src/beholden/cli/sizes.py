"""Sizes as people write them."""

from __future__ import annotations

import re

from beholden.model.errors import BeholdenError

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
NONE = "none"


def parse_size(text: str) -> int:
    """Bytes of ``500GB``, ``1.5 TB`` or a plain number; BeholdenError ``bad_size``."""
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([a-z]*)", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise BeholdenError("bad_size", f"{text!r} is not a size.", "Give one such as 500GB or 1.5TB.")
    return round(float(found[1]) * _UNITS[found[2]])


def size_or_none(text: str) -> int | None:
    """The same, or None for ``none``."""
    return None if text.strip().lower() == NONE else parse_size(text)


def days_or_none(text: str) -> float | None:
    """Days, or None for ``none``; BeholdenError ``bad_days``."""
    if text.strip().lower() == NONE:
        return None
    try:
        return float(text)
    except ValueError:
        raise BeholdenError(
            "bad_days", f"{text!r} is not a number of days.", "Give one such as 2.5."
        ) from None
