"""The demo as a person runs it: a command, a line with a link, Ctrl-C, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from beholden.catalog import Catalog, cameras, users
from beholden.catalog.secrets import SecretBox
from beholden.demo import __main__ as program
from beholden.demo import run, serve
from beholden.model.access import Role
from beholden.model.errors import BeholdenError
from beholden.run import settings

SECONDS = 90


class Demo:
    """A started demo; its output is collected in ``lines`` as it is read."""

    def __init__(self, data: Path, footage: Path, *words: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "beholden.demo", "--data", str(data), "--port", str(self.port)]
        environment = os.environ | {"BEHOLDEN_FOOTAGE": str(footage)}
        self.process = subprocess.Popen(
            [*command, *words], stdout=subprocess.PIPE, text=True, env=environment, cwd=data.parent
        )
        self.data = data
        self.lines: list[str] = []

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line of output that matches."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            found = re.search(pattern, line)
            if found:
                return found
        raise AssertionError(f"no line like {pattern!r} in {self.lines}")

    def family(self) -> set[int]:
        """Pids of every process that works in the directory this demo was started in."""
        return {each.pid for each in psutil.process_iter() if _works_in(each, str(self.data.parent))}

    def stopped(self, number: int) -> int:
        """The exit code after a signal to the demo's own process."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def gone(self) -> bool:
        """Whether nothing is left, given some time."""
        end = time.monotonic() + 20
        while self.family() and time.monotonic() < end:
            time.sleep(0.1)
        return not self.family()


def _works_in(process: psutil.Process, folder: str) -> bool:
    try:
        return process.cwd() == folder
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """``demo(*words)``: started with drawn clips, killed after the test whatever happens."""
    started: list[Demo] = []
    (tmp_path / "no footage").mkdir()

    def start(*words: str) -> Demo:
        started.append(Demo(tmp_path / "data", tmp_path / "no footage", *words))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        assert each.process.stdout is not None
        each.process.stdout.close()
        for pid in each.family():
            os.kill(pid, signal.SIGKILL)


@pytest.mark.rtsp
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_starts_serves_and_leaves_nothing_behind(demo: Callable[..., Demo], number: int) -> None:
    """One line has the address and the one-time link; after Ctrl-C or SIGTERM no process is left."""
    running = demo("--cameras", "1")
    link = running.wait_for(r"http://127\.0\.0\.1:(\d+)/sign-in#token=\S+")
    assert int(link[1]) == running.port
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/healthz", timeout=20) as answer:
        assert answer.status == 200
    assert len(running.family()) >= 4  # the demo, the cameras, the fork server, a role
    assert running.stopped(number) == 0
    assert running.gone()


@pytest.mark.rtsp
@pytest.mark.timeout(300)
def test_a_killed_demo_takes_its_processes_with_it(demo: Callable[..., Demo]) -> None:
    """Even after SIGKILL nothing goes on running; the next start works on the same data."""
    running = demo("--cameras", "1")
    running.wait_for("virtual cameras on port|Beholden is running")
    running.stopped(signal.SIGKILL)
    assert running.gone()
    again = demo("--cameras", "1")
    again.wait_for("Beholden is running")
    assert again.stopped(signal.SIGINT) == 0


def test_a_port_in_use_is_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is prepared or started when the port is taken; the sentence says what to do."""
    monkeypatch.setenv("BEHOLDEN_FOOTAGE", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = ["--data", str(tmp_path / "data"), "--port", str(taken.getsockname()[1])]
        assert program.main(words) == 1
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert "in use" in told
    assert "--port" in told
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--cameras", "0"],
        ["--cameras", "x"],
        ["--nonsense"],
        ["cameras", "--clip", "gate"],
        ["cameras", "--clip", "a=/no"],
    ],
)
def test_wrong_arguments_are_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the usage, for the demo and for its cameras alone."""
    with pytest.raises(SystemExit) as ended:
        program.main(words)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """--help works without starting anything."""
    with pytest.raises(SystemExit) as ended:
        program.main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert all(option in told for option in ("--data", "--port", "--cameras"))


def test_clips_are_named_on_the_command_line(tmp_path: Path) -> None:
    """NAME=MAIN and NAME=MAIN,SUB; anything else says what is wrong with it."""
    main, sub = tmp_path / "main.mp4", tmp_path / "sub.mp4"
    for path in (main, sub):
        path.touch()
    assert serve.parse_clip(f"gate={main}").sub is None
    assert serve.parse_clip(f"gate={main},{sub}").sub == sub
    for text in ("gate", f"={main}", f"gate={main},{sub},{sub}", f"gate={tmp_path / 'none'}"):
        with pytest.raises(ValueError, match=r"not NAME|no such file"):
            serve.parse_clip(text)


def _entry(title: str, port: int) -> dict[str, str]:
    base = f"rtsp://127.0.0.1:{port}/{title.lower()}"
    return {"title": title, "main": f"{base}/main", "sub": f"{base}/sub"}


def test_the_catalog_follows_what_is_served(tmp_path: Path) -> None:
    """Cameras are added once, moved when the port is another, switched off when not served; others are let
    be."""
    chosen = settings.load(data=tmp_path)
    assert run._add_cameras(chosen, [_entry("Forecourt", 1000), _entry("Street", 1000)])
    assert run._used_port(tmp_path) == 1000
    catalog = Catalog.open_existing(tmp_path)
    box = SecretBox.open(tmp_path)
    with catalog.write() as conn:
        cameras.add(conn, box, 1, cameras.NewCamera("Mine", "rtsp://127.0.0.1:9/mine/main"))
        users.add(conn, 1, "admin", Role.ADMIN, "a hash")
    assert not run._add_cameras(chosen, [_entry("Forecourt", 2000)])
    with catalog.read() as conn:
        found = {each.name: (each.main.url, each.enabled) for each in cameras.present(conn, box)}
    catalog.close()
    assert found == {
        "Forecourt": ("rtsp://127.0.0.1:2000/forecourt/main", True),
        "Street": ("rtsp://127.0.0.1:1000/street/main", False),
        "Mine": ("rtsp://127.0.0.1:9/mine/main", True),
    }


def test_nothing_changes_when_nothing_has_changed(tmp_path: Path) -> None:
    """A second start on the same port writes no change into the journal: revisions stay."""
    chosen = settings.load(data=tmp_path)
    for _ in range(2):
        run._add_cameras(chosen, [_entry("Gate", 1000)])
    catalog = Catalog.open_existing(tmp_path)
    with catalog.read() as conn:
        assert [each.rev for each in cameras.present(conn, None)] == [1]
    catalog.close()


def test_who_has_a_password_still_gets_a_link(tmp_path: Path) -> None:
    """The demo gives a one-time link at every start, on the first line and only once."""
    chosen = settings.load(data=tmp_path)
    run._add_cameras(chosen, [])
    catalog = Catalog.open_existing(tmp_path)
    with catalog.write() as conn:
        users.add(conn, 1, "admin", Role.ADMIN, "a hash")
    catalog.close()
    said: list[str] = []
    tell = run._with_link(chosen, said.append)
    tell("Beholden is running at http://127.0.0.1:8484")
    tell("Stopped.")
    assert [line.split("#")[0] for line in said] == [
        "Beholden is running at http://127.0.0.1:8484. Sign in (this link works once, for a day): "
        "http://127.0.0.1:8484/sign-in",
        "Stopped.",
    ]


def test_cameras_that_do_not_start_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the camera process ends at once, the demo says so and starts nothing."""
    monkeypatch.setattr(run.sys, "executable", "/bin/false")
    with pytest.raises(BeholdenError, match="could not be started"), run._camera_process(1, 0):
        pass
