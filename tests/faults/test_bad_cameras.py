"""Everything a person can enter wrong for a camera, on a running system beside a good one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from beholden.demo.camera import VirtualCamera
from beholden.demo.rtsp_server import RunningCameras, start_virtual_cameras

pytestmark = [pytest.mark.faults, pytest.mark.rtsp]

SECRET = "tr0ub4dor-and-3"
WRONG_SECRET = "n0t-tr0ub4dor-at-all"

# The state each fault must show, and words its reason or next step must have.
EXPECTED = {
    "wrong-port": ("offline", "refused"),
    "wrong-host": ("offline", ""),
    "wrong-path": ("refused", ""),
    "wrong-password": ("refused", "password"),
    "mute-host": ("stalled", ""),
    "web-server": ("unsupported", "RTSP"),
    "old-codec": ("unsupported", ""),
    "silent": ("stalled", ""),
}


@dataclass(frozen=True)
class Place:
    """A running system with a good camera and all the bad ones."""

    system: Any
    urls: dict[str, str]


def _beholden(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "beholden", *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=100)


@pytest.fixture(scope="module")
def guarded(clip_factory: Callable[..., Path]) -> Iterator[RunningCameras]:
    """Virtual cameras behind a login."""
    cameras = [VirtualCamera("gate", clip_factory(audio="aac"))]
    with start_virtual_cameras(cameras, user="cam", password=SECRET) as running:
        yield running


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory,
    system_factory: Callable[..., Any],
    guarded: RunningCameras,
    virtual_cameras: RunningCameras,
    mute_port: int,
    http_port: int,
    closed_port: int,
) -> Place:
    """All cameras added from the command line, the good one first; then the system is started."""
    data = tmp_path_factory.mktemp("bad-cameras") / "data"
    urls = {
        "wrong-port": f"rtsp://127.0.0.1:{closed_port}/main",
        "wrong-host": "rtsp://no-such-camera.invalid/main",
        "wrong-path": virtual_cameras.url("nowhere"),
        "wrong-password": guarded.url("gate"),
        "mute-host": f"rtsp://127.0.0.1:{mute_port}/main",
        "web-server": f"rtsp://127.0.0.1:{http_port}/video.mjpg",
        "old-codec": virtual_cameras.url("gate", unknown_codec=True),
        "silent": virtual_cameras.url("gate", silent=True),
    }
    login = ("--user", "cam", "--password-stdin", "--data", str(data), "--analyse", "off")
    assert _beholden("camera", "add", "good", guarded.url("gate"), *login, stdin=SECRET).returncode == 0
    for name, url in urls.items():
        assert _beholden("camera", "add", name, url, *login, stdin=WRONG_SECRET).returncode == 0
    return Place(system_factory(data), urls)


def _is_well(place: Place) -> bool:
    row = place.system.camera("good")
    age = row["last_fragment_age_seconds"]
    return row["state"] == "live" and age is not None and age < 10 and row["bytes"] > 0


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bad_camera_says_why_and_what_next(place: Place, name: str) -> None:
    """Its own state, one plain sentence and a next step, and the good camera goes on."""
    state, words = EXPECTED[name]
    place.system.until(lambda: place.system.camera(name)["state"] == state, f"{name} is {state}: "
                       f"{place.system.camera(name)}", 90)  # fmt: skip
    row = place.system.camera(name)
    assert row["reason"].endswith(".")
    assert row["next_step"]
    assert words in row["reason"] + row["next_step"]
    assert "Traceback" not in row["reason"]
    assert "Errno" not in row["reason"]
    place.system.until(lambda: _is_well(place), "the good camera records")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_trial_says_why_and_fails(place: Place, name: str) -> None:
    """`camera test` has exit code 1, one sentence for a person and a verdict for a script."""
    words = ("camera", "test", place.urls[name], "--user", "cam", "--password-stdin", "--seconds", "3")
    told = _beholden(*words, stdin=WRONG_SECRET)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("BAD: ")
    assert "Traceback" not in told.stderr
    asked = _beholden(*words, "--json", stdin=WRONG_SECRET)
    assert asked.returncode == 1
    found = json.loads(asked.stdout)
    assert found["verdict"] == "bad"
    assert found["sentence"]
    assert found["next_step"]
    assert WRONG_SECRET not in told.stderr + asked.stdout + asked.stderr


def test_a_trial_of_a_good_camera_succeeds(place: Place, guarded: RunningCameras) -> None:
    """By address, and by name with what the catalog knows."""
    url = guarded.url("gate")
    found = _beholden("camera", "test", url, "--user", "cam", "--password-stdin", "--json", stdin=SECRET)
    assert found.returncode == 0
    answer = json.loads(found.stdout)
    assert answer["verdict"] in ("good", "usable")
    assert (answer["codec"], answer["width"], answer["height"]) == ("h264", 320, 180)
    by_name = _beholden("camera", "test", "good", "--data", str(place.system.data), "--json")
    assert json.loads(by_name.stdout)["verdict"] == answer["verdict"]


def test_passwords_are_nowhere(place: Place) -> None:
    """Not in a process list, a log, a state file or the catalog."""
    place.system.until(lambda: _is_well(place), "the good camera records")
    shown = "".join(
        " ".join(psutil.Process(pid).cmdline()) + " ".join(psutil.Process(pid).environ().values())
        for pid in place.system.processes()
    )
    shown += place.system.errors + "".join(place.system.lines) + json.dumps(place.system.status())
    for secret in (SECRET, WRONG_SECRET):
        assert secret not in shown
        for path in place.system.data.rglob("*"):
            if path.is_file() and path.suffix != ".mp4":
                assert secret.encode() not in path.read_bytes(), path


def test_a_bad_camera_can_be_mended_while_the_system_runs(place: Place, guarded: RunningCameras) -> None:
    """The right password makes it live; nothing is restarted and the good camera is not touched."""
    before = place.system.role("recorder")["pid"]
    connections = guarded.connections
    data = str(place.system.data)
    words = ("camera", "change", "wrong-password", "--password-stdin", "--data", data)
    assert _beholden(*words, stdin=SECRET).returncode == 0
    place.system.until(lambda: place.system.camera("wrong-password")["state"] == "live", "it is live", 90)
    assert place.system.role("recorder")["pid"] == before
    assert guarded.connections <= connections + 3  # the mended one's, and no other's
    assert _is_well(place)
