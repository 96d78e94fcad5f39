"""One back-test from beginning to end: what a rule would have reported on recorded footage.

First what is to be seen in the footage is found out, file by file: from the boxes that live analysis stored
beside it, from what an earlier back-test saw, or by decoding it; for a rule about sound, its sound alone.
Each file that is done stays done, so a back-test that is interrupted goes on where it was. Then the rule runs
over all of it at once, in seconds.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog

from beholden.analyse import seen_files
from beholden.analyse.detect.detector import Detector
from beholden.analyse.events import Phase
from beholden.analyse.hours import Hours
from beholden.analyse.looker import Looker, PictureLooker, SoundLooker
from beholden.analyse.loudness import SILENT_DB, Usual
from beholden.analyse.mask import Masks
from beholden.analyse.reports import Outcome, Report
from beholden.analyse.rerun import Seen
from beholden.analyse.rules import Assignment, Engine
from beholden.analyse.seen_files import SeenFiles
from beholden.catalog import Catalog, backtests, segments, sites, volumes
from beholden.catalog.backtests import Backtest, Trial
from beholden.catalog.segments import Segment
from beholden.model.backtest import Found
from beholden.model.boxes import unpack_frames
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.frame import TrackedFrame
from beholden.model.rule import Rule, RuleKind
from beholden.model.time import Clock
from beholden.store import sidecars
from beholden.store.sidecars import SideKind

log = structlog.get_logger()

LEAD_MS = 60_000  # footage before the range, so that what was there already is known
_APART_MS = 1500  # between files: the stream was lost, tracks are over
_BEAT_SECONDS = 1.0
EVERY_OBJECT = "Every object in view"


class CancelledError(Exception):
    """Somebody cancelled or removed it, or its process is to stop."""


class Runner:
    """Works on one back-test. ``detector`` makes the model of that name when footage has to be decoded;
    ``going`` says whether the process may go on."""

    def __init__(
        self,
        data_dir: Path,
        catalog: Catalog,
        clock: Clock,
        detector: Callable[[str], Detector],
        going: Callable[[], bool] = lambda: True,
    ) -> None:
        self._data_dir = data_dir
        self._catalog = catalog
        self._clock = clock
        self._make_detector = detector
        self._going = going
        self._beaten = 0.0
        self._done_ms = self._footage_ms = self._work_ms = 0
        self._source = ""

    def run(self, item: Backtest) -> None:
        """To its end, whichever it is; CancelledError."""
        self._done_ms, self._footage_ms, self._work_ms = item.from_ms, 0, item.work_ms
        try:
            found = self._find(item)
        except (BeholdenError, OSError) as error:
            with self._catalog.write() as conn:
                backtests.fail(conn, self._clock.now_ms(), item.id, str(error))
            log.warning("back-test failed", backtest=item.id, cause=str(error))
            return
        self._beat(item, always=True)
        with self._catalog.write() as conn:
            backtests.finish(conn, self._clock.now_ms(), item.id, found)

    def _find(self, item: Backtest) -> list[Found]:
        with self._catalog.read() as conn:
            kept = segments.between(conn, item.camera, StreamRole.MAIN, item.from_ms - LEAD_MS, item.to_ms)
            roots = {row.id: Path(row.path) for row in volumes.all_volumes(conn)}
            zone, modes = zoneinfo.ZoneInfo(sites.get(conn).time_zone), sites.modes(conn)
        if not kept:
            raise BeholdenError("not_recorded", "There is no footage of that time.", "Choose another.")
        known = boxes_of(item, kept, roots)
        self._source = "boxes" if known is not None else "sound" if _is_heard(item) else "decode"
        looked = known if known is not None else self._decoded(item, kept, roots)
        engine = engine_for(item.trial, Hours(zone, modes))
        started = self._clock.monotonic()
        outcomes: list[Outcome] = []
        before: Segment | None = None
        usual, silent = Usual(), True
        for segment, seen in looked:
            if before is not None and segment.key.start_ms - before.end_ms > _APART_MS:
                outcomes += engine.end()
                usual = Usual()
            outcomes += feed(engine, seen) + hear(engine, seen, usual)
            before, silent = segment, silent and not seen.sounds
            self._progress(item, segment)
        if silent and _is_heard(item):
            raise BeholdenError("no_sound", "The footage of that time has no sound.", "Choose another.")
        outcomes += engine.end()
        if known is not None:
            self._work_ms += round((self._clock.monotonic() - started) * 1000)
        return reports_of(outcomes, item.from_ms, item.to_ms)

    def _decoded(
        self, item: Backtest, kept: Sequence[Segment], roots: dict[int, Path]
    ) -> Iterator[tuple[Segment, Seen]]:
        """Look at each file, or take what was seen in it before."""
        way = seen_files.SOUND if _is_heard(item) else seen_files.by_model(item.trial.model)
        files = SeenFiles(self._data_dir, item.camera, way)
        look: Looker = SoundLooker()
        if not _is_heard(item):
            look = PictureLooker(item.camera, self._make_detector, self._masks(), item.trial.model)
        before: tuple[Segment, Seen] | None = None
        for segment in kept:
            seen = files.load(segment.key)
            if seen is None:
                started = self._clock.monotonic()
                seen = look.at(segment, roots, before, lambda: self._beat(item))
                if seen is None:
                    raise CancelledError()
                self._work_ms += round((self._clock.monotonic() - started) * 1000)
                files.save(segment.key, seen)
            else:
                look.rest()
            before = segment, seen
            yield segment, seen

    def _masks(self) -> Masks:
        masks = Masks()
        masks.follow(self._catalog)
        return masks

    def _progress(self, item: Backtest, segment: Segment) -> None:
        self._done_ms = max(self._done_ms, min(segment.end_ms, item.to_ms))
        inside = min(segment.end_ms, item.to_ms) - max(segment.key.start_ms, item.from_ms)
        self._footage_ms += max(0, inside)
        if not self._beat(item):
            raise CancelledError()

    def _beat(self, item: Backtest, *, always: bool = False) -> bool:
        """Say that work goes on, about once a second; False when it must not."""
        if not self._going():
            return False
        now = self._clock.monotonic()
        if not always and now - self._beaten < _BEAT_SECONDS:
            return True
        self._beaten = now
        with self._catalog.write() as conn:
            return backtests.advance(
                conn,
                self._clock.now_ms(),
                item.id,
                done_ms=self._done_ms,
                footage_ms=self._footage_ms,
                work_ms=self._work_ms,
                source=self._source,
            )


def boxes_of(
    item: Backtest, kept: Sequence[Segment], roots: dict[int, Path]
) -> list[tuple[Segment, Seen]] | None:
    """What live analysis saw in these files, from the side-cars beside them; None when it cannot answer this
    back-test (another model, a rule about the camera or its sound) or saw nothing at all in that time."""
    rule = item.trial.rule
    if item.trial.model or item.trial.source == "decode":
        return None
    if rule is not None and rule.kind in (RuleKind.CAMERA, RuleKind.SOUND):
        return None
    frames: dict[tuple[int, int], list[TrackedFrame]] = {}
    for root in set(roots.values()):
        first, last = kept[0].key.start_ms, kept[-1].end_ms
        for path in sidecars.sidecars_between(root, item.camera, SideKind.BOXES, first, last):
            for block in sidecars.read_blocks(path, SideKind.BOXES):
                own = frames.setdefault((block.segment_ms, block.epoch), [])
                own += unpack_frames(item.camera, block.first_ms, block.payload)
    found = [
        (
            segment,
            Seen(
                sorted(frames.get((segment.key.start_ms, segment.key.epoch), ()), key=lambda each: each.at_ms)
            ),
        )
        for segment in kept
    ]
    return found if any(seen.frames for _, seen in found) else None


def engine_for(trial: Trial, hours: Hours) -> Engine:
    """The engine that live analysis would use for this one rule."""
    rule = trial.rule or Rule(id=0, camera=0, name=EVERY_OBJECT, kind=RuleKind.ENTER)
    return Engine([Assignment(rule, trial.place)], hours, plane=trial.ground)


def feed(engine: Engine, seen: Seen) -> list[Outcome]:
    """Frames and camera faults of one file, in order of time."""
    outcomes: list[Outcome] = []
    faults = iter(seen.faults)
    fault = next(faults, None)
    for frame in seen.frames:
        while fault is not None and fault[0] <= frame.at_ms:
            outcomes += engine.fault(*fault)
            fault = next(faults, None)
        outcomes += engine.look(frame)
    while fault is not None:
        outcomes += engine.fault(*fault)
        fault = next(faults, None)
    return outcomes


def hear(engine: Engine, seen: Seen, usual: Usual) -> list[Outcome]:
    """The sound of one file, as live analysis tells rules of it: silence but for what stands out."""
    outcomes: list[Outcome] = []
    for at_ms, level_db in seen.sounds:
        outcomes += engine.heard(at_ms, level_db if usual.is_outdone(level_db) else SILENT_DB)
    return outcomes


def reports_of(outcomes: Sequence[Outcome], from_ms: int, to_ms: int) -> list[Found]:
    """The reports that began within [from, to), whole."""
    began: dict[int, Report] = {}
    found: list[Found] = []
    for item in outcomes:
        if not isinstance(item, Report):
            continue
        if item.phase is Phase.START:
            began[item.key] = item
        elif item.phase is Phase.END and from_ms <= began[item.key].at_ms < to_ms:
            sight = item.sight
            end_ms = item.end_ms if item.end_ms is not None else item.at_ms
            found.append(
                Found(sight.kind, item.start_ms, end_ms, sight.score, began[item.key].sight.box, sight.detail)
            )
    return sorted(found, key=lambda each: (each.start_ms, each.end_ms, each.kind))


def _is_heard(item: Backtest) -> bool:
    """Whether it is about sound alone."""
    return item.trial.rule is not None and item.trial.rule.kind is RuleKind.SOUND
