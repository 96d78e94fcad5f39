"""Sizes and days as people write them on the command line."""

from __future__ import annotations

import re

from beholden.model.errors import BeholdenError

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


def parse_size(text: str) -> int:
    """Bytes of ``50GB``, ``1.5 TB``, ``800mb``: decimal units. BeholdenError ``bad_value``."""
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([a-z]*)", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise BeholdenError("bad_value", f"{text!r} is not a size.", "Give one such as 800MB, 50GB or 2TB.")
    return round(float(found[1]) * _UNITS[found[2]])


def parse_days(text: str) -> float:
    """``30`` or ``0.5``; BeholdenError ``bad_value``."""
    try:
        return float(text)
    except ValueError:
        raise BeholdenError(
            "bad_value", f"{text!r} is not a number of days.", "Give one such as 30."
        ) from None
