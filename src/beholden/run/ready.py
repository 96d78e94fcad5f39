"""Telling a person the address once the web role answers there, and not before."""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Callable
from pathlib import Path

from beholden.model.time import Clock

# Past this, something is wrong and waiting silently is no answer.
LATE_SECONDS = 30.0
ADDRESS_FILE = "address"
_ANSWER_SECONDS = 0.5


def note_address(state_dir: Path, address: str) -> None:
    """Leave the address people use where other commands find it, for as long as the node runs."""
    (state_dir / ADDRESS_FILE).write_text(address, encoding="utf-8")


def forget_address(state_dir: Path) -> None:
    """The node has stopped."""
    with contextlib.suppress(OSError):
        (state_dir / ADDRESS_FILE).unlink()


def noted_address(state_dir: Path) -> str | None:
    """The address of the node that runs on this data directory, when one does."""
    try:
        return (state_dir / ADDRESS_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


class ReadyCall:
    """Asks the web role's ``/healthz`` at each tick until it answers, then calls ``say`` once."""

    def __init__(
        self,
        host: str,
        port: int,
        clock: Clock,
        say: Callable[[], None],
        late: Callable[[], None],
        *,
        tls: bool = False,
    ) -> None:
        self._host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        self._port = port
        self._tls = tls
        self._clock = clock
        self._say = say
        self._late = late
        self._began = clock.monotonic()
        self._done = self._said_late = False

    def tick(self) -> None:
        """Ask once more, unless it has answered."""
        if self._done:
            return
        if self._answers():
            self._done = True
            self._say()
        elif not self._said_late and self._clock.monotonic() - self._began > LATE_SECONDS:
            self._said_late = True
            self._late()

    def _answers(self) -> bool:
        connection = self._connection()
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/healthz")
            return connection.getresponse().status < 500
        return False

    def _connection(self) -> http.client.HTTPConnection:
        if not self._tls:
            return http.client.HTTPConnection(self._host, self._port, timeout=_ANSWER_SECONDS)
        # Our own process on this machine: its certificate is made out to another name.
        context = ssl._create_unverified_context()  # noqa: S323
        return http.client.HTTPSConnection(self._host, self._port, timeout=_ANSWER_SECONDS, context=context)
