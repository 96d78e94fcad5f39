"""Sound levels on disk: one byte a second, and nothing else of the sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_STEPS = 2  # a byte counts half decibels below full scale
_NOT_HEARD = 255


def pack_levels(levels: Mapping[int, float]) -> tuple[int, bytes]:
    """(first instant in epoch milliseconds, payload) of levels in dB of full scale by second of the epoch.

    One byte for each second from the first to the last: half decibels below full scale, 0..254, or 255 for a
    second that was not heard.
    """
    first, last = min(levels), max(levels)
    data = bytearray([_NOT_HEARD]) * (last - first + 1)
    for second, level in levels.items():
        data[second - first] = min(max(round(-level * _STEPS), 0), _NOT_HEARD - 1)
    return first * 1000, bytes(data)


def unpack_levels(first_ms: int, payload: bytes | memoryview) -> Iterator[tuple[int, float]]:
    """(second since the epoch, dB of full scale) of the seconds that were heard."""
    for offset, value in enumerate(payload):
        if value != _NOT_HEARD:
            yield first_ms // 1000 + offset, -value / _STEPS
