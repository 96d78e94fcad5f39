"""All cameras of a site, seen by two threads: one decodes, one detects.

Between them lies room for one picture a camera, so a slow detector sees fewer pictures, never old ones.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import structlog

from beholden.analyse.allowance import Allowance
from beholden.analyse.closeup import CloseUp
from beholden.analyse.decode import Decoded
from beholden.analyse.detect.crops import Crop, completed, detect_in
from beholden.analyse.detect.detector import Detector, DetectorError
from beholden.analyse.events import EventChange
from beholden.analyse.feed import Feed
from beholden.analyse.hooks import Hooks
from beholden.analyse.keeper import Keeper
from beholden.analyse.mailbox import Backlog, Look
from beholden.analyse.note import DecodingNote
from beholden.analyse.receive import Connect, Receiver, Receives, StreamId
from beholden.analyse.tell import Teller
from beholden.analyse.watch import Watch
from beholden.model.analysis import AnalysisState
from beholden.model.camera import CameraConfig, StreamRole
from beholden.model.time import Clock

log = structlog.get_logger()

_IDLE_SECONDS = 0.2
_SWEEP_SECONDS = 0.1  # how often all cameras are gone through, not only those with something urgent
_SILENT_SECONDS = 15.0  # without a picture, what was in view is let go
_HANG_SECONDS = 20.0
_TURN = 60  # units of one camera before the next has its turn
_BATCH = 8


class Seen:
    """One camera in the analyser."""

    def __init__(
        self, config: CameraConfig, clock: Clock, hooks: Hooks, backlog: Backlog, note: DecodingNote | None
    ) -> None:
        self.config = config
        self.feed = Feed(clock)
        self.watch = Watch(config.id, config.analyse, self.feed, clock, hooks, backlog, note)
        self.teller = Teller(config.id, clock)
        self.close_up = CloseUp(config.id, hooks, note)
        self.silent = True

    @property
    def stream(self) -> StreamId:
        """The stream that is analysed: the sub stream, or the main one when there is no other."""
        return self.config.id, StreamRole.SUB if self.config.sub is not None else StreamRole.MAIN

    @property
    def feeds(self) -> dict[StreamId, Receives]:
        """What is received of it, and by whom."""
        feeds: dict[StreamId, Receives] = {self.stream: self.feed}
        if self.config.detect_main and self.config.sub is not None:
            feeds[self.config.id, StreamRole.MAIN] = self.close_up
        return feeds


Shown = tuple[Decoded, list[Crop]]
"""A picture and the crops of it that the detector is to see."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the detector is asked about one camera; ``closer``: of its main stream at that moment."""

    seen: Seen
    look: Look
    crops: list[Crop]
    closer: Shown | None


class _Sweep:
    """When it is time to go through all cameras; a thread's own."""

    def __init__(self) -> None:
        self._at = 0.0

    def due(self) -> bool:
        """Whether it is, which is said once."""
        now = time.monotonic()
        if now - self._at < _SWEEP_SECONDS:
            return False
        self._at = now
        return True


class Analyser:
    """Give it cameras with ``configure``; it reads their streams, looks, and gives changes to ``keeper``."""

    def __init__(
        self,
        detector: Detector,
        keeper: Keeper,
        connect: Connect,
        recorder_socket: Callable[[int], Path],
        clock: Clock,
        hooks: Hooks | None = None,
        note: DecodingNote | None = None,
    ) -> None:
        self._detector = detector
        self._hooks = hooks or Hooks()
        self._note = note
        self._pauses = note.pauses() if note is not None else {}
        self._keeper = keeper
        self._backlog = Backlog()
        self._allowance = Allowance(clock)
        self._connect = connect
        self._recorder_socket = recorder_socket
        self._clock = clock
        self._cameras: dict[int, Seen] = {}
        self._receivers: dict[int, Receiver] = {}
        self._fed = threading.Event()
        self._seen = threading.Event()
        self._stopping = threading.Event()
        self._leaving: list[Seen] = []
        self._lock = threading.Lock()
        self._started_ms = clock.now_ms()
        self._beats = {"decode": clock.monotonic(), "detect": clock.monotonic()}
        self._threads = [
            threading.Thread(target=self._decode, name="decode", daemon=True),
            threading.Thread(target=self._detect, name="detect", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def configure(self, configs: Sequence[CameraConfig]) -> None:
        """The cameras as they are now in the catalog. Only what changed is touched."""
        wanted = {c.id: c for c in configs if c.enabled and c.analyse != "off"}
        with self._lock:
            for camera in self._cameras.keys() - wanted.keys():
                self._leaving.append(self._cameras.pop(camera))
            for camera, config in wanted.items():
                self._configure_one(camera, config)
            shards = self._streams_by_shard()
        self._seen.set()
        for shard, feeds in shards.items():
            if shard not in self._receivers:
                path = self._recorder_socket(shard)
                self._receivers[shard] = Receiver(path, self._connect, self._fed)
            self._receivers[shard].want(feeds)
        for shard in self._receivers.keys() - shards.keys():
            self._receivers.pop(shard).close()

    @property
    def alive(self) -> bool:
        """Whether every thread works; False means that the process should be started again."""
        now = self._clock.monotonic()
        return (
            all(thread.is_alive() for thread in self._threads)
            and all(receiver.alive for receiver in self._receivers.values())
            and self._keeper.alive
            and all(now - beat < _HANG_SECONDS for beat in self._beats.values())
        )

    def close(self) -> None:
        """Stop reading, end what is open, and wait for the threads."""
        for receiver in self._receivers.values():
            receiver.close()
        self._stopping.set()
        for event in (self._fed, self._seen):
            event.set()
        for thread in self._threads:
            thread.join()

    def stats(self) -> dict[str, Any]:
        """The answer to ``{"op": "stats"}`` (docs/design/architecture.md)."""
        with self._lock:
            cameras = [self._stats_of(seen) for seen in self._cameras.values()]
        process = psutil.Process()
        times = process.cpu_times()
        return {
            "kind": "stats",
            "cameras": cameras,
            "process": {
                "pid": os.getpid(),
                "cpu_seconds": round(times.user + times.system, 3),
                "rss_bytes": process.memory_info().rss,
                "started_ms": self._started_ms,
            },
            "detector": {
                "name": self._detector.card.name,
                "backend": self._detector.backend,
                "milliseconds": max((row["detector_ms"] for row in cameras), default=0.0),
            },
        }

    def _configure_one(self, camera: int, config: CameraConfig) -> None:
        seen = self._cameras.get(camera)
        if seen is not None and _same_source(seen.config, config):
            seen.config = config
            seen.watch.mode = config.analyse
            return
        if seen is not None:
            self._leaving.append(seen)
        self._cameras[camera] = Seen(config, self._clock, self._hooks, self._backlog, self._note)
        if (seconds := self._pauses.pop(camera, 0)) > 0:
            self._cameras[camera].watch.quarantine.impose(
                seconds, "the analyser died while it decoded this camera's pictures"
            )

    def _streams_by_shard(self) -> dict[int, dict[StreamId, Receives]]:
        shards: dict[int, dict[StreamId, Receives]] = {}
        for seen in self._cameras.values():
            shards.setdefault(seen.config.shard, {}).update(seen.feeds)
        return shards

    def _all(self) -> list[Seen]:
        with self._lock:
            return list(self._cameras.values())

    def _decode(self) -> None:
        sweep = _Sweep()
        while not self._stopping.is_set():
            self._fed.wait(_IDLE_SECONDS)
            self._fed.clear()
            self._beats["decode"] = self._clock.monotonic()  # also while there is no camera
            everyone = sweep.due()  # what is not urgent waits for this
            for seen in self._all():
                if everyone or seen.watch.due or seen.close_up.waiting:
                    self._decode_of(seen)

    def _decode_of(self, seen: Seen) -> None:
        self._beats["decode"] = self._clock.monotonic()
        steps, watch = 0, seen.watch
        while steps < _TURN and watch.step():
            steps += 1
        seen.close_up.step(wanted=not (watch.quiet or watch.feed.overloaded or watch.quarantine.active))
        if watch.mailbox.waiting:
            self._seen.set()
        if steps == _TURN:  # there is more
            self._fed.set()

    def _detect(self) -> None:
        sweep = _Sweep()
        while not self._stopping.is_set():
            self._seen.wait(_IDLE_SECONDS)
            self._seen.clear()
            everyone = sweep.due()  # to see whose pictures stopped coming
            self._look([seen for seen in self._all() if everyone or seen.watch.mailbox.waiting])
        for seen in [*self._all(), *self._take_leaving()]:
            self._end(seen)

    def _look(self, due: Sequence[Seen]) -> None:
        for seen in self._take_leaving():
            self._end(seen)
        batch: list[tuple[Seen, Look]] = []
        for seen in due:
            look = self._next_look(seen)
            if look is not None:
                batch.append((seen, look))
        if any(seen.watch.mailbox.waiting for seen in due):
            self._seen.set()
        for start in range(0, len(batch), _BATCH):
            self._beats["detect"] = self._clock.monotonic()
            self._detect_batch(batch[start : start + _BATCH])
        self._beats["detect"] = self._clock.monotonic()

    def _next_look(self, seen: Seen) -> Look | None:
        """The camera's newest picture when the detector should see it."""
        ended, look = seen.watch.mailbox.take()
        if ended or self._is_silent(seen):
            self._end(seen)
        if look is None:
            return None
        if seen.teller.wants(look, self._allowance.least_ms):
            return look
        self._tell(seen.teller.passed(look))
        self._hand_on(seen, look, detected=False)
        return None

    def _is_silent(self, seen: Seen) -> bool:
        """Whether pictures have just stopped coming."""
        silent = self._clock.monotonic() - seen.watch.last_look_at > _SILENT_SECONDS
        began, seen.silent = silent and not seen.silent, silent
        return began

    def _detect_batch(self, batch: Sequence[tuple[Seen, Look]]) -> None:
        self._ask(
            [
                Asked(seen, look, seen.teller.crops(look, self._detector.shown), self._close_up(seen, look))
                for seen, look in batch
            ]
        )

    def _ask(self, batch: Sequence[Asked]) -> None:
        shown = [(each.look.picture, each.crops) for each in batch]
        closer = [(at, each.closer) for at, each in enumerate(batch) if each.closer is not None]
        started, used = self._clock.monotonic(), time.thread_time()
        try:
            found = detect_in(self._detector, [*shown, *(each for _, each in closer)])
        except DetectorError as error:
            if len(batch) > 1:
                for single in batch:  # find out whose picture it was; the others go on
                    self._ask([single])
            elif closer:
                self._ask([replace(batch[0], closer=None)])
            else:
                self._failed(batch[0].seen, str(error))
            return
        took = self._clock.monotonic() - started
        self._allowance.spend(time.thread_time() - used)  # engines work in the thread that asks
        found, more = found[: len(batch)], found[len(batch) :]
        for (at, _), detections in zip(closer, more, strict=True):
            found[at] = completed(found[at], detections)
        for each, detections in zip(batch, found, strict=True):
            each.seen.teller.detector_ms = round(took * 1000 / len(batch), 1)
            each.seen.teller.quarantine.succeeded()
            self._tell(each.seen.teller.detected(each.look, detections, each.crops))
            self._hand_on(each.seen, each.look, detected=True)

    def _close_up(self, seen: Seen, look: Look) -> Shown | None:
        """The main stream's picture of that moment and the crops of it worth showing; None without any."""
        picture = seen.close_up.take(look.picture)
        if picture is None:
            return None
        crops = seen.teller.close_ups(look, (picture.width, picture.height), self._detector.shown)
        return (picture, crops) if crops else None

    def _failed(self, seen: Seen, reason: str) -> None:
        if seen.teller.quarantine.failed(reason):
            log.warning("detection paused", camera=seen.config.id, cause=reason)
            self._end(seen)

    def _hand_on(self, seen: Seen, look: Look, *, detected: bool) -> None:
        seen.watch.busy = seen.teller.watching
        frame = seen.teller.frame(look, detected=detected)
        if frame is not None:
            self._hooks.tell_frame(frame, look.picture)

    def _end(self, seen: Seen) -> None:
        self._tell(seen.teller.end())
        seen.watch.busy = False
        self._hooks.tell_end(seen.config.id)

    def _take_leaving(self) -> list[Seen]:
        with self._lock:
            leaving, self._leaving = self._leaving, []
            return leaving

    def _tell(self, changes: Sequence[EventChange]) -> None:
        for change in changes:
            self._keeper.put(change)

    def _stats_of(self, seen: Seen) -> Mapping[str, Any]:
        watch = seen.watch
        state, reason = _state(seen)
        return {
            "camera": seen.config.id,
            "mode": watch.mode,
            "fps": round(watch.fps, 1),
            "queue_ms": seen.feed.waiting_ms(),
            "last_frame_ms": watch.last_picture_ms or None,
            "detector_ms": seen.teller.detector_ms,
            "motion": round(watch.motion_fraction, 4),
            "events": seen.teller.open_events,
            "dropped": seen.feed.dropped,
            "state": state,
            "reason": reason,
        }


def _state(seen: Seen) -> tuple[AnalysisState, str]:
    for what, quarantine in (("Decoding", seen.watch.quarantine), ("Detection", seen.teller.quarantine)):
        if quarantine.reason:
            reason = f"{what} failed repeatedly and is tried again soon: {quarantine.reason}."
            return AnalysisState.QUARANTINED, reason
    if seen.feed.overloaded:
        return AnalysisState.OVERLOADED, "The CPU is too busy: only keyframes are analysed for now."
    if not seen.watch.last_picture_ms or seen.silent:
        return AnalysisState.WAITING, "No pictures arrive."
    if seen.watch.mode == "keyframes":
        return AnalysisState.KEYFRAMES, "Only keyframes are analysed, as chosen for this camera."
    if seen.watch.quiet:
        return AnalysisState.QUIET, "Nothing moves: only keyframes are decoded."
    why = seen.watch.why_full
    return AnalysisState.FULL_RATE, f"Every picture is analysed: {why}." if why else ""


def _same_source(old: CameraConfig, new: CameraConfig) -> bool:
    return (old.shard, old.main, old.sub) == (new.shard, new.main, new.sub)
