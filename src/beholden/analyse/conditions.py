"""What each kind of rule waits for, of one object at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from beholden.analyse.geometry import strides_apart, touches_edge
from beholden.analyse.ground import Ground
from beholden.analyse.hours import Hours
from beholden.analyse.reports import Report, Sight
from beholden.analyse.subject import Subject
from beholden.analyse.watchful import Watchful
from beholden.model.event import Box, ObjectClass
from beholden.model.place import Place, PlaceKind
from beholden.model.rule import VEHICLES, Direction, Rule, RuleKind

_LOITER_SECONDS = 30.0
_STILL_SECONDS = 60.0
_BROUGHT_MS = 15_000  # whoever leaves or takes something is near it this long before at most
_SETTLE_MS = 2000
_WRONG_DEGREES = 120.0
_WRONG_STRIDES = 0.4
_GRACE_MS = {RuleKind.SPEED: 2000, RuleKind.WRONG_WAY: 1000, RuleKind.OCCUPANCY: 3000}
_DEFAULT_SECONDS = {
    RuleKind.LOITER: _LOITER_SECONDS,
    RuleKind.LEFT: _STILL_SECONDS,
    RuleKind.TAKEN: _STILL_SECONDS,
    RuleKind.STOPPED: _STILL_SECONDS,
}
_DEFAULT_CLASSES: dict[RuleKind, tuple[ObjectClass, ...]] = {
    RuleKind.LEFT: (ObjectClass.BAG,),
    RuleKind.TAKEN: (ObjectClass.BAG,),
    RuleKind.SPEED: VEHICLES,
    RuleKind.STOPPED: VEHICLES,
}


@dataclass(frozen=True, slots=True)
class Where:
    """Whether an object is in the rule's zone. ``since_ms`` is when it came in, or was first seen there;
    ``left`` that it has just gone out; ``came`` that it was seen outside before."""

    inside: bool
    since_ms: int
    left: bool = False
    came: bool = False


class Condition(Protocol):
    """One rule over the objects of one camera."""

    work: Watchful

    def look(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:
        """An object is in this frame."""
        ...

    def crossed(self, item: Subject, went_in: bool, at_ms: int) -> Iterator[Report]:
        """It crossed the rule's line."""
        ...

    def gone(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:
        """It is not in view any more."""
        ...

    def counted(self, inside: list[Subject], at_ms: int) -> Iterator[Report]:
        """All objects in the zone that fit its filter."""
        ...


def with_defaults(rule: Rule) -> Rule:
    """The rule with what its kind stands for where it says nothing."""
    seconds = rule.min_seconds or _DEFAULT_SECONDS.get(rule.kind, 0.0)
    return replace(rule, min_seconds=seconds, classes=rule.classes or _DEFAULT_CLASSES.get(rule.kind, ()))


def fits(rule: Rule, item: Subject) -> bool:
    """The filter: class, size and score."""
    return (
        (not rule.classes or item.kind in rule.classes)
        and rule.min_size <= item.size <= rule.max_size
        and item.score >= rule.min_score
    )


def condition(
    rule: Rule, place: Place | None, ground: Ground | None, hours: Hours, next_key: Callable[[], int]
) -> Condition | None:
    """The one for a rule; None for rules about no object, and for speed without a ground plane."""
    full = with_defaults(rule)
    work = Watchful(full, hours, next_key, _GRACE_MS.get(rule.kind, 0), defer=rule.kind is RuleKind.OCCUPANCY)
    if rule.kind is RuleKind.SPEED:
        return Fast(work, ground) if ground is not None else None
    if rule.kind is RuleKind.WRONG_WAY and place is not None and place.kind is PlaceKind.LINE:
        return Cross(replace_direction(work, Direction.OUT))
    made = _BY_KIND.get(rule.kind)
    return made(work) if made is not None else None


def replace_direction(work: Watchful, direction: Direction) -> Watchful:
    """The same rule for one direction."""
    return Watchful(replace(work.rule, direction=direction), work.hours, work.next_key)


class _Silent:
    """Does nothing by itself; kinds of rules say what they react to."""

    def __init__(self, work: Watchful) -> None:
        self.work = work

    def look(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:  # noqa: ARG002
        return iter(())

    def crossed(self, item: Subject, went_in: bool, at_ms: int) -> Iterator[Report]:  # noqa: ARG002
        return iter(())

    def gone(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:  # noqa: ARG002
        return self.work.drop(item.track)

    def counted(self, inside: list[Subject], at_ms: int) -> Iterator[Report]:  # noqa: ARG002
        return iter(())

    def _lasting(
        self, item: Subject, at_ms: int, since_ms: int | None, **detail: str | float
    ) -> Iterator[Report]:
        """The condition holds since then, or (None) not."""
        if since_ms is None or not fits(self.work.rule, item):
            return self.work.pause(item.track, at_ms)
        return self.work.holds(item.track, at_ms, since_ms, _sight(item, **detail))


class Enter(_Silent):
    """In the zone. What was known to rest there has not come in."""

    def look(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:
        stay = self.work.stays.get(item.track)
        if item.rested and where.inside and not where.came and stay is None:
            self._rested.add(item.track)
        if not where.inside:
            self._rested.discard(item.track)
        holds = where.inside and item.alive and item.track not in self._rested
        return self._lasting(item, at_ms, where.since_ms if holds else None)

    def gone(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:
        self._rested.discard(item.track)
        return super().gone(item, where, at_ms)

    def __init__(self, work: Watchful) -> None:
        super().__init__(work)
        self._rested: set[int] = set()


class Loiter(_Silent):
    """In the zone for long."""

    def look(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:
        return self._lasting(item, at_ms, where.since_ms if where.inside and item.alive else None)


class Leave(_Silent):
    """Out of the zone; of the whole picture: over its edge."""

    def look(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:
        if where.left and self._counts(item, where, at_ms):
            yield from self.work.moment(at_ms, _sight(item))

    def gone(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:  # noqa: ARG002
        if where.inside and touches_edge(item.box, 0.02) and self._counts(item, where, item.last_ms):
            yield from self.work.moment(item.last_ms, _sight(item))

    def _counts(self, item: Subject, where: Where, at_ms: int) -> bool:
        return item.alive and fits(self.work.rule, item) and at_ms - where.since_ms >= self.work.min_ms


class Cross(_Silent):
    """Over the line."""

    def crossed(self, item: Subject, went_in: bool, at_ms: int) -> Iterator[Report]:
        way = Direction.IN if went_in else Direction.OUT
        if self.work.rule.direction in (way, Direction.BOTH) and fits(self.work.rule, item):
            yield from self.work.moment(at_ms, _sight(item, direction=way.value))


class Occupancy(_Silent):
    """At least so many at once."""

    def counted(self, inside: list[Subject], at_ms: int) -> Iterator[Report]:
        there = [item for item in inside if item.alive and fits(self.work.rule, item)]
        if len(there) < self.work.rule.count:
            return self.work.pause("count", at_ms)
        newest = max(there, key=lambda item: (item.first_ms, item.track))
        stay = self.work.stays.get("count")
        most = max(len(there), int(stay.sight.detail["count"]) if stay is not None else 0)
        sight = _sight(newest, count=most)
        if stay is not None:
            sight = replace(sight, kind=stay.sight.kind)
        return self.work.holds("count", at_ms, at_ms, sight)


class Left(_Silent):
    """Lies still where there was nothing, and somebody brought it."""

    def look(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:
        mover = item.near_mover_ms
        brought = item.moved or (mover is not None and mover >= item.first_ms - _BROUGHT_MS)
        holds = where.inside and item.confirmed and not item.scene and brought
        still = holds and item.still_for(at_ms) >= _SETTLE_MS
        return self._lasting(item, at_ms, item.still_since if still else None)


class Taken(_Silent):
    """Lay still, and is gone after somebody was at it."""

    def __init__(self, work: Watchful) -> None:
        super().__init__(work)
        self._lay: dict[int, Box] = {}

    def look(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:
        lay = self._lay.get(item.track)
        if lay is not None and strides_apart(lay, item.smooth) > 1.0:
            del self._lay[item.track]
            yield from self.work.moment(at_ms, replace(_sight(item), box=lay))
        elif where.inside and item.confirmed and item.still_for(at_ms) >= self.work.min_ms:
            self._lay |= {item.track: item.smooth} if fits(self.work.rule, item) else {}

    def gone(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:  # noqa: ARG002
        lay, mover = self._lay.pop(item.track, None), item.near_mover_ms
        if lay is not None and mover is not None and mover >= item.last_ms - 4 * _BROUGHT_MS:
            yield from self.work.moment(item.last_ms, replace(_sight(item), box=lay))


class Fast(_Silent):
    """Over the ground at such a speed."""

    def __init__(self, work: Watchful, ground: Ground) -> None:
        super().__init__(work)
        self._ground = ground

    def look(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:
        measured = item.speed(self._ground) if where.inside and item.alive else None
        if measured is None or measured[0] < self.work.rule.speed_kmh:
            return self._lasting(item, at_ms, None)
        kmh, heading = round(measured[0], 1), round(measured[1])
        stay = self.work.stays.get(item.track)
        if stay is not None and float(stay.sight.detail["speed_kmh"]) >= kmh:  # the highest counts
            kmh, heading = float(stay.sight.detail["speed_kmh"]), int(stay.sight.detail["heading"])
        return self._lasting(item, at_ms, at_ms, speed_kmh=kmh, heading=heading)


class WrongWay(_Silent):
    """In the zone against the heading that is right."""

    def look(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:
        right, going = self.work.rule.heading, item.heading()
        if right is None or going is None or not (where.inside and item.alive):
            return self._lasting(item, at_ms, None)
        off = abs((going[0] - right + 180) % 360 - 180)
        wrong = off > _WRONG_DEGREES and going[1] >= _WRONG_STRIDES
        stay = self.work.stays.get(item.track)
        heading = stay.sight.detail["heading"] if stay is not None else round(going[0])
        return self._lasting(item, at_ms, at_ms if wrong else None, heading=heading)


class Stopped(_Silent):
    """A vehicle that drove stands."""

    def look(self, item: Subject, where: Where, at_ms: int) -> Iterator[Report]:
        stands = where.inside and item.alive and item.still_for(at_ms) >= _SETTLE_MS
        return self._lasting(item, at_ms, max(item.still_since, where.since_ms) if stands else None)


def _sight(item: Subject, **detail: str | float) -> Sight:
    return Sight(item.kind, item.score, item.box, detail)


_BY_KIND: dict[RuleKind, Callable[[Watchful], Condition]] = {
    RuleKind.ENTER: Enter,
    RuleKind.LOITER: Loiter,
    RuleKind.LEAVE: Leave,
    RuleKind.CROSS: Cross,
    RuleKind.OCCUPANCY: Occupancy,
    RuleKind.LEFT: Left,
    RuleKind.TAKEN: Taken,
    RuleKind.WRONG_WAY: WrongWay,
    RuleKind.STOPPED: Stopped,
}
