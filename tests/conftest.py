"""What tests of every room share: drawn clips and virtual cameras."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from beholden.demo.camera import VirtualCamera
from beholden.demo.rtsp_server import RunningCameras, start_virtual_cameras
from beholden.demo.synthetic import synthetic_clip
from beholden.run import health

ClipFactory = Callable[..., Path]
CameraFactory = Callable[..., RunningCameras]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright keeps an event loop running in its worker until the session ends, and no
    other test could run one of its own there."""
    items.sort(key=lambda item: "e2e" in item.path.parts)


@pytest.fixture(scope="session")
def built_libraries(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Where the library of a C file of the source as it is lies, whether or not set-up built one."""
    import hatch_build

    if hatch_build.compiler() is None:
        pytest.skip("there is no C compiler")
    here, root = Path(__file__).parents[1], tmp_path_factory.mktemp("built")
    for source in hatch_build.C_FILES:
        (root / source).parent.mkdir(parents=True)
        (root / source).write_bytes((here / source).read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(hatch_build.OFF, raising=False)
        assert hatch_build.build_libraries(root) == ""
    by_name = {source.name: root / hatch_build.library_of(source) for source in hatch_build.C_FILES}
    return lambda source: by_name[source.name]


@pytest.fixture(scope="session")
def clip_factory(tmp_path_factory: pytest.TempPathFactory) -> ClipFactory:
    """``clip_factory(width=320, height=180, fps=10, seconds=2, codec="h264", gop=0, audio="none").

    Each choice is encoded once per test session; every picture carries its number (``read_frame_number``).
    """
    folder = tmp_path_factory.mktemp("clips")

    def make(**choice: object) -> Path:
        return synthetic_clip(folder, **choice)  # type: ignore[arg-type]

    return make


@pytest.fixture
def camera_factory() -> Iterator[CameraFactory]:
    """``camera_factory([VirtualCamera(...)], user=None, password=None)`` → a server of its own, stopped
    after the test."""
    started: list[RunningCameras] = []

    def start(*arguments: object, **keywords: object) -> RunningCameras:
        started.append(start_virtual_cameras(*arguments, **keywords))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def virtual_cameras(clip_factory: ClipFactory) -> Iterator[RunningCameras]:
    """A running server shared by the session, without a login.

    Cameras: ``gate`` (H.264 320x180 at 10 fps + AAC, sub 160x90 at 5 fps), ``yard`` (H.264 + G.711 µ-law),
    ``hall`` (H.265 + AAC),
    ``dock`` (H.264 + G.711 A-law), ``roof`` (H.264 + Opus), ``lawn`` (H.264, no audio), ``wide`` (H.264
    480x270). Clips are 2 s, GOPs 1 s.
    """
    make = clip_factory
    cameras = [
        VirtualCamera("gate", make(audio="aac"), make(width=160, height=90, fps=5)),
        VirtualCamera("yard", make(audio="pcmu")),
        VirtualCamera("hall", make(codec="h265", audio="aac"), make(width=160, height=90, fps=5)),
        VirtualCamera("dock", make(audio="pcma")),
        VirtualCamera("roof", make(audio="opus")),
        VirtualCamera("lawn", make()),
        VirtualCamera("wide", make(width=480, height=270)),
    ]
    with start_virtual_cameras(cameras) as running:
        yield running


class RunningSystem:
    """`beholden run` in processes of its own, as a person would start it."""

    def __init__(self, data: Path, *words: str) -> None:
        self.data = data
        self.port = free_port()
        self.lines: list[str] = []
        self._errors = data.parent / f"{data.name}.stderr"
        command = [sys.executable, "-m", "beholden", "run", "--data", str(data), "--port", str(self.port)]
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [*command, *words], stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def errors(self) -> str:
        """Its standard error so far."""
        return self._errors.read_text(errors="replace")

    def wait_until_ready(self, seconds: float = 60.0) -> Self:
        """Wait for the line with the address."""
        deadline = time.monotonic() + seconds
        while not any("is running at" in line for line in self.lines):
            assert self.process.poll() is None, f"it ended: {self.errors[-2000:]}"
            assert time.monotonic() < deadline, f"it did not come up: {self.errors[-2000:]}"
            time.sleep(0.05)
        return self

    def sign_in_link(self, seconds: float = 10.0) -> str:
        """The one-time link it printed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.lines:
                if "/sign-in#token=" in line:
                    return line.split()[-1]
            time.sleep(0.05)
        raise AssertionError("no sign-in link was printed")

    def status(self) -> dict[str, Any]:
        """As `beholden status --json`."""
        return health.status(self.data)

    def camera(self, name: str) -> dict[str, Any]:
        """One camera's row of the status."""
        return next(row for row in self.status()["cameras"] if row["name"] == name)

    def role(self, name: str) -> dict[str, Any]:
        """One role's row of the status."""
        return next(row for row in self.status()["roles"] if row["role"] == name)

    def until(self, condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        """Wait for a condition; the machine may be slow, so the limit is generous."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"never happened: {what}\n{self.errors[-3000:]}"
            time.sleep(0.1)

    def processes(self) -> list[int]:
        """Ids of its living processes."""
        found = []
        for process in psutil.process_iter(["status"]):
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if os.getpgid(process.pid) == self.process.pid and process.info["status"] != "zombie":
                    found.append(process.pid)
        return found

    def stop(self) -> int:
        """Stop it as Ctrl-C does; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def end(self) -> None:
        """Leave nothing behind, however it is."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self.lines.append(line.rstrip("\n"))


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


SystemFactory = Callable[..., RunningSystem]


@pytest.fixture(scope="session")
def system_factory() -> Iterator[SystemFactory]:
    """``system_factory(data)`` → `beholden run` on that directory in processes of its own, answering on
    ``.port``; whatever is left of it is ended with the session."""
    started: list[RunningSystem] = []

    def start(data: Path, *words: str) -> RunningSystem:
        started.append(RunningSystem(data, *words))
        return started[-1].wait_until_ready()

    yield start
    for system in started:
        system.end()
