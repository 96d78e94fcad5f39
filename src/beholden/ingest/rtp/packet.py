"""The RTP header (RFC 3550 section 5.1) and RTCP sender reports (section 6.4.1)."""

from __future__ import annotations

import struct
from typing import NamedTuple

_FIXED = struct.Struct(">BBHII").unpack_from
_SENDER = struct.Struct(">BBHIQI").unpack_from
_SENDER_REPORT = 200
_PLAIN = 0x80  # version 2, no padding, no extension, no CSRC


Header = tuple[int, int, bool, int, int, int, int]
"""(start, end, marker, payload type, sequence, timestamp, ssrc); the payload is ``data[start:end]``. A plain
tuple, for one is made for every packet."""


class SenderReport(NamedTuple):
    """``ntp`` is 32.32 fixed-point seconds since 1900 at RTP time ``timestamp``."""

    ssrc: int
    ntp: int
    timestamp: int


def parse_header(data: bytes, start: int, end: int) -> Header | None:
    """The header of the packet in ``data[start:end]``; None when it is not RTP version 2 or its
    CSRC list, extension or padding do not fit into it."""
    if end - start < 12:
        return None
    flags, second, sequence, timestamp, ssrc = _FIXED(data, start)
    if flags == _PLAIN:  # nearly all: nothing between header and payload, nothing after it
        return start + 12, end, second >= 0x80, second & 0x7F, sequence, timestamp, ssrc
    if flags >> 6 != 2:
        return None
    begin = start + 12 + 4 * (flags & 15)
    if flags & 0x10:
        if begin + 4 > end:
            return None
        begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4], "big")
    if flags & 0x20:
        end -= data[end - 1]
    if begin > end:
        return None
    return begin, end, second >= 0x80, second & 0x7F, sequence, timestamp, ssrc


def sender_reports(data: bytes, start: int, end: int) -> list[SenderReport]:
    """All sender reports of a compound RTCP packet; whatever does not parse is passed over."""
    found = []
    while end - start >= 4:
        if data[start] >> 6 != 2:
            break
        length = 4 * (1 + int.from_bytes(data[start + 2 : start + 4], "big"))
        if data[start + 1] == _SENDER_REPORT and length >= 28 and end - start >= 28:
            _, _, _, ssrc, ntp, timestamp = _SENDER(data, start)
            if ntp:
                found.append(SenderReport(ssrc, ntp, timestamp))
        start += length
    return found


class Sequence:
    """Follows one sender's sequence numbers and counts what is missing."""

    __slots__ = ("_ssrc", "expected", "lost")

    def __init__(self) -> None:
        self.expected = -1
        self.lost = 0
        self._ssrc = -1

    def accept(self, sequence: int, ssrc: int) -> tuple[bool, bool]:
        """(use this packet, there is a hole before it). Late and repeated packets are not used."""
        if sequence == self.expected:
            self.expected = (sequence + 1) & 0xFFFF
            return True, False
        fresh = self.expected < 0 or ssrc != self._ssrc
        hole = (sequence - self.expected) & 0xFFFF
        if not fresh and hole > 0xFFFF - 64:
            return False, False
        if not fresh:
            self.lost += hole if hole < 0x8000 else 1
        self._ssrc = ssrc
        was_running = self.expected >= 0
        self.expected = (sequence + 1) & 0xFFFF
        return True, was_running
