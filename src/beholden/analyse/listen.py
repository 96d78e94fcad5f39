"""Listening to cameras whose setting says so: levels each second, and which of them stand out.

It has its own connection to the recorders and a thread of its own, so that sound cannot hold up seeing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from beholden.analyse.decode import DecodeError
from beholden.analyse.feed import Lost
from beholden.analyse.loudness import SILENT_DB, Loudness, LoudSecond, SoundDecoder
from beholden.analyse.receive import Connect, Receiver, StreamId
from beholden.catalog import Catalog, cameras
from beholden.model.camera import CameraConfig, StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.media import AccessUnit, AudioFormat, Track

log = structlog.get_logger()

_MOST_UNITS = 500  # ten seconds of the smallest frames
_MOST_FAILURES = 25
_IDLE_SECONDS = 0.2


class Hearer(Protocol):
    """Told of each second: what is remembered, and what rules hear."""

    def heard(self, camera: int, at_ms: int, level_db: float) -> None:
        """The loudest moment of the second that begins at ``at_ms``, in dB of full scale."""
        ...


Item = AccessUnit | AudioFormat | Lost | None


class Ear:
    """What waits to be heard of one camera: bounded, the newest wins. Filled by the thread of the bus."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque(maxlen=_MOST_UNITS)
        self._decoder: SoundDecoder | None = None
        self._loudness = Loudness()
        self._failures = 0

    def put(self, item: Item) -> bool:
        """Add what came from the bus; a format of None says that the stream has no sound."""
        self._items.append(item)
        return True

    def seconds(self) -> list[LoudSecond]:
        """Hear everything that waits; DecodeError once when a stream's sound turns out undecodable."""
        found = []
        while self._items:
            item = self._items.popleft()
            if isinstance(item, AccessUnit):
                found += self._hear(item)
            elif isinstance(item, AudioFormat) or item is None:
                self._open(item)
            else:
                self._loudness = Loudness()
        return found

    def _open(self, sound: AudioFormat | None) -> None:
        if self._decoder is not None and self._decoder.sound == sound:
            return
        self._decoder, self._loudness, self._failures = None, Loudness(), 0
        if sound is not None:
            self._decoder = SoundDecoder(sound)

    def _hear(self, unit: AccessUnit) -> list[LoudSecond]:
        if self._decoder is None:
            return []
        try:
            powers = list(self._decoder.powers(unit))
        except DecodeError:
            self._failures += 1
            if self._failures < _MOST_FAILURES:
                return []
            self._decoder = None  # until its format comes again
            raise
        self._failures = 0
        at_ms = unit.pts * 1000 // self._decoder.sound.rate
        found = [self._loudness.hear(at_ms, power) for power in powers]
        return [second for second in found if second is not None]


class Listener:
    """Hears the main stream of every camera that is enabled, analysed and set to ``listen``.

    ``memory`` gets every level; ``rules`` get it when it stands out of what was usual in the last minute, and
    silence otherwise, so that a place that is always loud reports nothing.
    """

    def __init__(
        self, memory: Hearer, rules: Hearer, connect: Connect, recorder_socket: Callable[[int], Path]
    ) -> None:
        self._memory, self._rules = memory, rules
        self._connect, self._recorder_socket = connect, recorder_socket
        self._ears: dict[int, Ear] = {}
        self._receivers: dict[int, Receiver] = {}
        self._fed, self._stopping = threading.Event(), threading.Event()
        self._revision: object = None
        self._thread = threading.Thread(target=self._run, name="listen", daemon=True)
        self._thread.start()

    def follow(self, catalog: Catalog) -> None:
        """Listen to the cameras the catalog says; CatalogError, or BeholdenError when the thread died."""
        if not self._thread.is_alive():
            raise BeholdenError(
                "analyser_stuck", "The analyser stopped listening.", "It is started again by itself."
            )
        with catalog.read() as conn:
            revision = cameras.revision(conn)
            if revision == self._revision:
                return
            configs = cameras.present(conn, None)
        self._revision = revision
        self.configure(configs)

    def configure(self, configs: Sequence[CameraConfig]) -> None:
        """Listen to those of these cameras that are set so, and to no others."""
        wanted = {c.id: c for c in configs if c.enabled and c.listen and c.analyse != "off"}
        self._ears = {camera: self._ears.get(camera) or Ear() for camera in wanted}
        shards: dict[int, dict[StreamId, Ear]] = {}
        for camera, config in wanted.items():
            shards.setdefault(config.shard, {})[camera, StreamRole.MAIN] = self._ears[camera]
        for shard, ears in shards.items():
            if shard not in self._receivers:
                path = self._recorder_socket(shard)
                self._receivers[shard] = Receiver(path, self._connect, self._fed, Track.AUDIO)
            self._receivers[shard].want(ears)
        for shard in self._receivers.keys() - shards.keys():
            self._receivers.pop(shard).close()

    def close(self) -> None:
        """Disconnect, and wait for the threads."""
        for receiver in self._receivers.values():
            receiver.close()
        self._stopping.set()
        self._fed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._fed.wait(_IDLE_SECONDS)
            self._fed.clear()
            for camera, ear in self._ears.items():
                try:
                    seconds = ear.seconds()
                except DecodeError as error:
                    log.warning("sound is not heard", camera=camera, cause=str(error))
                    continue
                for second in seconds:
                    self._tell(camera, second)

    def _tell(self, camera: int, second: LoudSecond) -> None:
        at_ms = second.second * 1000
        self._memory.heard(camera, at_ms, second.level_db)
        self._rules.heard(camera, at_ms, second.level_db if second.stands_out else SILENT_DB)
