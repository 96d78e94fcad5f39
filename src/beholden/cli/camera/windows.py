"""Recording windows as people write them: ``mon-fri 08:00-18:00``, ``sat,sun 22:00-06:00=events``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

from beholden.model.camera import RecordingMode, RecordingWindow
from beholden.model.errors import BeholdenError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MIDNIGHT = 1440
_FORM = re.compile(
    r"(?P<days>[a-z,-]+)\s+(?P<from>\d\d?:\d\d)-(?P<to>\d\d?:\d\d)(?:\s*=\s*(?P<mode>[a-z]+))?"
)


def parse_windows(texts: Iterable[str]) -> tuple[RecordingWindow, ...]:
    """Windows in order of the week; hours that end before they begin go on into the next day.

    BeholdenError ``bad_value``.
    """
    found = [window for text in texts for window in _parse(text)]
    return tuple(sorted(found, key=lambda each: (each.weekday, each.from_minute)))


def show_windows(windows: Iterable[RecordingWindow]) -> list[str]:
    """The same as texts that ``parse_windows`` reads, days with the same hours together."""
    by_hours: dict[tuple[int, int, RecordingMode], list[int]] = {}
    for window in windows:
        by_hours.setdefault((window.from_minute, window.to_minute, window.mode), []).append(window.weekday)
    shown = []
    for (begin, end, mode), days in by_hours.items():
        suffix = "" if mode is RecordingMode.CONTINUOUS else f"={mode.value}"
        shown.append(f"{_show_days(days)} {_clock(begin)}-{_clock(end)}{suffix}")
    return shown


def _parse(text: str) -> Iterable[RecordingWindow]:
    found = _FORM.fullmatch(text.strip().lower())
    if found is None:
        raise _bad(text)
    begin, end = _minute(text, found["from"]), _minute(text, found["to"])
    try:
        mode = RecordingMode(found["mode"] or RecordingMode.CONTINUOUS)
    except ValueError:
        raise _bad(text) from None
    for day in _days(text, found["days"]):
        if begin < end:
            yield RecordingWindow(day, begin, end, mode)
            continue
        yield RecordingWindow(day, begin, _MIDNIGHT, mode)
        if end:
            yield RecordingWindow((day + 1) % 7, 0, end, mode)


def _days(text: str, words: str) -> list[int]:
    if words == "daily":
        return list(range(7))
    found: set[int] = set()
    for word in words.split(","):
        first, dash, last = word.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise _bad(text)
        begin = _DAYS.index(first)
        count = (_DAYS.index(last) - begin) % 7 + 1 if dash else 1
        found.update((begin + offset) % 7 for offset in range(count))
    return sorted(found)


def _minute(text: str, clock: str) -> int:
    hours, minutes = (int(part) for part in clock.split(":"))
    if minutes > 59 or hours * 60 + minutes > _MIDNIGHT:
        raise _bad(text)
    return hours * 60 + minutes


def _show_days(days: list[int]) -> str:
    if len(days) == 7:
        return "daily"
    runs = []
    for _, run in groupby(enumerate(sorted(days)), lambda pair: pair[1] - pair[0]):
        each = [_DAYS[day] for _, day in run]
        runs.append(each[0] if len(each) == 1 else f"{each[0]}-{each[-1]}")
    return ",".join(runs)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _bad(text: str) -> BeholdenError:
    return BeholdenError(
        "bad_value",
        f"{text!r} is not a recording window.",
        "Give days and hours, as in 'mon-fri 08:00-18:00' or 'daily 22:00-06:00=events'.",
    )
