"""One rule at work: conditions that last, and single moments, become reports once, with a cool-down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from beholden.analyse.events import Phase
from beholden.analyse.hours import Hours
from beholden.analyse.reports import Report, Sight
from beholden.model.rule import Rule


@dataclass(slots=True)
class Stay:
    """A condition that lasts, of one object or of the whole rule."""

    since_ms: int
    last_ms: int
    sight: Sight
    key: int | None = None  # of its report
    over: bool = False  # it is not to be reported (any more)


@dataclass(slots=True)
class Watchful:
    """The reports of one rule. ``Key`` of a stay: an object's track, or what else tells stays apart."""

    rule: Rule
    hours: Hours
    next_key: Callable[[], int]
    grace_ms: int = 0  # a stay survives so long without its condition
    defer: bool = False  # a stay that falls into the cool-down is reported after it, not left out
    stays: dict[int | str, Stay] = field(default_factory=dict)
    began_ms: int | None = None

    def holds(self, key: int | str, at_ms: int, since_ms: int, sight: Sight) -> Iterator[Report]:
        """The condition holds now, and has since ``since_ms``."""
        stay = self.stays.get(key)
        if stay is None:
            stay = self.stays[key] = Stay(since_ms, at_ms, sight)
        stay.last_ms = at_ms
        before, score = stay.sight, max(stay.sight.score, sight.score)
        if stay.key is not None:  # the box stays that of the beginning, where the still is
            stay.sight = replace(sight, score=score, box=before.box)
            if (before.kind, before.detail) != (sight.kind, sight.detail):
                yield self._report(Phase.UPDATE, stay, at_ms, None)
            return
        stay.sight = replace(sight, score=score)
        if stay.over or at_ms - stay.since_ms < self.min_ms or not self.hours.holds(self.rule, at_ms):
            return
        if self._cooling(at_ms):
            stay.over = not self.defer
            return
        stay.key, self.began_ms = self.next_key(), at_ms
        yield self._report(Phase.START, stay, at_ms, None)

    def pause(self, key: int | str, at_ms: int) -> Iterator[Report]:
        """The condition does not hold now."""
        stay = self.stays.get(key)
        if stay is not None and at_ms - stay.last_ms > self.grace_ms:
            yield from self.drop(key)

    def drop(self, key: int | str) -> Iterator[Report]:
        """It is over for good: the object is gone, or the stream has ended."""
        stay = self.stays.pop(key, None)
        if stay is not None and stay.key is not None:
            yield self._report(Phase.END, stay, stay.last_ms, stay.last_ms)

    def moment(self, at_ms: int, sight: Sight) -> Iterator[Report]:
        """Something happened at once."""
        if self._cooling(at_ms) or not self.hours.holds(self.rule, at_ms):
            return
        stay = Stay(at_ms, at_ms, sight, self.next_key())
        self.began_ms = at_ms
        yield self._report(Phase.START, stay, at_ms, None)
        yield self._report(Phase.END, stay, at_ms, at_ms)

    def close(self) -> Iterator[Report]:
        """Everything is over."""
        for key in list(self.stays):
            yield from self.drop(key)

    @property
    def min_ms(self) -> float:
        """How long a condition must last."""
        return self.rule.min_seconds * 1000

    def _cooling(self, at_ms: int) -> bool:
        return self.began_ms is not None and at_ms - self.began_ms < self.rule.cooldown_seconds * 1000

    def _report(self, phase: Phase, stay: Stay, at_ms: int, end_ms: int | None) -> Report:
        assert stay.key is not None
        return Report(phase, stay.key, self.rule, stay.since_ms, end_ms, at_ms, stay.sight)
