"""Slowing those who guess, without locking out those who know.

Two counts of failures: one for an address, one for a name as seen from addresses where nobody has
signed in under it. A guesser who hammers one name slows other strangers to that name, never the
people who already use it from their own desk. One-time links are bound by the first count only.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from dataclasses import dataclass

from beholden.access.refusal import TooManyAttemptsError
from beholden.model.time import Clock

_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Pace:
    """``free`` failures cost nothing; then the wait doubles from one second up to ``longest`` seconds.
    A count is forgotten after ``memory`` seconds without a failure."""

    free: int
    longest: int
    memory: int


ADDRESS_PACE = Pace(free=8, longest=300, memory=3600)
NAME_PACE = Pace(free=8, longest=60, memory=3600)


@dataclass(slots=True)
class _Count:
    failures: int
    last: float  # monotonic


class Throttle:
    """Counts failed sign-ins in memory. An attempt counts as failed from its beginning, so that many at
    once gain nothing; a success takes that back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, name: str, ip: str) -> None:
        """Before looking at a password, or a link (``name`` is empty); TooManyAttemptsError when too soon."""
        keys = self._keys(name, ip)
        with self._lock:
            wait = max(self._wait(key, pace) for key, pace in keys)
            if wait > 0:
                raise TooManyAttemptsError(max(1, round(wait + 0.5)))
            for key, pace in keys:
                self._count(key, pace)

    def succeed(self, name: str, ip: str) -> None:
        """The attempt was right: this address is known for this name from now on."""
        known = (_folded(name), _network(ip))
        with self._lock:
            self._counts.pop(("address", _network(ip)), None)
            stranger = self._counts.get(("name", known[0]))
            if stranger is not None and known not in self._known:
                stranger.failures -= 1
            self._known[known] = None
            self._known.move_to_end(known)
            while len(self._known) > _ENTRIES:
                self._known.popitem(last=False)

    def _keys(self, name: str, ip: str) -> list[tuple[tuple[str, str], Pace]]:
        keys = [(("address", _network(ip)), ADDRESS_PACE)]
        if name and (_folded(name), _network(ip)) not in self._known:
            keys.append((("name", _folded(name)), NAME_PACE))
        return keys

    def _wait(self, key: tuple[str, str], pace: Pace) -> float:
        count = self._counts.get(key)
        if count is None or count.failures < pace.free:
            return 0.0
        delay = min(1 << min(count.failures - pace.free, 20), pace.longest)
        return count.last + delay - self._clock.monotonic()

    def _count(self, key: tuple[str, str], pace: Pace) -> None:
        now = self._clock.monotonic()
        count = self._counts.pop(key, None)
        if count is None or now - count.last > pace.memory:
            count = _Count(0, now)
        count.failures += 1
        count.last = now
        self._counts[key] = count
        while len(self._counts) > _ENTRIES:
            self._counts.popitem(last=False)


def _folded(name: str) -> str:
    return name.strip().casefold()


def _network(ip: str) -> str:
    """An IPv6 customer has 2^64 addresses: all of one /64 count as one."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
