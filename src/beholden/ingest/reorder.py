"""Putting RTP packets that UDP brought in any order back in theirs, within bounds of packets and time."""

from __future__ import annotations

WAIT_SECONDS = 0.2  # how long a missing packet is waited for
BEGIN_SECONDS = 0.1  # how long the first packets are held, for the very first may have been overtaken
MOST_HELD = 1024
_LATE = 4096  # a number so little behind is a late or repeated packet, further behind a new beginning
_AHEAD = 4096  # and so far ahead it is a new beginning as well


class Reorder:
    """One sender's packets. In order they pass at once; one that comes early is held until those before it
    have come, ``MOST_HELD`` are held, or the oldest has waited ``WAIT_SECONDS``. What was skipped is a hole
    for the depacketiser. Repeated and late packets are left out and counted in ``late``.

    ``highest`` is the highest number plus 65536 for each wrap, ``received`` and ``first`` are what a receiver
    report needs.
    """

    __slots__ = ("_began", "_expected", "_held", "_oldest", "_ssrc", "first", "highest", "late", "received")

    def __init__(self) -> None:
        self.late = 0
        self.received = 0
        self.first = self.highest = -1
        self._expected = -1
        self._ssrc = b""
        self._held: dict[int, tuple[bytes, float]] = {}  # packet and arrival by number
        self._oldest = 0.0
        self._began = 0.0

    @property
    def ssrc(self) -> int:
        """The sender, 0 before the first packet."""
        return int.from_bytes(self._ssrc, "big")

    @property
    def held(self) -> int:
        """Packets waiting for those before them."""
        return len(self._held)

    def push(self, packet: bytes, now: float, out: list[bytes]) -> None:
        """Take one RTP packet (at least 12 bytes); append what can go on, in order."""
        number = (packet[2] << 8) | packet[3]
        if packet[8:12] != self._ssrc:
            self._begin(packet[8:12], number, now, out)
        self.received += 1
        if self._expected < 0:
            self._hold(number, packet, now)
            if len(self._held) > MOST_HELD:
                self._start(out)
            return
        step = (number - self._expected) & 0xFFFF
        if step == 0:
            self._count(number)
            self._expected = (number + 1) & 0xFFFF
            out.append(packet)
            if self._held:
                self._drain(out)
        elif step >= 0x10000 - _LATE:
            self.late += 1
        elif step < _AHEAD:
            self._count(number)
            self._hold(number, packet, now)
            if len(self._held) > MOST_HELD:
                self._skip(out)
        else:
            self._begin(packet[8:12], number, now, out)
            self._hold(number, packet, now)

    def expire(self, now: float, out: list[bytes]) -> None:
        """Give up waiting where that has lasted long enough; to be called at every read."""
        if not self._held:
            return
        if self._expected < 0:
            if now - self._began >= BEGIN_SECONDS:
                self._start(out)
            return
        while self._held and now - self._oldest >= WAIT_SECONDS:
            self._skip(out)

    def _begin(self, ssrc: bytes, number: int, now: float, out: list[bytes]) -> None:
        # Another sender, or the numbering began anew: what was held goes on first.
        while self._held:
            if self._expected < 0:
                self._start(out)
            else:
                self._skip(out)
        self._ssrc = ssrc
        self._expected = -1
        self._began = now
        self.first = self.highest = number
        self.received = 0

    def _start(self, out: list[bytes]) -> None:
        # The lowest by serial arithmetic, seen from any of them.
        some = next(iter(self._held))
        self._expected = min(self._held, key=lambda number: (number - some + 0x8000) & 0xFFFF)
        self.first = self.highest = self._expected
        for number in self._held:
            self._count(number)
        self._drain(out)

    def _hold(self, number: int, packet: bytes, now: float) -> None:
        if number in self._held:
            self.late += 1
            return
        if not self._held:
            self._oldest = now
        self._held[number] = packet, now

    def _skip(self, out: list[bytes]) -> None:
        expected = self._expected
        self._expected = min(self._held, key=lambda number: (number - expected) & 0xFFFF)
        self._drain(out)

    def _drain(self, out: list[bytes]) -> None:
        held, number = self._held, self._expected
        while (found := held.pop(number, None)) is not None:
            out.append(found[0])
            number = (number + 1) & 0xFFFF
        self._expected = number
        if held:
            self._oldest = min(arrival for _, arrival in held.values())

    def _count(self, number: int) -> None:
        step = (number - self.highest) & 0xFFFF
        if 0 < step < 0x8000:
            self.highest += step
