"""The supervisor's decisions, over fake processes and a fake clock."""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path

import pytest

from beholden.model.errors import BeholdenError
from beholden.model.time import FakeClock
from beholden.run import roles
from beholden.run.launcher import FakeLauncher
from beholden.run.roles import RoleReport, RoleSpec, RoleState
from beholden.run.supervisor import Supervisor
from beholden.run.watch import LOADING_SECONDS, SILENT_SECONDS


def _pass_time(supervisor: Supervisor, clock: FakeClock, seconds: float) -> None:
    for _ in range(round(seconds / 0.25)):
        clock.advance(0.25)
        supervisor.tick()


def _report(supervisor: Supervisor, name: str) -> RoleReport:
    role, _, shard = name.partition(" ")
    wanted = (role, int(shard) if shard else None)
    return next(report for report in supervisor.reports() if (report.role, report.shard) == wanted)


def test_every_wanted_role_is_started(supervisor: Supervisor, launcher: FakeLauncher) -> None:
    """One process a role, at the first tick."""
    supervisor.tick()
    assert [child.spec.name for child in launcher.started] == ["recorder 0", "web"]


def test_a_role_is_starting_until_it_beats(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock
) -> None:
    """A process that has not beaten is not called running."""
    supervisor.tick()
    launcher.newest("web").beating = False
    _pass_time(supervisor, clock, 1)
    assert _report(supervisor, "web").state is RoleState.STARTING
    assert _report(supervisor, "recorder 0").state is RoleState.RUNNING


def test_a_dead_role_is_started_again_at_once_and_alone(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock
) -> None:
    """The first death costs no wait, and the other role keeps its process."""
    _pass_time(supervisor, clock, 1)
    launcher.newest("recorder 0").die(-9)
    _pass_time(supervisor, clock, 1)
    assert [child.spec.name for child in launcher.started] == ["recorder 0", "web", "recorder 0"]
    report = _report(supervisor, "recorder 0")
    assert (report.state, report.restarts, report.reason) == (RoleState.RUNNING, 1, "was ended by SIGKILL")


def test_a_silent_role_is_ended_and_started_again(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock
) -> None:
    """Five seconds without a beat are enough, four are not."""
    _pass_time(supervisor, clock, 1)
    hung = launcher.newest("web")
    hung.beating = False
    _pass_time(supervisor, clock, SILENT_SECONDS - 1)
    assert not hung.killed
    _pass_time(supervisor, clock, 2)
    assert hung.killed
    assert launcher.newest("web") is not hung
    assert "no sign of life" in _report(supervisor, "web").reason


def test_a_loading_role_has_more_time(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock
) -> None:
    """A process that never beat is still importing; it too is ended in the end."""
    supervisor.tick()
    slow = launcher.newest("web")
    slow.beating = False
    _pass_time(supervisor, clock, LOADING_SECONDS - 2)
    assert not slow.killed
    _pass_time(supervisor, clock, 3)
    assert slow.killed


def test_no_second_process_before_the_first_is_gone(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock
) -> None:
    """A killed process stuck in the kernel still holds its cameras: two would pull each twice."""
    _pass_time(supervisor, clock, 1)
    stuck = launcher.newest("recorder 0")
    stuck.beating = stuck.mortal = False
    _pass_time(supervisor, clock, 30)
    assert stuck.killed
    assert launcher.newest("recorder 0") is stuck
    stuck.die(-9)
    _pass_time(supervisor, clock, 1)
    assert launcher.newest("recorder 0") is not stuck


def test_time_the_supervisor_lost_is_not_silence(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock
) -> None:
    """After a pause of the whole machine nobody is killed for it."""
    _pass_time(supervisor, clock, 1)
    child = launcher.newest("web")
    child.beating = False
    clock.advance(600)
    supervisor.tick()
    _pass_time(supervisor, clock, SILENT_SECONDS - 1)
    assert not child.killed


def test_a_crash_loop_slows_down_and_never_ends(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock
) -> None:
    """Starts come apart up to half a minute, but they come for ever."""
    starts = []
    for _ in range(40):
        while _report_or_none(supervisor) is None or _report(supervisor, "web").pid is None:
            clock.advance(0.25)
            supervisor.tick()
        starts.append(clock.monotonic())
        launcher.newest("web").die(1)
        supervisor.tick()
    pauses = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert pauses[0] <= 0.5
    assert pauses == sorted(pauses)
    assert 30.0 <= pauses[-1] <= 31.0
    assert _report(supervisor, "web").state is RoleState.WAITING


def _report_or_none(supervisor: Supervisor) -> RoleReport | None:
    return next(iter(supervisor.reports()), None)


def test_a_role_that_was_well_restarts_at_once_again(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock
) -> None:
    """A process that lived long has earned a fresh start, however often it died before."""
    for _ in range(6):
        _pass_time(supervisor, clock, 40)
        launcher.newest("web").die(1)
    count = len(launcher.started)
    _pass_time(supervisor, clock, 0.5)
    assert len(launcher.started) == count + 1


def test_a_machine_without_room_for_a_process_is_tried_again(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock
) -> None:
    """Failing to fork is one more death, not the end of the supervisor."""
    launcher.refuse = OSError(11, "Resource temporarily unavailable")
    _pass_time(supervisor, clock, 2)
    assert _report(supervisor, "web").state is RoleState.WAITING
    launcher.refuse = None
    _pass_time(supervisor, clock, 10)
    assert _report(supervisor, "web").state is RoleState.RUNNING


def test_a_new_shard_is_started_and_touches_no_other(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock, wanted: list[RoleSpec]
) -> None:
    """A wish that grows by one starts one."""
    _pass_time(supervisor, clock, 1)
    wanted.append(RoleSpec("recorder", 1, "none:none", ()))
    _pass_time(supervisor, clock, 1.5)
    assert [child.spec.name for child in launcher.started] == ["recorder 0", "web", "recorder 1"]


def test_a_shard_no_longer_wanted_stops_in_good_order(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock, wanted: list[RoleSpec]
) -> None:
    """It is asked, not killed, and leaves the report when gone."""
    wanted.append(RoleSpec("recorder", 1, "none:none", ()))
    _pass_time(supervisor, clock, 1)
    del wanted[-1]
    _pass_time(supervisor, clock, 2)
    gone = launcher.newest("recorder 1")
    assert (gone.asked_to_stop, gone.killed, gone.closed) == (True, False, True)
    assert len(supervisor.reports()) == 2


def test_a_shard_wanted_again_waits_for_its_leaving_process(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock, wanted: list[RoleSpec]
) -> None:
    """Never two processes of one shard, even when the wish changes back at once."""
    spec = RoleSpec("recorder", 1, "none:none", ())
    wanted.append(spec)
    _pass_time(supervisor, clock, 1)
    slow = launcher.newest("recorder 1")
    slow.obedient = False
    wanted.remove(spec)
    _pass_time(supervisor, clock, 1.5)
    wanted.append(spec)
    _pass_time(supervisor, clock, 3)
    assert launcher.newest("recorder 1") is slow
    slow.die(0)
    _pass_time(supervisor, clock, 2)
    assert launcher.newest("recorder 1") is not slow


def test_an_unreadable_catalog_changes_nothing(
    tmp_path: Path, clock: FakeClock, launcher: FakeLauncher, wanted: list[RoleSpec]
) -> None:
    """Roles stay as they are while the wish cannot be read."""
    broken = False

    def ask() -> list[RoleSpec]:
        if broken:
            raise BeholdenError("catalog_unavailable", "locked")
        return list(wanted)

    supervisor = Supervisor(tmp_path, launcher, clock, ask)
    _pass_time(supervisor, clock, 1)
    broken = True
    _pass_time(supervisor, clock, 5)
    assert len(launcher.started) == 2
    assert all(report.state is RoleState.RUNNING for report in supervisor.reports())


def test_stopping_asks_first(supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock) -> None:
    """Who goes when asked is not killed."""
    _pass_time(supervisor, clock, 1)
    supervisor.stop_all()
    assert [(child.asked_to_stop, child.killed) for child in launcher.started] == [(True, False)] * 2


def test_stopping_ends_the_stubborn_after_five_seconds(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock
) -> None:
    """Only the one that did not go, and not before its time."""
    _pass_time(supervisor, clock, 1)
    launcher.newest("web").obedient = False
    before = clock.monotonic()
    supervisor.stop_all()
    assert [child.killed for child in launcher.started] == [False, True]
    assert 5.0 <= clock.monotonic() - before < 6.0


def test_a_stopped_role_is_not_started_again(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock
) -> None:
    """Stopping is final."""
    _pass_time(supervisor, clock, 1)
    supervisor.stop_all()
    assert len(launcher.started) == 2


def test_the_state_file_says_what_is(
    supervisor: Supervisor, launcher: FakeLauncher, clock: FakeClock, tmp_path: Path
) -> None:
    """roles.json holds role, shard, pid, state, start and restarts of each."""
    _pass_time(supervisor, clock, 1)
    rows = json.loads((tmp_path / "roles.json").read_text())["roles"]
    assert [(row["role"], row["shard"], row["pid"], row["state"], row["restarts"]) for row in rows] == [
        ("recorder", 0, 1000, "running", 0),
        ("web", None, 1001, "running", 0),
    ]
    assert rows[0]["started_ms"] is not None


def test_the_state_file_survives_a_full_disk(
    supervisor: Supervisor, clock: FakeClock, tmp_path: Path
) -> None:
    """A file that cannot be written stops nothing."""
    (tmp_path / "roles.json.new").mkdir()
    _pass_time(supervisor, clock, 2)
    assert all(report.state is RoleState.RUNNING for report in supervisor.reports())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"roles": [{}]}', '{"roles": [{"role": 1}]}'])
def test_an_unreadable_state_file_says_nothing(tmp_path: Path, text: str) -> None:
    """A cut or foreign file is no error for who asks how things are."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "roles.json").write_text(text)
    assert roles.read(tmp_path) == []


def test_the_state_file_is_read_as_written(tmp_path: Path) -> None:
    """What write says, read hears."""
    report = RoleReport("recorder", 2, None, RoleState.WAITING, None, 3, "was ended by SIGKILL")
    (tmp_path / "run").mkdir()
    roles.write(tmp_path / "run", [report])
    assert roles.read(tmp_path) == [report]


def test_run_stops_all_roles_even_when_a_tick_fails(supervisor: Supervisor, launcher: FakeLauncher) -> None:
    """Whatever goes wrong in the supervisor, it leaves no role behind."""

    def fail() -> None:
        raise RuntimeError("as told")

    with pytest.raises(RuntimeError):
        supervisor.run(threading.Event(), fail)
    assert all(child.closed for child in launcher.started)
