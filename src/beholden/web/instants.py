"""Times at the edge: RFC 3339 in, RFC 3339 out."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from beholden.model.errors import BeholdenError
from beholden.model.time import NaiveDatetimeError, parse_rfc3339, to_rfc3339

LAST_MS = 7_258_118_400_000  # 2200-01-01: later ones are mistakes


def parse(text: str) -> int:
    """Epoch milliseconds; BeholdenError ``bad_time`` for anything but an instant between 1970 and 2200."""
    try:
        # A plus sign arrives as a space where the sender did not escape it.
        ms = parse_rfc3339(text.strip().replace(" ", "+", 1) if text.count(" ") == 1 else text.strip())
    except (ValueError, NaiveDatetimeError, OverflowError):
        raise _bad(text) from None
    if not 0 <= ms < LAST_MS:
        raise _bad(text)
    return ms


def show(ms: float | None) -> str | None:
    """RFC 3339 of epoch milliseconds; None stays None."""
    return None if ms is None else to_rfc3339(int(ms))


def _check(text: str) -> str:
    try:
        parse(text)
    except BeholdenError as error:
        raise ValueError(error.message) from None
    return text


Instant = Annotated[str, AfterValidator(_check)]


def _bad(text: str) -> BeholdenError:
    return BeholdenError(
        "bad_time",
        f"{text[:40]!r} is not a time with a zone.",
        "Write it like 2026-11-23T22:15:04Z or 2026-11-23T23:15:04+01:00.",
    )
