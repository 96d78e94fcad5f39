"""What a camera's settings may be, for everyone who sets them: commands, the API, forms."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from beholden.catalog.tables import recording_window
from beholden.model.camera import RecordingMode, RecordingWindow, Transport
from beholden.model.errors import BeholdenError

ANALYSE_CHOICES = ("balanced", "always", "keyframes", "off")
MOST_DAYS = 3650
LEAST_BYTES = 100_000_000
MEMORY_BYTES = (4_000_000, 256_000_000)
MOST_EVENT_SECONDS = 60
_HEXADECIMAL = frozenset("0123456789abcdef")


def check(values: Mapping[str, Any]) -> None:
    """Check those settings that are given, by column name; BeholdenError ``bad_name`` or ``bad_value``."""
    for name, value in values.items():
        verdict = _CHECKS.get(name)
        if verdict is not None and (said := verdict(value)):
            raise BeholdenError("bad_name" if name == "name" else "bad_value", said)
    days, most = values.get("keep_days"), values.get("max_days")
    if days is not None and most is not None and most < days:
        raise BeholdenError(
            "bad_value",
            "The hard maximum age is shorter than the days footage is to be kept.",
            "Keep fewer days, or raise the maximum.",
        )


def parse_certificate(text: str) -> str:
    """``verify``, ``any`` or ``sha256:<64 hex digits>`` from what a person wrote: colons and capitals are
    accepted in the digits. What is none of these comes back as it is, for ``check`` to refuse."""
    kind, _, digits = text.strip().partition(":")
    if kind.lower() == "sha256":
        return "sha256:" + digits.replace(":", "").lower()
    return text.strip().lower()


def windows(conn: Connection) -> dict[int, tuple[RecordingWindow, ...]]:
    """Every camera's recording windows, by id, in order of the week."""
    table = recording_window
    found: dict[int, list[RecordingWindow]] = {}
    for row in conn.execute(select(table).order_by(table.c.camera, table.c.weekday, table.c.from_minute)):
        window = RecordingWindow(row.weekday, row.from_minute, row.to_minute, RecordingMode(row.mode))
        found.setdefault(row.camera, []).append(window)
    return {camera: tuple(each) for camera, each in found.items()}


def set_windows(conn: Connection, camera: int, wanted: Iterable[RecordingWindow]) -> list[dict[str, Any]]:
    """Replace a camera's windows and return them as the journal has them; BeholdenError ``bad_value``."""
    ordered = sorted(wanted, key=lambda each: (each.weekday, each.from_minute))
    _check_windows(ordered)
    conn.execute(delete(recording_window).where(recording_window.c.camera == camera))
    rows = [
        {"weekday": w.weekday, "from_minute": w.from_minute, "to_minute": w.to_minute, "mode": w.mode.value}
        for w in ordered
    ]
    if rows:
        conn.execute(insert(recording_window), [{"camera": camera, **row} for row in rows])
    return rows


def _check_windows(ordered: list[RecordingWindow]) -> None:
    for window in ordered:
        if not (0 <= window.weekday <= 6 and 0 <= window.from_minute < window.to_minute <= 1440):
            raise BeholdenError(
                "bad_value", "A recording window lies within one day, and begins before it ends."
            )
        if window.mode is RecordingMode.SCHEDULE:
            raise BeholdenError("bad_value", "Within a window a camera records continuously or on events.")
    for one, other in itertools.pairwise(ordered):
        if one.weekday == other.weekday and other.from_minute < one.to_minute:
            raise BeholdenError(
                "bad_value", "Two recording windows of a day overlap.", "Join them, or shorten one."
            )


def _name(value: str) -> str:
    good = bool(value.strip()) and len(value) <= 200
    return "" if good else "A camera needs a name of 1 to 200 characters."


def _one_of(name: str, choices: Iterable[str]) -> Callable[[Any], str]:
    allowed = tuple(choices)
    return lambda value: "" if value in allowed else f"{name} is one of {', '.join(allowed)}."


def _days(what: str, *, needed: bool = False) -> Callable[[float | None], str]:
    def verdict(value: float | None) -> str:
        if value is None:
            return f"{what} must be given." if needed else ""
        good = math.isfinite(value) and 0 < value <= MOST_DAYS
        return "" if good else f"{what} can be kept for more than 0 and up to {MOST_DAYS} days."

    return verdict


def _between(what: str, least: int, most: int, unit: str) -> Callable[[int | None], str]:
    said = f"{what} is {least} to {most} {unit}."
    return lambda value: "" if value is None or least <= value <= most else said


def _certificate(value: str) -> str:
    if value in ("verify", "any"):
        return ""
    kind, _, digits = value.partition(":")
    if kind == "sha256" and len(digits) == 64 and set(digits) <= _HEXADECIMAL:
        return ""
    return "certificate is verify, any, or sha256: with the 64 hexadecimal digits of the camera's own."


def _size(value: int | None) -> str:
    good = value is None or value >= LEAST_BYTES
    return "" if good else "A camera's share of storage is at least 100 MB."


_CHECKS: dict[str, Callable[[Any], str]] = {
    "name": _name,
    "analyse": _one_of("analyse", ANALYSE_CHOICES),
    "transport": _one_of("transport", Transport),
    "mode": _one_of("mode", RecordingMode),
    "certificate": _certificate,
    "keep_days": _days("Footage", needed=True),
    "keep_event_days": _days("Footage of events"),
    "max_days": _days("At the very most, footage"),
    "max_bytes": _size,
    "memory_bytes": _between("A camera's memory in the recorder", *MEMORY_BYTES, "bytes"),
    "pre_seconds": _between("The time kept before an event", 0, MOST_EVENT_SECONDS, "seconds"),
    "post_seconds": _between("The time kept after an event", 0, MOST_EVENT_SECONDS * 10, "seconds"),
}
