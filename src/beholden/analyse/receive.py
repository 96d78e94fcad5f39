"""Reading the recorders' relays: one thread for each shard, connecting again for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

from beholden.analyse.feed import Lost
from beholden.bus.client import Bus
from beholden.bus.messages import BusError, JsonMessage, Message, parse_format, stream_of
from beholden.model.camera import StreamRole
from beholden.model.media import Track

log = structlog.get_logger()

StreamId = tuple[int, StreamRole]
Connect = Callable[[Path], Bus]
_AGAIN_SECONDS = 1.0
_LISTEN_SECONDS = 0.25
_ASK_AGAIN_SECONDS = 2.0


class Receives(Protocol):
    """Takes one track of one stream: its format (None: there is no such track), units, losses."""

    def put(self, item: Any) -> bool:
        """Add what came from the bus; whether there is something to do now."""
        ...


class Receiver:
    """Keeps the feeds of one shard's streams filled. ``want`` may be called from any thread."""

    def __init__(
        self, path: Path, connect: Connect, woken: threading.Event, track: Track = Track.VIDEO
    ) -> None:
        self._path = path
        self._connect = connect
        self._woken = woken  # set whenever a feed has something new
        self._track = track  # the one that is received of each stream
        self._wanted: Mapping[StreamId, Receives] = {}
        self._stopping = threading.Event()
        self._reachable = True
        self._heard: set[StreamId] = set()  # streams that have told their format
        self._thread = threading.Thread(target=self._run, name=f"receive {path.stem}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    def want(self, feeds: Mapping[StreamId, Receives]) -> None:
        """From now on receive these streams, each into its feed."""
        self._wanted = dict(feeds)

    def close(self) -> None:
        """Disconnect and end the thread."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._serve(self._connect(self._path))
            except BusError as error:
                if self._reachable:
                    log.info("recorder not reachable", recorder=self._path.stem, cause=error.message)
                self._reachable = False
            for feed in self._wanted.values():
                feed.put(Lost(stream_ended=True))
            self._woken.set()
            self._stopping.wait(_AGAIN_SECONDS)

    def _serve(self, bus: Bus) -> None:
        self._reachable = True
        self._heard = set()
        asked: dict[StreamId, float] = {}
        known: Mapping[StreamId, Receives] | None = None
        again = 0.0
        try:
            while not self._stopping.is_set():
                if known is not self._wanted or time.monotonic() >= again:
                    known, again = self._wanted, time.monotonic() + _LISTEN_SECONDS
                    self._ask(bus, asked)
                message = bus.receive(_LISTEN_SECONDS)
                if message is not None:
                    self._deliver(message)
        finally:
            bus.close()

    def _ask(self, bus: Bus, asked: dict[StreamId, float]) -> None:
        """Subscribe to what is wanted, and again to what has not answered with a format yet: the recorder
        may learn of a new camera after we do, and asking twice changes nothing."""
        wanted, now = self._wanted, time.monotonic()
        for camera, stream in wanted.keys() - self._heard:
            if now - asked.get((camera, stream), -_ASK_AGAIN_SECONDS) >= _ASK_AGAIN_SECONDS:
                bus.subscribe(camera, stream)
                asked[camera, stream] = now
        for camera, stream in asked.keys() - wanted.keys():
            bus.unsubscribe(camera, stream)
            del asked[camera, stream]
            self._heard.discard((camera, stream))

    def _deliver(self, message: Message) -> None:
        if not isinstance(message, JsonMessage):
            feed = self._wanted.get((message.camera, message.stream))
            if feed is not None and message.unit.track is self._track and feed.put(message.unit):
                self._woken.set()
            return
        if message.kind not in ("format", "dropped"):
            return
        feed = self._wanted.get(stream_of(message.body))
        if feed is None:
            return
        if message.kind == "format":
            self._heard.add(stream_of(message.body))
            tracks = parse_format(message.body)
            feed.put(tracks.video if self._track is Track.VIDEO else tracks.audio)
        else:
            feed.put(Lost(stream_ended=False))
