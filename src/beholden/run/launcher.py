"""The seam between the supervisor and processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterable
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Protocol

from beholden.model.time import FakeClock
from beholden.run import role_process
from beholden.run.role_process import Launch
from beholden.run.roles import RoleSpec

# What every role needs and no role must not have: the recorder's modules. Loaded once, then shared
# by all children, so that a killed recorder is back in a fraction of a second.
PRELOAD = ("beholden.run.preload",)


class Child(Protocol):
    """One process."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    def has_beaten(self) -> bool:
        """Whether it has given a sign of life since the last call."""
        ...

    def exit_code(self) -> int | None:
        """None while it lives; negative for the signal that ended it."""
        ...

    def stop(self) -> None:
        """Ask it to stop in good order."""
        ...

    def kill(self) -> None:
        """End it now; ``exit_code`` says when it is really gone."""
        ...

    def close(self) -> None:
        """Give back what was held for it; only after it is gone."""
        ...


class Launcher(Protocol):
    """Starts processes."""

    def start(self, spec: RoleSpec) -> Child:
        """A new process for this role; OSError when the machine has no room for one."""
        ...

    def wait(self, children: Iterable[Child], seconds: float) -> None:
        """Sleep that long, or until a child ends."""
        ...

    def close(self) -> None:
        """End what served to start children; after they are gone."""
        ...


class ForkServerLauncher:
    """Processes forked off a small server that has the recorder's modules loaded already.

    The kernel ends every child when that server ends, and the server ends with the supervisor,
    so that nothing outlives it, however it dies.
    """

    def __init__(self, data_dir: Path, logs: str) -> None:
        self._data_dir = data_dir
        self._logs = logs
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(PRELOAD))

    def start(self, spec: RoleSpec) -> Child:
        beats, beats_child = self._context.Pipe(duplex=False)
        lifeline_child, lifeline = self._context.Pipe(duplex=False)
        launch = Launch(spec, self._data_dir, self._logs, beats_child, lifeline_child)
        process = self._context.Process(target=role_process.main, args=(launch,), name=spec.name)
        try:
            process.start()
        except BaseException:
            for connection in (beats, lifeline):
                connection.close()
            raise
        finally:
            # Only the child may hold its ends: their closing is how each side sees the other die.
            beats_child.close()
            lifeline_child.close()
        return ProcessChild(process, beats, lifeline)

    def wait(self, children: Iterable[Child], seconds: float) -> None:
        wait([child.sentinel for child in children if isinstance(child, ProcessChild)], timeout=seconds)

    def close(self) -> None:
        # Both would end by themselves just after this process; whoever waits for it should find
        # nothing left. Python has no public name for it.
        for server in (forkserver._forkserver, resource_tracker._resource_tracker):
            stop = getattr(server, "_stop", None)
            if stop is not None:
                stop()


class ProcessChild:
    """A child of ForkServerLauncher."""

    def __init__(self, process: ForkServerProcess, beats: Connection, lifeline: Connection) -> None:
        self._process = process
        self._beats = beats
        self._lifeline = lifeline

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def sentinel(self) -> int:
        """A descriptor that becomes readable when it ends."""
        return self._process.sentinel

    def has_beaten(self) -> bool:
        if self._beats.closed or not self._beats.poll():
            return False
        beaten = bool(os.read(self._beats.fileno(), 65536))
        if not beaten:
            self._beats.close()  # it closed its end: it is going, or has gone
        return beaten

    def exit_code(self) -> int | None:
        return self._process.exitcode

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._lifeline.close()

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._beats.close()
        with contextlib.suppress(OSError):
            self._lifeline.close()
        self._process.join()
        self._process.close()


class FakeLauncher:
    """Starts nothing; tests tell its children what to do. Waiting moves the clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.started: list[FakeChild] = []
        self.refuse: OSError | None = None
        self._clock = clock

    def start(self, spec: RoleSpec) -> Child:
        if self.refuse is not None:
            raise self.refuse
        child = FakeChild(spec, 1000 + len(self.started))
        self.started.append(child)
        return child

    def wait(self, children: Iterable[Child], seconds: float) -> None:  # noqa: ARG002
        self._clock.advance(seconds)

    def close(self) -> None:
        """Nothing to end."""

    def newest(self, name: str) -> FakeChild:
        """The last child started under a role's name."""
        return [child for child in self.started if child.spec.name == name][-1]


class FakeChild:
    """A child that lives while told to."""

    def __init__(self, spec: RoleSpec, pid: int) -> None:
        self.spec = spec
        self.pid = pid
        self.beating = True
        self.obedient = True  # goes when asked to stop
        self.mortal = True  # goes when killed; a process in a stuck disk read does not
        self.asked_to_stop = False
        self.killed = False
        self.closed = False
        self._exit_code: int | None = None

    def die(self, exit_code: int = -9) -> None:
        """End as if by itself."""
        self._exit_code = exit_code

    def has_beaten(self) -> bool:
        return self.beating and self._exit_code is None

    def exit_code(self) -> int | None:
        return self._exit_code

    def stop(self) -> None:
        self.asked_to_stop = True
        if self.obedient:
            self.die(0)

    def kill(self) -> None:
        self.killed = True
        if self.mortal:
            self.die(-9)

    def close(self) -> None:
        self.closed = True
