"""From tracks to events: what is worth telling, once, with its best still.

Rules (docs/design/analyse.md says why):
* an event begins when an object was seen at least three times over 0.4 s, surely enough, and moved; a
  person also when they stand still for five seconds;
* it begins sooner where more speaks for it: what is new in view, surely seen, and differs from the background
  in all sights needs two of them (a person) or need not have gone so far;
* it ends when the object was not seen for three seconds, or did not move for sixty;
* what has ended by standing still is not told again while it stays there.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from beholden.analyse.decode import Decoded
from beholden.analyse.geometry import covered, overlap, strides_apart, touches_edge
from beholden.analyse.motion import Motion
from beholden.analyse.sighting import STILL_MS, Sighting, Stage
from beholden.analyse.track import Tracked, group_of
from beholden.model.event import Box, Detection, EventKind, ObjectClass, RuleHit
from beholden.model.frame import TrackedObject

UNSEEN_MS = 3000
_LEAST_HITS = 3
_LEAST_MS = 380  # three pictures at five a second
_SURE = 0.5
# What is so plain that it need not be watched for longer:
_PLAIN_MS = 1500  # it has not been in view for longer, so it did not just have somebody pass in front
_PLAIN_SCORE, _PLAIN_TRUST = 0.6, 0.5
_PLAIN_STIR = 0.3  # of its box differs from the background, in every sight
_TWICE_SHIFT = 0.05  # of its own size, for a person after two sights
_TWICE_MS = 180
_APART = 0.1  # overlap with another that was just there
_THING_TRUST, _THING_SHIFT = 0.45, 0.25  # for what is no person, after three
_STANDING_MS = 5000
_STANDING_HITS = 8
_SAME = 0.3  # overlap at which a new track goes on with an object just lost
SPARSE_MS = 900  # pictures further apart than this are keyframes only
_SPARSE_REACH = 3.0  # sizes an object may have gone from one keyframe to the next
_PERSON_UNSEEN_MS = 1000  # of looking: after so long a person at rest is not shown any more
_RESTING_UNSEEN_MS = 30_000  # of looking, not of time: nobody looks while nothing moves
_MOST = 100
_STATIONARY_MS = 10_000
_FOLLOWED_MS = 1500
_HIDDEN_MS = 400  # out of sight for so long it is taken to go on as it went


STILL = Motion((), 0.0, settling=False)


class Phase(enum.StrEnum):
    """What happens to an event."""

    START = "start"
    UPDATE = "update"
    END = "end"


@dataclass(frozen=True, slots=True)
class EventChange:
    """One step in an event's life. ``key`` tells events of this process apart until they have an id.

    ``still`` is the picture to keep as its best still, when that is new. ``end_ms`` is None but at the end.
    """

    phase: Phase
    key: int
    camera: int
    kind: EventKind
    start_ms: int
    end_ms: int | None
    score: float
    box: Box
    still_ms: int
    still: Decoded | None
    hit: RuleHit | None = None  # of a rule's event


_keys = itertools.count(1)


def next_key() -> int:
    """A key no other event of this process has."""
    return next(_keys)


class EventMaker:
    """The objects in view of one camera and their events."""

    def __init__(self, camera: int) -> None:
        self._camera = camera
        self._sightings: dict[int, Sighting] = {}  # by event key
        self._by_track: dict[int, int] = {}
        self._last_ms = 0

    @property
    def open(self) -> int:
        """How many events last now."""
        return sum(item.stage is Stage.REPORTED for item in self._sightings.values())

    @property
    def watching(self) -> bool:
        """Whether something is in view that a look without motion should confirm."""
        return any(item.stage is not Stage.RESTING for item in self._sightings.values())

    def in_view(self, at_ms: int) -> tuple[TrackedObject, ...]:
        """The objects seen in the picture of that time, and those known to rest. Their ``track`` goes on when
        a lost track is found again."""
        found = ((key, item, _place(item, at_ms)) for key, item in self._sightings.items())
        return tuple(
            TrackedObject(key, item.kind, item.score_now, box, _stationary(item, at_ms))
            for key, item, box in found
            if box is not None
        )

    def followed(self, at_ms: int) -> list[Box]:
        """Where what has been seen of late should be now, that which rests left out."""
        return [
            item.expected(at_ms)
            for item in self._sightings.values()
            if item.stage is not Stage.RESTING and at_ms - item.last_ms <= _FOLLOWED_MS
        ]

    def update(
        self,
        tracked: Sequence[Tracked],
        picture: Decoded,
        motion: Motion = STILL,
        interval_ms: int = 200,
        looked_at: Callable[[Box], bool] = lambda _: True,
    ) -> list[EventChange]:
        """The tracks in the next picture somebody looked at, and what moved in it; returns what changes.

        ``interval_ms`` is the time between pictures as they are analysed now, looked at or not. ``looked_at``
        tells whether a place was among what was looked at.
        """
        step = picture.at_ms - self._last_ms if self._last_ms else 0
        self._last_ms = picture.at_ms
        sparse = interval_ms > SPARSE_MS
        taken: set[int] = set()
        changes: list[EventChange] = []
        for item in sorted(
            tracked, key=lambda each: (each.track not in self._by_track, -each.detection.score)
        ):
            key = self._key_of(item, picture, taken, motion, sparse)
            if key is not None:
                taken.add(key)
                changes += self._see(key, item.detection, picture, motion, sparse)
        if not sparse:
            self._drop_glimpses(taken)
        self._miss(taken, min(max(step, 0), 1000), looked_at)  # a gap counts a second at most
        return changes + self._leave(picture.at_ms, _patience(interval_ms))

    def tick(self, at_ms: int, interval_ms: int = 200) -> list[EventChange]:
        """Time passed without a look."""
        return self._leave(at_ms, _patience(interval_ms))

    def close(self) -> list[EventChange]:
        """End everything where it was last seen: the stream is lost, or analysis is switched off."""
        changes = [self._end(key) for key in list(self._sightings) if self._reported(key)]
        self._sightings.clear()
        self._by_track.clear()
        self._last_ms = 0
        return changes

    def _key_of(
        self, item: Tracked, picture: Decoded, taken: set[int], motion: Motion, sparse: bool
    ) -> int | None:
        known = self._by_track.get(item.track)
        if known in self._sightings and known not in taken:
            return known
        key = self._gone_on_with(item.detection, taken, sparse)
        if key is None and len(self._sightings) < _MOST:
            key = next_key()
            self._sightings[key] = Sighting(item.detection, picture, motion.share(item.detection.box))
        if key is not None:
            self._by_track[item.track] = key
        return key

    def _gone_on_with(self, detection: Detection, taken: set[int], sparse: bool) -> int | None:
        """An object just lost that this detection goes on with, by place and class alone."""
        best, found = 0.0, None
        for key, sighting in self._sightings.items():
            if key in taken or sighting.group != group_of(detection.kind):
                continue
            if sighting.last_ms == self._last_ms:
                continue
            near = overlap(sighting.box, detection.box)
            if sparse and strides_apart(sighting.box, detection.box) < _SPARSE_REACH:
                near = max(near, _SAME)
            if near >= _SAME and near > best:
                best, found = near, key
        return found

    def _see(
        self, key: int, detection: Detection, picture: Decoded, motion: Motion, sparse: bool
    ) -> Iterator[EventChange]:
        sighting = self._sightings[key]
        before = sighting.kind
        again = sighting.last_ms != picture.at_ms
        better = again and sighting.see(detection, picture, motion.share(detection.box))
        if sighting.stage is Stage.RESTING:
            if not sighting.moved:
                return
            sighting.begin_again(picture)
        if sighting.stage is Stage.CANDIDATE:
            plain = not sparse and _plain(sighting) and self._apart(sighting)
            if plain or _worth_telling(sighting, motion, sparse):
                sighting.stage = Stage.REPORTED
                yield self._change(Phase.START, key, still=True)
        elif better or sighting.kind is not before:
            yield self._change(Phase.UPDATE, key, still=better)
        if sighting.still_for(picture.at_ms) > STILL_MS:
            if sighting.stage is Stage.REPORTED:
                yield self._change(Phase.END, key, still=False)
            sighting.rest()

    def _apart(self, sighting: Sighting) -> bool:
        """Whether no other was just where it is: a detector at times sees three where two pass each other."""
        return all(
            overlap(sighting.box, other.box) < _APART
            for other in self._sightings.values()
            if other is not sighting
            and other.group == sighting.group
            and sighting.last_ms - other.last_ms < _FOLLOWED_MS
        )

    def _drop_glimpses(self, seen: set[int]) -> None:
        """Forget what one picture showed and the next did not."""
        for key in [key for key, item in self._sightings.items() if item.hits == 1 and key not in seen]:
            self._forget(key)

    def _miss(self, seen: set[int], step_ms: int, looked_at: Callable[[Box], bool]) -> None:
        """Count for what rests how long it was looked for in vain."""
        for key, item in self._sightings.items():
            if key in seen:
                item.missed_ms = 0
            elif item.stage is Stage.RESTING and looked_at(item.box):
                item.missed_ms += step_ms

    def _leave(self, at_ms: int, unseen_ms: int) -> list[EventChange]:
        changes: list[EventChange] = []
        for key, sighting in list(self._sightings.items()):
            if sighting.stage is Stage.RESTING:
                if sighting.missed_ms > _RESTING_UNSEEN_MS:
                    self._forget(key)
            elif at_ms - sighting.last_ms > unseen_ms or at_ms < sighting.first_ms:
                changes += self._lose(key, sighting)
        return changes

    def _lose(self, key: int, sighting: Sighting) -> Iterator[EventChange]:
        if sighting.stage is Stage.REPORTED:
            yield self._end(key)
        if not sighting.moved and sighting.hits >= _STANDING_HITS:
            sighting.rest()  # a parked car somebody walks in front of
        else:
            self._forget(key)

    def _end(self, key: int) -> EventChange:
        return self._change(Phase.END, key, still=False)

    def _forget(self, key: int) -> None:
        self._sightings.pop(key, None)
        self._by_track = {track: other for track, other in self._by_track.items() if other != key}

    def _reported(self, key: int) -> bool:
        return self._sightings[key].stage is Stage.REPORTED

    def _change(self, phase: Phase, key: int, *, still: bool) -> EventChange:
        sighting = self._sightings[key]
        return EventChange(
            phase=phase,
            key=key,
            camera=self._camera,
            kind=sighting.kind,
            start_ms=sighting.first_ms,
            end_ms=sighting.last_ms if phase is Phase.END else None,
            score=sighting.score,
            box=sighting.best_box,
            still_ms=sighting.best_ms,
            still=sighting.best if still else None,
        )


def _place(item: Sighting, at_ms: int) -> Box | None:
    """Where something in view is: also for a moment while something else hides it."""
    if not item.trusted or (item.hits < _LEAST_HITS and item.stage is not Stage.REPORTED):
        return None
    if item.last_ms == at_ms or (item.stage is Stage.RESTING and not _has_left(item)):
        return item.box
    hidden = item.stage is Stage.REPORTED and at_ms - item.last_ms <= _HIDDEN_MS
    return item.expected(at_ms) if hidden and not touches_edge(item.expected(at_ms), 0.01) else None


def _has_left(item: Sighting) -> bool:
    """People who are looked for and not found have gone, or were somebody else; things may be hidden."""
    return item.kind is ObjectClass.PERSON and item.missed_ms > _PERSON_UNSEEN_MS


def _stationary(item: Sighting, at_ms: int) -> bool:
    return item.stage is Stage.RESTING or item.still_for(at_ms) >= _STATIONARY_MS


def _patience(interval_ms: int) -> int:
    return max(UNSEEN_MS, interval_ms * 5 // 2)


def _worth_telling(sighting: Sighting, motion: Motion, sparse: bool) -> bool:
    if sighting.score < _SURE or not sighting.trusted:
        return False
    if sparse:  # there will not be three pictures: motion where it is must do
        return sighting.moved or sum(covered(sighting.box, region) for region in motion.regions) > 0.3
    lasted = sighting.last_ms - sighting.first_ms
    if sighting.hits < _LEAST_HITS or lasted < _LEAST_MS:
        return False
    standing = lasted >= _STANDING_MS and sighting.hits >= _STANDING_HITS
    return sighting.moved or (sighting.kind is ObjectClass.PERSON and standing)


def _plain(item: Sighting) -> bool:
    """Whether something that has just come into view is surely there, and what moves is surely it."""
    lasted = item.last_ms - item.first_ms
    sure = item.score >= _SURE and item.trusted and item.stir >= _PLAIN_STIR
    if not sure or not _TWICE_MS <= lasted <= _PLAIN_MS:
        return False
    thrice = item.hits >= _LEAST_HITS and lasted >= _LEAST_MS
    if item.kind is not ObjectClass.PERSON:
        return thrice and item.trust >= _THING_TRUST and item.shift >= _THING_SHIFT
    if item.score < _PLAIN_SCORE or item.trust < _PLAIN_TRUST:
        return False
    return thrice or (item.hits > 1 and item.shift >= _TWICE_SHIFT)
