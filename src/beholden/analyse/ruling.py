"""Rules over live cameras: an onlooker that hands what they report to the keeper."""

from __future__ import annotations

import threading
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from beholden.analyse.camera_faults import CameraFaults
from beholden.analyse.decode import Decoded
from beholden.analyse.events import EventChange, Phase, next_key
from beholden.analyse.hours import Hours
from beholden.analyse.onlooker import Small
from beholden.analyse.reports import Crossing, Outcome, Report
from beholden.analyse.rules import Assignment, Engine
from beholden.catalog import Catalog, places, rules, sites
from beholden.model.event import RuleHit
from beholden.model.frame import TrackedFrame
from beholden.model.place import GroundPlane, Place, PlaceKind
from beholden.model.rule import Rule, RuleKind
from beholden.model.site import SiteMode

_LATE_MS = 15_000  # frames of a picture may come so long after it: buffered ones are looked at late


@dataclass(frozen=True, slots=True)
class Charge:
    """All that is asked of one camera."""

    assignments: tuple[Assignment, ...]
    lines: tuple[Place, ...]
    plane: GroundPlane | None


@dataclass(slots=True)
class _Camera:
    charge: Charge
    engine: Engine
    faults: CameraFaults | None
    keys: dict[int, int]  # of the engine's reports, as the keeper knows them


class Ruling:
    """The engines of all cameras. ``refresh`` follows the catalog; the other calls come from the analyser's
    threads. ``keep`` takes changes of events, ``count`` crossings; neither may block."""

    def __init__(self, keep: Callable[[EventChange], None], count: Callable[[Crossing], None]) -> None:
        self._keep = keep
        self._count = count
        self._lock = threading.Lock()
        self._hours = Hours(UTC, [(0, SiteMode.HOME)])
        self._cameras: dict[int, _Camera] = {}
        self._known: object = None

    def refresh(self, catalog: Catalog) -> None:
        """Take up what changed in the catalog since the last call; cheap when nothing did."""
        with catalog.read() as conn:
            site = sites.find(conn)
            revision = (rules.revision(conn), places.revision(conn), site)
            if site is None or revision == self._known:
                return
            charges = charges_of(rules.enabled(conn), places.present(conn), places.grounds(conn))
            modes = sites.modes(conn)
        self._hours.learn(zoneinfo.ZoneInfo(site.time_zone), modes)
        self.assign(charges)
        self._known = revision

    def assign(self, charges: Mapping[int, Charge]) -> None:
        """Ask this of the cameras. One whose rules and places are as before goes on undisturbed."""
        with self._lock:
            for camera in list(self._cameras):
                if self._cameras[camera].charge != charges.get(camera):
                    self._give(camera, self._cameras[camera].engine.end(), None)
                    del self._cameras[camera]
            for camera, charge in charges.items():
                if camera not in self._cameras:
                    self._cameras[camera] = _made(charge, self._hours)

    def pictured(self, camera: int, at_ms: int, small: Small, picture: Decoded) -> None:
        """See Onlooker."""
        with self._lock:
            known = self._cameras.get(camera)
            if known is None:
                return
            outcomes = known.engine.advance(at_ms - _LATE_MS)
            found = known.faults.look(at_ms, small) if known.faults is not None else None
            if found is not None:
                outcomes += known.engine.fault(at_ms, found)
            self._give(camera, outcomes, picture)

    def tracked(self, frame: TrackedFrame, picture: Decoded) -> None:
        """See Onlooker."""
        with self._lock:
            known = self._cameras.get(frame.camera)
            if known is not None:
                self._give(frame.camera, known.engine.look(frame), picture)

    def heard(self, camera: int, at_ms: int, level_db: float) -> None:
        """The loudest sound of about a second; 0 is the loudest there is."""
        with self._lock:
            known = self._cameras.get(camera)
            if known is not None:
                self._give(camera, known.engine.heard(at_ms, level_db), None)

    def ended(self, camera: int) -> None:
        """See Onlooker."""
        with self._lock:
            known = self._cameras.get(camera)
            if known is not None:
                self._give(camera, known.engine.end(), None)

    def _give(self, camera: int, outcomes: Iterable[Outcome], picture: Decoded | None) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Crossing):
                self._count(outcome)
            else:
                self._keep(_change(camera, outcome, self._key(camera, outcome), picture))

    def _key(self, camera: int, report: Report) -> int:
        keys = self._cameras[camera].keys
        if report.phase is Phase.END:
            return keys.pop(report.key)
        if report.key not in keys:
            keys[report.key] = next_key()
        return keys[report.key]


def charges_of(
    on: Mapping[int, Sequence[Rule]], drawn: Mapping[int, Sequence[Place]], planes: Mapping[int, GroundPlane]
) -> dict[int, Charge]:
    """What is asked of each camera that has rules or lines."""
    found = {}
    for camera in on.keys() | drawn.keys():
        here = {place.id: place for place in drawn.get(camera, ())}
        lines = tuple(place for place in here.values() if place.kind is PlaceKind.LINE)
        assignments = tuple(
            Assignment(rule, here.get(rule.place) if rule.place is not None else None)
            for rule in on.get(camera, ())
            if rule.place is None or rule.place in here
        )
        if assignments or lines:
            found[camera] = Charge(assignments, lines, planes.get(camera))
    return found


def _made(charge: Charge, hours: Hours) -> _Camera:
    engine = Engine(charge.assignments, hours, lines=charge.lines, plane=charge.plane)
    watched = any(item.rule.kind is RuleKind.CAMERA for item in charge.assignments)
    return _Camera(charge, engine, CameraFaults() if watched else None, {})


def _change(camera: int, report: Report, key: int, picture: Decoded | None) -> EventChange:
    rule, sight = report.rule, report.sight
    return EventChange(
        phase=report.phase,
        key=key,
        camera=camera,
        kind=sight.kind,
        start_ms=report.start_ms,
        end_ms=report.end_ms,
        score=sight.score,
        box=sight.box,
        still_ms=picture.at_ms if picture is not None else report.at_ms,
        still=picture if report.phase is Phase.START else None,
        hit=RuleHit(rule.id, rule.kind.value, rule.place, rule.severity.value, sight.detail),
    )
