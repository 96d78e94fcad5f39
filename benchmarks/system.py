"""`beholden run` under measurement: started, killed, asked, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from beholden.bus.client import BusClient
from beholden.bus.messages import BusError
from beholden.bus.paths import socket_path
from beholden.model.errors import BeholdenError
from beholden.run import roles


class System:
    """`beholden run` on one directory, started again after a kill."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._log = (data.parent / "system.log").open("ab")
        self.start()

    def start(self) -> None:
        """Start it; the port is any."""
        command = [
            sys.executable,
            "-m",
            "beholden",
            "run",
            "--data",
            str(self.data),
            "--port",
            str(_free_port()),
        ]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log, start_new_session=True)

    def pids(self, role: str) -> dict[int, int]:
        """Shard to process of the roles of that name that run."""
        return {r.shard or 0: r.pid for r in roles.read(self.data) if r.role == role and r.pid}

    def kill(self, victim: str) -> None:
        """kill -9; a killed system is started again at once."""
        if victim == "system":
            self.process.kill()
            self.process.wait()
            self.start()
            return
        for pid in self.pids(victim).values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stats(self) -> list[dict[str, Any]]:
        """What the recorders say; none of those that do not answer."""
        found = []
        for shard in self.pids("recorder"):
            with contextlib.suppress(BusError), BusClient(socket_path(self.data, f"recorder-{shard}")) as bus:
                found.append(bus.request({"op": "stats"}))
        return found

    def stop(self) -> None:
        """End it in good order, or else at once."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._log.close()


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; BeholdenError when it does not come."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise BeholdenError("not_ready", f"It did not happen within a minute: {what}.")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
