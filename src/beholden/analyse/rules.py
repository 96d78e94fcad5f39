"""The rules of one camera at work: a function of its frames, and of nothing else.

Live analysis and back-tests feed the same engine. What it gives depends only on the rules, the places, the
site's clock zone and modes, and the frames and camera faults in the order they come: no clock is read, and
time that passes without a frame changes nothing that a later call would not change as well.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from beholden.analyse.conditions import Condition, Where, condition
from beholden.analyse.ground import Ground
from beholden.analyse.hours import Hours
from beholden.analyse.lines import Crosser, Line
from beholden.analyse.reports import WHOLE, Crossing, Outcome, Sight
from beholden.analyse.subject import Subject
from beholden.analyse.watchful import Watchful
from beholden.analyse.zones import Zone
from beholden.model.event import Box, Disturbance
from beholden.model.frame import TrackedFrame, TrackedObject
from beholden.model.place import GroundPlane, Place, PlaceKind
from beholden.model.rule import CameraFault, Rule, RuleKind

GONE_MS = 3000  # not seen for so long: gone
_SCENE_MS = 10_000  # what is there in the first seconds was there before
_TURN_MS = 300  # in or out of a zone for so long: boxes jitter
_SPARSE_MS = 900
_MOVER_STILL_MS = 3000
_LOUD_MS = 2000
_WHOLE_PICTURE = 0
_MOST_SUBJECTS = 200


@dataclass(frozen=True, slots=True)
class Assignment:
    """A rule and the place it is about."""

    rule: Rule
    place: Place | None


@dataclass(slots=True)
class _Stand:
    """One object and one zone."""

    inside: bool = False
    since_ms: int = 0
    doubt_ms: int | None = None  # since when it seems to be on the other side
    came: bool = False  # it was seen outside before it was inside


@dataclass(slots=True)
class _Known:
    subject: Subject
    stands: dict[int, _Stand] = field(default_factory=dict)
    crossers: dict[int, Crosser] = field(default_factory=dict)
    crossed: list[tuple[int, bool, int]] = field(default_factory=list)  # before it was sure to be there
    gap_ms: int = 0


class Engine:
    """Feed it with ``look`` (frames), ``fault`` and ``heard``; each call returns what follows from it."""

    def __init__(
        self,
        assignments: Sequence[Assignment],
        hours: Hours,
        *,
        lines: Sequence[Place] = (),
        plane: GroundPlane | None = None,
    ) -> None:
        """``lines`` are counted whether or not a rule is about them."""
        self._keys = itertools.count(1)
        ground = Ground(plane) if plane is not None else None
        self._zones: dict[int, Zone] = {}
        self._lines = {place.id: Line(place.points) for place in lines if place.kind is PlaceKind.LINE}
        self._counted = set(self._lines)
        self._by_place: dict[int, list[Condition]] = {}
        self._about_camera: list[Watchful] = []
        for number, item in enumerate(assignments):
            self._assign(number, item, ground, hours)
        kinds = {item.rule.kind for item in assignments}
        self._asks_for_movers = bool(kinds & {RuleKind.LEFT, RuleKind.TAKEN})
        self._trail: deque[tuple[int, Box]] = deque()  # where something moved of late
        self._known: dict[int, _Known] = {}
        self._first_ms: int | None = None
        self._last_ms = 0

    def look(self, frame: TrackedFrame) -> list[Outcome]:
        """The next frame. One that is not later than the last is left out."""
        if self._first_ms is None:
            self._first_ms = frame.at_ms
        elif frame.at_ms <= self._last_ms:
            return []
        outcomes = self.advance(frame.at_ms)
        self._last_ms = frame.at_ms
        seen = [self._see(item, frame.at_ms) for item in frame.objects[:_MOST_SUBJECTS]]
        self._note_movers([known.subject for known in seen], frame.at_ms)
        for known in seen:
            outcomes += self._judge(known, frame.at_ms)
        outcomes += self._count(frame.at_ms)
        return outcomes

    def advance(self, at_ms: int) -> list[Outcome]:
        """Time has come to ``at_ms``, without a new frame: what was not seen for long is gone. The same
        follows when the next frame comes instead."""
        outcomes: list[Outcome] = []
        for track, known in sorted(self._known.items(), key=lambda pair: (pair[1].subject.last_ms, pair[0])):
            patience = max(GONE_MS, known.gap_ms * 5 // 2)
            if at_ms - known.subject.last_ms > patience:
                outcomes += self._lose(track, known, known.subject.last_ms + patience)
        for works in self._by_place.values():
            for each in works:
                if each.work.rule.kind is RuleKind.OCCUPANCY:
                    outcomes += each.work.pause("count", at_ms)
        return outcomes

    def fault(self, at_ms: int, faults: Iterable[CameraFault]) -> list[Outcome]:
        """What is wrong with the picture as a whole at that instant; nothing when all is well."""
        now = set(faults)
        outcomes: list[Outcome] = []
        for work in self._of_kind(RuleKind.CAMERA):
            for each in CameraFault:
                if each in now and (not work.rule.faults or each in work.rule.faults):
                    sight = Sight(Disturbance.CAMERA, 1.0, WHOLE, {"fault": each.value})
                    outcomes += work.holds(each.value, at_ms, at_ms, sight)
                else:
                    outcomes += work.pause(each.value, at_ms)
        return outcomes

    def heard(self, at_ms: int, level_db: float) -> list[Outcome]:
        """The loudest sound of about a second; 0 is the loudest there is."""
        outcomes: list[Outcome] = []
        for work in self._of_kind(RuleKind.SOUND):
            if level_db >= work.rule.level_db:
                stay = work.stays.get("sound")
                loudest = max(round(level_db, 1), float(stay.sight.detail["level_db"]) if stay else -200.0)
                sight = Sight(Disturbance.SOUND, 1.0, WHOLE, {"level_db": loudest})
                outcomes += work.holds("sound", at_ms, at_ms, sight)
            else:
                outcomes += work.pause("sound", at_ms)
        return outcomes

    def end(self) -> list[Outcome]:
        """The stream ended or jumped, or the rules are to change: everything ends where it was last seen, and
        what comes next is looked at afresh. Cool-downs go on."""
        outcomes: list[Outcome] = []
        for works in self._by_place.values():
            for each in works:
                outcomes += each.work.close()
        for work in self._about_camera:
            outcomes += work.close()
        self._known.clear()
        self._trail.clear()
        self._first_ms = None
        self._last_ms = 0
        return outcomes

    def _assign(self, number: int, item: Assignment, ground: Ground | None, hours: Hours) -> None:
        rule, place = item.rule, item.place
        if rule.kind in (RuleKind.CAMERA, RuleKind.SOUND):
            grace = _LOUD_MS if rule.kind is RuleKind.SOUND else 3000
            self._about_camera.append(Watchful(rule, hours, self._next_key, grace, defer=True))
            return
        made = condition(rule, place, ground, hours, self._next_key)
        if made is None:
            return
        key = _WHOLE_PICTURE if place is None else (place.id or -1 - number)  # drafts have no id
        if place is not None and place.kind is PlaceKind.LINE:
            self._lines.setdefault(key, Line(place.points))
        elif place is not None:
            self._zones[key] = Zone(place.points)
        self._by_place.setdefault(key, []).append(made)

    def _next_key(self) -> int:
        return next(self._keys)

    def _of_kind(self, kind: RuleKind) -> list[Watchful]:
        return [work for work in self._about_camera if work.rule.kind is kind]

    def _see(self, item: TrackedObject, at_ms: int) -> _Known:
        known = self._known.get(item.track)
        if known is None:
            assert self._first_ms is not None
            scene = at_ms - self._first_ms < _SCENE_MS
            known = self._known[item.track] = _Known(Subject(item, at_ms, scene))
        else:
            known.gap_ms = at_ms - known.subject.last_ms
            known.subject.see(item, at_ms)
        return known

    def _note_movers(self, seen: Sequence[Subject], at_ms: int) -> None:
        """For what lies still: whether something that moves is close to it, or was before it was seen."""
        if not self._asks_for_movers:
            return
        movers = [item for item in seen if item.alive and item.still_for(at_ms) < _MOVER_STILL_MS]
        for item in seen:
            close = any(other is not item and other.is_near(item.box) for other in movers)
            if not close and item.hits == 1:
                x, y = item.foot
                close = any(
                    box.left <= x <= box.right and box.top <= y <= box.bottom for _, box in self._trail
                )
            if close:
                item.near_mover_ms = at_ms
        self._trail += [(at_ms, item.box) for item in movers]
        while self._trail and self._trail[0][0] < at_ms - _SCENE_MS:
            self._trail.popleft()

    def _judge(self, known: _Known, at_ms: int) -> Iterator[Outcome]:
        item = known.subject
        for key, works in self._by_place.items():
            if key in self._lines:
                continue
            where = self._where(key, known, at_ms)
            if where.inside or where.left or any(item.track in each.work.stays for each in works):
                for each in works:
                    yield from each.look(item, where, at_ms)
        for key, line in self._lines.items():
            went = known.crossers.setdefault(key, Crosser()).move(line, item.foot)
            if went:
                known.crossed.append((key, went > 0, at_ms))
        if known.crossed and item.alive:
            yield from self._cross(known)

    def _cross(self, known: _Known) -> Iterator[Outcome]:
        item = known.subject
        for key, went_in, at_ms in known.crossed:
            if key in self._counted:
                yield Crossing(key, at_ms, item.kind, went_in)
            for each in self._by_place.get(key, ()):
                yield from each.crossed(item, went_in, at_ms)
        known.crossed.clear()

    def _where(self, key: int, known: _Known, at_ms: int) -> Where:
        item = known.subject
        if key == _WHOLE_PICTURE:
            return Where(True, item.first_ms)
        inside = self._zones[key].contains(item.foot)
        stand = known.stands.get(key)
        if stand is None:
            known.stands[key] = _Stand(inside, at_ms)
            return Where(inside, at_ms)
        if inside is stand.inside:
            stand.doubt_ms = None
            return Where(inside, stand.since_ms, came=stand.came)
        stand.doubt_ms = stand.doubt_ms if stand.doubt_ms is not None else at_ms
        if at_ms - stand.doubt_ms < _TURN_MS and known.gap_ms < _SPARSE_MS:
            return Where(stand.inside, stand.since_ms, came=stand.came)
        before = stand.since_ms
        stand.inside, stand.since_ms, stand.doubt_ms, stand.came = inside, stand.doubt_ms, None, inside
        return Where(True, stand.since_ms, came=True) if inside else Where(False, before, left=True)

    def _count(self, at_ms: int) -> Iterator[Outcome]:
        for key, works in self._by_place.items():
            counting = [each for each in works if each.work.rule.kind is RuleKind.OCCUPANCY]
            if counting:
                inside = [known.subject for known in self._known.values() if _is_inside(key, known)]
                for each in counting:
                    yield from each.counted(inside, at_ms)

    def _lose(self, track: int, known: _Known, at_ms: int) -> Iterator[Outcome]:
        del self._known[track]
        item = known.subject
        for key, works in self._by_place.items():
            stand = known.stands.get(key)
            since_ms = stand.since_ms if stand is not None else item.first_ms
            where = Where(_is_inside(key, known), since_ms)
            for each in works:
                yield from each.gone(item, where, at_ms)


def _is_inside(key: int, known: _Known) -> bool:
    stand = known.stands.get(key)
    return key == _WHOLE_PICTURE or (stand is not None and stand.inside)
