"""Virtual cameras that remember what they sent, in a process of their own.

As a program (``python -m benchmarks.sent CLIP COUNT``) it serves ``COUNT`` cameras and obeys lines on
standard input, each answered by one line of JSON: ``hold`` (all stop at a whole picture: the total),
``drop`` (all connections are cut: the seconds until each camera was connected to again), ``sent FILE`` (what
was sent, into a file).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from beholden.demo.camera import Playout, VirtualCamera
from beholden.demo.delivery import SentPicture
from beholden.demo.rtsp_server import VirtualCameras, _Connection
from beholden.model.errors import BeholdenError

_RECONNECT_SECONDS = 20.0


@dataclass(slots=True)
class Session:
    """One client's pull of one camera: when each picture left, epoch ms."""

    at_ms: array[int] = field(default_factory=lambda: array("q"))


class Cameras:
    """The parent's side."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self.urls: list[str] = self._line()["urls"]

    def hold(self) -> int:
        """Stop all cameras at a whole picture; how many pictures they have sent."""
        sent = int(self._ask("hold")["sent"])
        time.sleep(2)  # what is on its way arrives
        return sent

    def drop(self) -> list[float]:
        """Cut all connections; the seconds until each camera was connected to again."""
        return [float(value) for value in self._ask("drop")["reconnected"]]

    def sent(self) -> list[list[Session]]:
        """By camera: its sessions, oldest first."""
        file = self._folder / "sent.json"
        self._ask(f"sent {file}")
        with file.open() as text:
            return [[Session(array("q", each)) for each in sessions] for sessions in json.load(text)]

    def _ask(self, words: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BeholdenError("no_cameras", "The virtual cameras could not be started.")
        told: dict[str, Any] = json.loads(line)
        return told


@contextlib.contextmanager
def cameras(clip: Path, count: int, folder: Path) -> Iterator[Cameras]:
    """``count`` cameras that play ``clip``; ended with the block."""
    command = [sys.executable, "-m", "benchmarks.sent", str(clip), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Cameras(process, folder)
        finally:
            process.terminate()


class _Remembering(VirtualCameras):
    """The server, with compact notes of what left and when it was asked."""

    def __init__(self, cameras: list[VirtualCamera]) -> None:
        super().__init__(cameras)
        self.notes: dict[str, dict[str, Session]] = {camera.name: {} for camera in cameras}
        self.connected: list[float] = []

    def record(self, playout: Playout, picture: SentPicture) -> None:
        """As the server, without its longer memory."""
        sessions = self.notes[playout.name]
        session = sessions.get(picture.session)
        if session is None:
            session = sessions[picture.session] = Session()
        session.at_ms.append(picture.at_ms)

    def opened(self, connection: _Connection) -> None:
        super().opened(connection)
        self.connected.append(time.monotonic())

    def total(self) -> int:
        """All pictures sent."""
        return sum(len(each.at_ms) for sessions in self.notes.values() for each in sessions.values())


async def _serve(clip: Path, count: int) -> None:
    made = [VirtualCamera(f"camera-{number + 1}", clip, phase=number / count) for number in range(count)]
    async with _Remembering(made) as server:
        _tell({"urls": [server.url(camera.name) for camera in made]})
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            word, _, rest = line.decode().strip().partition(" ")
            if word == "hold":
                server.hold()
                _tell({"sent": server.total()})
            elif word == "drop":
                _tell({"reconnected": await _drop(server)})
            else:
                notes = [[list(each.at_ms) for each in known.values()] for known in server.notes.values()]
                Path(rest).write_text(json.dumps(notes))
                _tell({})


async def _drop(server: _Remembering) -> list[float]:
    server.connected.clear()
    began = time.monotonic()
    dropped = server.drop_clients()
    while len(server.connected) < dropped and time.monotonic() - began < _RECONNECT_SECONDS:
        await asyncio.sleep(0.05)
    return [at - began for at in server.connected[:dropped]]


def _tell(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
