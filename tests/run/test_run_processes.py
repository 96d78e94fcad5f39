"""Real processes under a real supervisor: killed, hung, crashing, orphaned, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from beholden import native
from beholden.run import roles
from beholden.run.fake_roles import FILE_NAME
from beholden.run.roles import RoleReport

pytestmark = pytest.mark.faults

PROGRAM = """
import signal, sys, threading
from pathlib import Path
from beholden.model.time import SystemClock
from beholden.run import logs
from beholden.run.launcher import ForkServerLauncher
from beholden.run.roles import RoleSpec
from beholden.run.supervisor import Supervisor

data = Path(sys.argv[1])
logs.configure(data, "supervisor", "json")
specs = []
for word in sys.argv[2:]:
    name, kind = word.split("=")
    fake = RoleSpec(name, None, f"beholden.run.fake_roles:{kind}", (data, name))
    true = RoleSpec(name, 0, "beholden.record.role:run_recorder", (data, 0))
    specs.append(true if kind == "true" else fake)
stop = threading.Event()
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stop.set())
launcher = ForkServerLauncher(data, "json")
Supervisor(data / "run", launcher, SystemClock(), lambda: specs).run(stop)
launcher.close()
"""

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path, reaped: Callable[[subprocess.Popen[bytes]], None]) -> Start:
    """``start("web=good", "recorder=dying")`` → a supervisor of fake roles, ended after the test."""
    (tmp_path / "run").mkdir()

    def begin(*words: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path), *words],
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )
        reaped(process)
        return process

    return begin


def _lines(data: Path) -> list[str]:
    path = data / FILE_NAME
    return path.read_text().splitlines() if path.exists() else []


def _role(data: Path, name: str) -> RoleReport | None:
    return next((report for report in roles.read(data) if report.role == name), None)


def _running_pid(data: Path, name: str) -> int | None:
    report = _role(data, name)
    return report.pid if report is not None and report.state == "running" else None


def _group(leader: int) -> list[int]:
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            if os.getpgid(process.pid) == leader and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.Error):
            continue
    return found


def test_a_killed_role_comes_back_and_the_others_stay(
    tmp_path: Path, start: Start, until: Callable[..., None]
) -> None:
    """kill -9 of one gives it a new process; the other keeps its own."""
    start("web=good", "analyser=good")
    until(lambda: _running_pid(tmp_path, "web") and _running_pid(tmp_path, "analyser"), "both run")
    killed, kept = _running_pid(tmp_path, "web"), _running_pid(tmp_path, "analyser")
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    until(lambda: _running_pid(tmp_path, "web") not in (None, killed), "a new process runs")
    assert _running_pid(tmp_path, "analyser") == kept
    report = _role(tmp_path, "web")
    assert report is not None
    assert (report.restarts, report.reason) == (1, "was ended by SIGKILL")


@pytest.mark.parametrize("how", ["stopped by a signal", "hung in its own code"])
def test_a_hung_role_is_replaced(tmp_path: Path, start: Start, until: Callable[..., None], how: str) -> None:
    """A process that gives no sign of life is ended, whether the kernel or its code holds it."""
    if how == "stopped by a signal":
        start("web=good")
        until(lambda: _running_pid(tmp_path, "web"), "it runs")
        os.kill(_running_pid(tmp_path, "web") or 0, signal.SIGSTOP)
    else:
        start("web=hanging")
    until(lambda: len([line for line in _lines(tmp_path) if "started" in line]) >= 2, "it starts again")
    report = _role(tmp_path, "web")
    assert report is not None
    assert "no sign of life" in report.reason


def test_a_crash_loop_does_not_disturb_the_others(
    tmp_path: Path, start: Start, until: Callable[..., None]
) -> None:
    """One that fails at once is tried again and again while the other keeps its process."""
    start("analyser=dying", "web=good")
    until(lambda: _running_pid(tmp_path, "web"), "web runs")
    kept = _running_pid(tmp_path, "web")
    until(lambda: len([line for line in _lines(tmp_path) if line.startswith("analyser")]) >= 4, "four tries")
    assert _running_pid(tmp_path, "web") == kept
    assert "as told" in (tmp_path / "log" / "analyser.log").read_text()


def test_nothing_outlives_a_killed_supervisor(
    tmp_path: Path, start: Start, until: Callable[..., None]
) -> None:
    """kill -9 of the supervisor ends every role, the hung and the stopped included."""
    process = start("web=good", "analyser=stubborn", "recorder=good")
    until(lambda: all(_running_pid(tmp_path, n) for n in ("web", "analyser", "recorder")), "all run")
    os.kill(_running_pid(tmp_path, "web") or 0, signal.SIGSTOP)
    process.kill()
    process.wait()
    until(lambda: not _group(process.pid), "no process is left")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_stop_lets_roles_finish(
    tmp_path: Path, start: Start, until: Callable[..., None], number: signal.Signals
) -> None:
    """Roles leave by their own door, and no process stays, when asked by name or by Ctrl-C."""
    process = start("web=good", "recorder=good")
    until(lambda: _running_pid(tmp_path, "web") and _running_pid(tmp_path, "recorder"), "both run")
    process.send_signal(number)
    assert process.wait(60) == 0
    assert {line.split()[0] for line in _lines(tmp_path) if "stopped" in line} == {"web", "recorder"}
    assert _group(process.pid) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_is_an_orderly_stop_too(
    tmp_path: Path, start: Start, until: Callable[..., None], number: signal.Signals
) -> None:
    """A terminal and a service manager signal every process; roles still finish what they do."""
    process = start("web=good", "recorder=good")
    until(lambda: _running_pid(tmp_path, "web") and _running_pid(tmp_path, "recorder"), "both run")
    os.killpg(process.pid, number)
    assert process.wait(60) == 0
    assert {line.split()[0] for line in _lines(tmp_path) if "stopped" in line} == {"web", "recorder"}


def test_a_stubborn_role_is_ended_at_the_stop(
    tmp_path: Path, start: Start, until: Callable[..., None]
) -> None:
    """The stop does not wait for ever for one that does not go."""
    process = start("web=stubborn")
    until(lambda: _running_pid(tmp_path, "web"), "it runs")
    process.terminate()
    assert process.wait(60) == 0
    until(lambda: not _group(process.pid), "no process is left")


def test_a_killed_fork_server_is_survived(tmp_path: Path, start: Start, until: Callable[..., None]) -> None:
    """The server that roles are forked from may die too: its roles go with it and come back."""
    process = start("web=good")
    until(lambda: _running_pid(tmp_path, "web"), "it runs")
    old = _running_pid(tmp_path, "web") or 0
    psutil.Process(psutil.Process(old).ppid()).kill()
    until(lambda: _running_pid(tmp_path, "web") not in (None, old), "a new process runs")
    assert process.poll() is None


def test_names_of_processes_say_what_they_are(
    tmp_path: Path, start: Start, until: Callable[..., None]
) -> None:
    """`ps` shows which role a process has, and no more."""
    start("web=good")
    until(lambda: _running_pid(tmp_path, "web"), "it runs")
    assert psutil.Process(_running_pid(tmp_path, "web") or 0).cmdline()[0] == "beholden: web"


@pytest.mark.parametrize("switch", ["", *native.OFF])
def test_a_forked_recorder_reads_with_what_there_is(
    tmp_path: Path, start: Start, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    """Compiled code is what a process by itself would have: forking loses none, and a switch reaches it."""
    for name in native.OFF:
        monkeypatch.delenv(name, raising=False)
    if switch:
        monkeypatch.setenv(switch, "1")
    program = (
        "import json, beholden.record.role; from beholden.ingest.hot_path import hot_path;"
        "print(json.dumps([hot_path().compiled, hot_path().why]))"
    )
    alone = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    compiled, why = json.loads(alone.stdout)
    start("recorder=true")
    path = tmp_path / "log" / "recorder-0.log"
    until(lambda: path.exists() and "cameras are read" in path.read_text(), "it says how it reads")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    (told,) = [line for line in lines if line["event"] == "cameras are read"]
    assert (told["compiled"], told["why"]) == (compiled, why)
    if switch:
        assert (compiled, why) == (False, f"{switch}=1 asks for Python code.")
