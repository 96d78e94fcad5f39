"""What `status` says, from a catalog and recorders that answer, are silent, or are not there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beholden.bus.client import Bus
from beholden.bus.fake import FakeBus
from beholden.bus.messages import BusError
from beholden.catalog import Catalog, cameras
from beholden.catalog.cameras import NewCamera
from beholden.catalog.secrets import SecretBox
from beholden.model.time import FakeClock
from beholden.run import health, roles
from beholden.run.lock import InstanceLock
from beholden.run.ready import LATE_SECONDS, ReadyCall
from beholden.run.roles import RoleReport, RoleState


def _row(clock: FakeClock, **changes: Any) -> dict[str, Any]:
    row = {"camera": 1, "stream": "main", "state": "live", "reason": "", "next_step": ""}
    return {**row, "last_fragment_ms": clock.now_ms() - 400, **changes}


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A directory with one camera, whose lock is held and whose roles are said to run."""
    (tmp_path / "run").mkdir()
    catalog = Catalog.open(tmp_path)
    with catalog.write() as conn:
        cameras.add(conn, SecretBox.open(tmp_path), 0, NewCamera("Gate", "rtsp://192.0.2.1/main"))
    catalog.close()
    lock = InstanceLock(tmp_path)
    lock.take()
    _say(tmp_path, RoleState.RUNNING)
    yield tmp_path
    lock.release()


def _say(data: Path, web: RoleState) -> None:
    reports = [
        RoleReport("recorder", 0, 11, RoleState.RUNNING, 1, 0, ""),
        RoleReport("web", None, 12, web, 1, 0, ""),
    ]
    roles.write(data / "run", reports)


def _ask(data: Path, clock: FakeClock, rows: list[dict[str, Any]] | None) -> dict[str, Any]:
    """The status when the recorder answers with these rows; None when it does not answer."""

    def connect(_data: Path, name: str) -> Bus:
        assert name == "recorder-0"
        if rows is None:
            raise BusError("bus_unreachable", "Nothing answers.")
        return FakeBus({"stats": {"kind": "stats", "streams": rows, "process": {}}})

    return health.status(data, clock, connect)


def test_all_is_well_when_every_camera_is_recorded(data: Path, clock: FakeClock) -> None:
    """State and age come from the recorder."""
    found = _ask(data, clock, [_row(clock), _row(clock, stream="sub", state="offline")])
    assert found["status"] == "ok"
    (row,) = found["cameras"]
    assert (row["state"], row["last_fragment_age_seconds"]) == ("live", 0.4)
    assert [role["role"] for role in found["roles"]] == ["recorder", "web"]


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "offline", "reason": "It is gone."},
        {"last_fragment_ms": 0},
        {"last_fragment_ms": None},
    ],
)
def test_a_camera_without_fresh_footage_degrades(
    data: Path, clock: FakeClock, changes: dict[str, Any]
) -> None:
    """Offline, stale, or never a fragment."""
    found = _ask(data, clock, [_row(clock, **changes)])
    assert found["status"] == "degraded"
    assert found["cameras"][0]["reason"] == changes.get("reason", "")


def test_a_camera_switched_off_does_not_degrade(data: Path, clock: FakeClock) -> None:
    """What a person switched off is not a fault, and says so."""
    catalog = Catalog.open_existing(data)
    with catalog.write() as conn:
        cameras.change(conn, SecretBox.open(data), 0, 1, {"enabled": False})
    catalog.close()
    found = _ask(data, clock, [])
    assert found["status"] == "ok"
    assert (found["cameras"][0]["state"], "switched off" in found["cameras"][0]["reason"]) == (
        "stopped",
        True,
    )


def test_a_recorder_that_does_not_answer_is_told(data: Path, clock: FakeClock) -> None:
    """Not raised: the rest of the answer is still wanted."""
    found = _ask(data, clock, None)
    assert found["status"] == "degraded"
    assert found["cameras"][0]["state"] == "stopped"
    assert "recorder" in found["cameras"][0]["reason"]


def test_a_role_that_does_not_run_degrades(data: Path, clock: FakeClock) -> None:
    """Cameras may be well while the web role waits for its next start."""
    _say(data, RoleState.WAITING)
    assert _ask(data, clock, [_row(clock)])["status"] == "degraded"


def test_a_clock_that_is_ahead_gives_no_negative_age(data: Path, clock: FakeClock) -> None:
    """A fragment from the future is just new."""
    found = _ask(data, clock, [_row(clock, last_fragment_ms=clock.now_ms() + 5000)])
    assert found["cameras"][0]["last_fragment_age_seconds"] == 0


def test_without_a_supervisor_it_is_stopped(data: Path, clock: FakeClock) -> None:
    """A state file left by a kill is not believed."""
    other = data / "other"
    (other / "run").mkdir(parents=True)
    Catalog.open(other).close()
    _say(other, RoleState.RUNNING)
    found = _ask(other, clock, [_row(clock)])
    assert (found["status"], found["roles"]) == ("stopped", [])


def test_the_address_is_told_when_it_answers_and_once(clock: FakeClock) -> None:
    """Not before; and when it takes too long, that is told, once."""
    said: list[str] = []
    call = ReadyCall("127.0.0.1", 9, clock, lambda: said.append("ready"), lambda: said.append("late"))
    call.tick()
    assert said == []
    clock.advance(LATE_SECONDS + 1)
    call.tick()
    call.tick()
    assert said == ["late"]
    call._answers = lambda: True  # type: ignore[method-assign]
    call.tick()
    call.tick()
    assert said == ["late", "ready"]


def test_roles_are_forked_from_a_clean_process() -> None:
    """What is preloaded has no decoder, array, detector or web code, and no second thread to lose in a
    fork; importing it elsewhere changes nothing."""
    program = (
        "import signal, sys, threading, json; before = signal.getsignal(signal.SIGTERM);"
        "import beholden.run.preload;"
        "print(json.dumps([threading.active_count(), signal.getsignal(signal.SIGTERM) == before,"
        " sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    threads, untouched, modules = json.loads(done.stdout)
    foreign = {"av", "numpy", "cv2", "onnxruntime", "fastapi", "uvicorn", "beholden.analyse", "beholden.web"}
    assert (threads, untouched) == (1, True)
    assert foreign & set(modules) == set()
    assert "beholden.record.role" in modules
