"""What recorders and the analyser say of themselves, asked once a second and shared by all requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog

from beholden.bus.aio import AsyncBusClient
from beholden.bus.messages import BusError
from beholden.bus.paths import socket_path

log = structlog.get_logger()

POLL_SECONDS = 1.0
_ANSWER_SECONDS = 2.0

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest answers. Shapes are those of the bus's ``stats`` (docs/design/architecture.md).

    ``streams`` by (camera, "main" | "sub"), ``recorders`` (their ``process``) by shard, ``analysis`` by
    camera, ``alarms`` of all recorders. A role that does not answer is absent.
    """

    streams: Mapping[tuple[int, str], Row] = field(default_factory=dict)
    recorders: Mapping[int, Row] = field(default_factory=dict)
    analysis: Mapping[int, Row] = field(default_factory=dict)
    analyser: Row | None = None
    detector: Row | None = None
    alarms: tuple[Row, ...] = ()


class StatsSource(Protocol):
    """The seam. Fake: ``FakeStats``."""

    def latest(self) -> Snapshot:
        """The newest snapshot; never blocks."""
        ...

    async def run(self) -> None:
        """Keep it new until cancelled."""
        ...


class FakeStats:
    """A snapshot that tests set."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or Snapshot()

    def latest(self) -> Snapshot:
        return self.snapshot

    async def run(self) -> None:
        await asyncio.Event().wait()


class BusStats:
    """Asks every recorder shard and the analyser over the bus. ``shards`` tells which shards there are and
    may block (it is called in a thread)."""

    def __init__(self, data_dir: Path, shards: Callable[[], list[int]]) -> None:
        self._data_dir = data_dir
        self._shards = shards
        self._clients: dict[str, AsyncBusClient] = {}
        self._snapshot = Snapshot()

    def latest(self) -> Snapshot:
        return self._snapshot

    async def run(self) -> None:
        try:
            while True:
                await self.poll()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            await self.close()

    async def close(self) -> None:
        """Give the connections back."""
        for name in list(self._clients):
            await self._drop(name)

    async def poll(self) -> None:
        """One round."""
        shards = await asyncio.to_thread(self._shards)
        names = [*(f"recorder-{shard}" for shard in shards), "analyser"]
        for name in set(self._clients) - set(names):
            await self._drop(name)
        answers = dict(zip(names, await asyncio.gather(*(self._ask(name) for name in names)), strict=True))
        self._snapshot = combine(answers)

    async def _ask(self, name: str) -> Row | None:
        try:
            client = self._clients.get(name)
            if client is None:
                client = AsyncBusClient(socket_path(self._data_dir, name))
                await client.connect(_ANSWER_SECONDS)
                self._clients[name] = client
            return await client.request({"op": "stats"}, _ANSWER_SECONDS)
        except BusError as error:
            if name in self._clients:
                log.warning("role does not answer", role=name, cause=str(error))
            await self._drop(name)
            return None

    async def _drop(self, name: str) -> None:
        client = self._clients.pop(name, None)
        if client is not None:
            await client.close()


def combine(answers: Mapping[str, Row | None]) -> Snapshot:
    """One snapshot of the answers, by socket name (``recorder-0``, ``analyser``)."""
    streams: dict[tuple[int, str], Row] = {}
    recorders: dict[int, Row] = {}
    alarms: list[Row] = []
    for name, answer in answers.items():
        if answer is None or not name.startswith("recorder-"):
            continue
        recorders[int(name.partition("-")[2])] = answer.get("process") or {}
        alarms += answer.get("alarms") or []
        for row in answer.get("streams") or []:
            streams[int(row["camera"]), str(row["stream"])] = row
    analyser = answers.get("analyser")
    if analyser is None:
        return Snapshot(streams, recorders, alarms=tuple(alarms))
    analysis = {int(row["camera"]): row for row in analyser.get("cameras") or []}
    return Snapshot(
        streams,
        recorders,
        analysis,
        analyser.get("process") or {},
        analyser.get("detector"),
        tuple(alarms),
    )
