"""Stats over the bus: what answers is there, what does not is absent and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beholden.bus.local import BusServer, Connection, socket_path
from beholden.web.stats import BusStats, Snapshot, combine

RECORDER = {
    "kind": "stats",
    "streams": [
        {"camera": 3, "stream": "main", "state": "live"},
        {"camera": 3, "stream": "sub", "state": "live"},
    ],
    "alarms": [{"code": "x", "message": "m", "next_step": "n"}],
    "process": {"pid": 1},
}
ANALYSER = {
    "kind": "stats",
    "cameras": [{"camera": 3, "mode": "always"}],
    "process": {},
    "detector": {"name": "d"},
}


def test_answers_are_combined() -> None:
    """By camera and stream, by shard; a silent role is absent."""
    seen = combine({"recorder-0": RECORDER, "recorder-1": None, "analyser": ANALYSER})
    assert set(seen.streams) == {(3, "main"), (3, "sub")}
    assert set(seen.recorders) == {0}
    assert seen.analysis[3]["mode"] == "always"
    assert (seen.analyser, seen.detector) == ({}, {"name": "d"})
    assert len(seen.alarms) == 1
    assert combine({"recorder-0": None, "analyser": None}) == Snapshot()


def test_sparse_answers_do_no_harm() -> None:
    """A role that is only starting may have nothing to say."""
    assert combine({"recorder-0": {"kind": "stats"}, "analyser": {"kind": "stats"}}).recorders == {0: {}}


class Serving:
    """A role's socket that answers ``stats``."""

    def __init__(self, directory: Path, name: str, answer: dict[str, Any]) -> None:
        self._server = make_server(socket_path(directory, name), lambda: answer)

    def stop(self) -> None:
        """As when the role dies."""
        self._server.close()


def make_server(path: Path, answer: Callable[[], dict[str, Any]]) -> BusServer:
    """A bus server in this loop."""

    def on_request(connection: Connection, body: dict[str, Any]) -> None:
        connection.send_json(answer())

    return BusServer(path, asyncio.get_running_loop(), on_request=on_request)


async def test_a_role_that_dies_is_absent_and_one_that_comes_back_is_seen(tmp_path: Path) -> None:
    """Without restarting the web role."""
    stats = BusStats(tmp_path, lambda: [0])
    await stats.poll()
    assert stats.latest() == Snapshot()
    serving = Serving(tmp_path, "recorder-0", RECORDER)
    await stats.poll()
    assert (3, "main") in stats.latest().streams
    serving.stop()
    await stats.poll()
    assert stats.latest().recorders == {}
    again = Serving(tmp_path, "recorder-0", RECORDER)
    await stats.poll()
    assert 0 in stats.latest().recorders
    await stats.close()
    again.stop()


async def test_running_polls_until_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And gives its connections back."""
    monkeypatch.setattr("beholden.web.stats.POLL_SECONDS", 0.01)
    serving = Serving(tmp_path, "analyser", ANALYSER)
    stats = BusStats(tmp_path, list)
    task = asyncio.create_task(stats.run())
    async with asyncio.timeout(30):
        while stats.latest().analyser is None:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stats._clients == {}
    serving.stop()
