"""Keeps a set of roles running: the wanted ones started, the dead and the silent started again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from beholden.model.errors import BeholdenError
from beholden.model.time import Clock
from beholden.run import roles
from beholden.run.launcher import Launcher
from beholden.run.roles import RoleReport, RoleSpec
from beholden.run.watch import RoleWatch

log = structlog.get_logger()

TICK_SECONDS = 0.25
WANTED_EVERY_SECONDS = 1.0
STOP_SECONDS = 5.0
KILL_SECONDS = 5.0


class Supervisor:
    """Owns the processes of one data directory. ``wanted`` says which roles there should be and may
    raise BeholdenError, which changes nothing. Called from one thread."""

    def __init__(
        self, run_dir: Path, launcher: Launcher, clock: Clock, wanted: Callable[[], list[RoleSpec]]
    ) -> None:
        self._run_dir = run_dir
        self._launcher = launcher
        self._clock = clock
        self._wanted = wanted
        self._watches: dict[str, RoleWatch] = {}
        self._retired: list[RoleWatch] = []
        self._asked_at = float("-inf")
        self._ticked_at: float | None = None
        self._reported: list[RoleReport] | None = None
        self._hurry = False

    def run(self, stop: threading.Event, on_tick: Callable[[], None] = lambda: None) -> None:
        """Keep all roles running until ``stop`` is set, then stop them in good order."""
        try:
            while not stop.is_set():
                self.tick()
                on_tick()
                self._sleep(TICK_SECONDS)
        finally:
            self.stop_all()

    def tick(self) -> None:
        """One round: ask what is wanted (each second), look after each role, tell."""
        now = self._clock.monotonic()
        if self._ticked_at is not None and now - self._ticked_at > 4 * TICK_SECONDS:
            for watch in self._watches.values():
                watch.forgive(now - self._ticked_at)
        self._ticked_at = now
        if now - self._asked_at >= WANTED_EVERY_SECONDS:
            self._asked_at = now
            self._follow_wishes()
        for watch in self._all():
            watch.tick()
        self._retired = [watch for watch in self._retired if not watch.is_gone]
        self._tell()

    def reports(self) -> list[RoleReport]:
        """How each role is."""
        return [watch.report() for watch in self._all()]

    def stop_all(self) -> None:
        """Ask every role to stop; end after 5 s those that have not."""
        for watch in self._all():
            watch.stop()
        self._tell()
        if self._wait_until_gone(STOP_SECONDS):
            return
        for watch in self._all():
            if not watch.is_gone:
                log.warning("role did not stop in time and is ended", name=watch.spec.name)
                watch.kill()
        if not self._wait_until_gone(KILL_SECONDS, killed=True):
            log.error("a role cannot be ended; the kernel ends it when its disk answers")

    def hurry(self) -> None:
        """Wait for nobody any more while stopping. May be called from a signal handler."""
        self._hurry = True

    def _follow_wishes(self) -> None:
        try:
            wanted = {spec.name: spec for spec in self._wanted()}
        except BeholdenError as error:
            log.warning("the catalog cannot be read; roles stay as they are", cause=str(error))
            return
        for name in [name for name in self._watches if name not in wanted]:
            watch = self._watches.pop(name)
            watch.stop()
            self._retired.append(watch)
        leaving = {watch.spec.name for watch in self._retired}
        for name, spec in wanted.items():
            if name not in self._watches and name not in leaving:
                self._watches[name] = RoleWatch(spec, self._launcher, self._clock)

    def _all(self) -> list[RoleWatch]:
        return [*self._watches.values(), *self._retired]

    def _wait_until_gone(self, seconds: float, killed: bool = False) -> bool:
        until = self._clock.monotonic() + seconds
        while True:
            for watch in self._all():
                watch.tick()
            if all(watch.is_gone for watch in self._all()):
                return True
            if self._clock.monotonic() >= until or (self._hurry and not killed):
                return False
            self._sleep(TICK_SECONDS)

    def _sleep(self, seconds: float) -> None:
        self._launcher.wait([watch.child for watch in self._all() if watch.child is not None], seconds)

    def _tell(self) -> None:
        reports = self.reports()
        if reports == self._reported:
            return
        try:
            roles.write(self._run_dir, reports)
        except OSError as error:
            log.warning("roles.json cannot be written", cause=error.strerror)
            return
        self._reported = reports
