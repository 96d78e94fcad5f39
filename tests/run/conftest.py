"""Fixtures of the supervisor's tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from beholden.model.time import FakeClock
from beholden.run.launcher import FakeLauncher
from beholden.run.roles import RoleSpec
from beholden.run.supervisor import Supervisor


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves when told to."""
    return FakeClock()


@pytest.fixture
def launcher(clock: FakeClock) -> FakeLauncher:
    """A launcher that starts nothing; waiting on it moves the clock."""
    return FakeLauncher(clock)


@pytest.fixture
def wanted() -> list[RoleSpec]:
    """The roles a test wants; change it to change the wish."""
    return [RoleSpec("recorder", 0, "none:none", ()), RoleSpec("web", None, "none:none", ())]


@pytest.fixture
def supervisor(
    tmp_path: Path, clock: FakeClock, launcher: FakeLauncher, wanted: list[RoleSpec]
) -> Supervisor:
    """A supervisor over fake processes."""
    return Supervisor(tmp_path, launcher, clock, lambda: list(wanted))


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for a condition; the machine may be slow, so the limit is generous."""

    def wait(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"never happened: {what}"
            time.sleep(0.05)

    return wait


@pytest.fixture
def reaped() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Remember a process that leads a group, and end whatever is left of that group after the test."""
    leaders: list[subprocess.Popen[bytes]] = []
    yield leaders.append
    for leader in leaders:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if os.getpgid(process.pid) == leader.pid:
                    process.kill()
        leader.wait()
