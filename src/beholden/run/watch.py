"""One role kept running: started, listened to, started again."""

from __future__ import annotations

import signal

import structlog

from beholden.model.time import Clock
from beholden.run.backoff import Backoff
from beholden.run.launcher import Child, Launcher
from beholden.run.roles import RoleReport, RoleSpec, RoleState

log = structlog.get_logger()

# A role beats at least once a second. A process that has never beaten is still loading, which on a
# small machine with a cold disk takes a while.
SILENT_SECONDS = 5.0
LOADING_SECONDS = 60.0


class RoleWatch:
    """The life of one role over all its processes. Called from one thread."""

    def __init__(self, spec: RoleSpec, launcher: Launcher, clock: Clock) -> None:
        self.spec = spec
        self._launcher = launcher
        self._clock = clock
        self._backoff = Backoff()
        self._child: Child | None = None
        self._next_start = clock.monotonic()
        self._started = 0.0
        self._started_ms: int | None = None
        self._heard = 0.0
        self._beaten = False
        self._restarts = 0
        self._reason = ""
        self._verdict = ""  # why we killed it, told when it is gone
        self._stopping = False

    @property
    def child(self) -> Child | None:
        """Its process now, if any."""
        return self._child

    @property
    def is_gone(self) -> bool:
        """Whether it was told to stop and has no process any more."""
        return self._stopping and self._child is None

    def report(self) -> RoleReport:
        """How it is now."""
        return RoleReport(
            role=self.spec.role,
            shard=self.spec.shard,
            pid=self._child.pid if self._child else None,
            state=self._state(),
            started_ms=self._started_ms if self._child else None,
            restarts=self._restarts,
            reason=self._reason,
        )

    def tick(self) -> None:
        """Start it when it is due; end it when it is silent; note when it is gone."""
        now = self._clock.monotonic()
        if self._child is None:
            if not self._stopping and now >= self._next_start:
                self._start(now)
            return
        exit_code = self._child.exit_code()
        if exit_code is not None:
            self._ended(now, exit_code)
        elif self._child.has_beaten():
            self._heard = now
            self._beaten = True
        elif not self._stopping:
            self._end_if_silent(now)

    def forgive(self, seconds: float) -> None:
        """Do not count this time as silence: the supervisor itself was held up."""
        self._heard += seconds

    def stop(self) -> None:
        """Ask its process to stop, and start no other."""
        self._stopping = True
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """End its process now."""
        if self._child is not None:
            self._child.kill()

    def _state(self) -> RoleState:
        if self._stopping:
            return RoleState.STOPPING
        if self._child is None:
            return RoleState.WAITING
        return RoleState.RUNNING if self._beaten else RoleState.STARTING

    def _start(self, now: float) -> None:
        try:
            self._child = self._launcher.start(self.spec)
        except (OSError, EOFError) as error:  # EOFError: the fork server died while asked
            self._reason = f"could not be started: {error}"
            self._pause(now, lived=0.0)
            return
        self._started = self._heard = now
        self._started_ms = self._clock.now_ms()
        self._beaten = False
        self._verdict = ""

    def _end_if_silent(self, now: float) -> None:
        limit = SILENT_SECONDS if self._beaten else LOADING_SECONDS
        if self._child is not None and now - self._heard >= limit:
            self._verdict = f"gave no sign of life for {limit:.0f} s and was ended"
            # Killed again at each tick until it is gone: only then may another take its place, for
            # two recorders of one shard would pull every camera twice.
            self._child.kill()

    def _ended(self, now: float, exit_code: int) -> None:
        if self._child is not None:
            self._child.close()
        self._child = None
        if self._stopping:
            return
        self._reason = self._verdict or _how_it_ended(exit_code)
        self._pause(now, lived=now - self._started)

    def _pause(self, now: float, lived: float) -> None:
        self._restarts += 1
        pause = self._backoff.died(lived)
        self._next_start = now + pause
        log.error(
            "role ended, starting it again",
            name=self.spec.name,
            cause=self._reason,
            restarts=self._restarts,
            in_seconds=pause,
        )


def _how_it_ended(exit_code: int) -> str:
    if exit_code < 0:
        try:
            return f"was ended by {signal.Signals(-exit_code).name}"
        except ValueError:
            return f"was ended by signal {-exit_code}"
    if exit_code == 0:
        return "stopped by itself"
    return "failed; its log says why"
