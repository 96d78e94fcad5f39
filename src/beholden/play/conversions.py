"""Converted pieces of recordings, made on request, shared by who asks for the same, and kept for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path

from beholden.model.access import Action
from beholden.model.errors import BeholdenError
from beholden.play.ability import Rendition
from beholden.play.convert import convert, converted_init
from beholden.play.footage import Recording, read_bytes
from beholden.play.leave import Leave
from beholden.play.workshop import Workshop
from beholden.record.fmp4 import Mp4Error

KEPT_BYTES = 48 * 1024 * 1024
_Key = tuple[str, int, int, str]


class Conversions:
    """Makes and keeps them. Video is converted in worker processes, sound alone (it is light) in a thread."""

    def __init__(self, workshop: Workshop, kept_bytes: int = KEPT_BYTES) -> None:
        self._workshop = workshop
        self._room = kept_bytes
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._under_way: dict[_Key, _Shared] = {}

    async def init(self, recording: Recording, rendition: Rendition) -> bytes:
        """The init segment of what ``piece`` gives. It holds no picture and no sound, so it is no footage."""
        init = recording.media.init
        if rendition.as_recorded:
            return init
        key = (init.hex(), -1, 0, str(rendition))
        return await self._get(key, lambda: self._make(rendition, init_of, init, str(rendition)))

    async def piece(
        self, recording: Recording, first: int, count: int, rendition: Rendition, leave: Leave
    ) -> bytes:
        """Fragments ``first`` to ``first + count`` converted, as one fragment.

        BeholdenError ``not_recorded``, ``not_decodable``, ``busy`` or ``took_too_long``. When everybody who
        asked is cancelled while it waits, it is never begun.
        """
        leave.require(recording.key.camera, Action.PLAYBACK)
        offset, size = recording.fragments_between(first, count)
        key = (str(recording.path), first, count, str(rendition))
        task = (str(recording.path), recording.media.init, offset, size, str(rendition), first + 1)
        return await self._get(key, lambda: self._make(rendition, piece_of, *task))

    async def _make(self, rendition: Rendition, task: Callable[..., bytes], *arguments: object) -> bytes:
        if rendition.video == "copy":
            return await asyncio.to_thread(task, *arguments)
        return await self._workshop.run(task, *arguments)

    async def _get(self, key: _Key, make: Callable[[], Awaitable[bytes]]) -> bytes:
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        shared = self._under_way.get(key)
        if shared is None:
            shared = self._under_way[key] = _Shared(make())
        try:
            made = await shared.wait()
        finally:
            if shared.over:
                self._under_way.pop(key, None)
        self._keep(key, made)
        return made

    def _keep(self, key: _Key, made: bytes) -> None:
        self._kept[key] = made
        total = sum(len(value) for value in self._kept.values())
        while total > self._room and self._kept:
            total -= len(self._kept.popitem(last=False)[1])


class _Shared:
    """One piece of work that several wait for; cancelled when none does any more."""

    def __init__(self, work: Awaitable[bytes]) -> None:
        self._task = asyncio.ensure_future(work)
        self._waiting = 0

    @property
    def over(self) -> bool:
        return self._task.done() or self._waiting == 0

    async def wait(self) -> bytes:
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if self._waiting == 0 and not self._task.done():
                self._task.cancel()


def init_of(init: bytes, rendition: str) -> bytes:
    """``converted_init``, for a worker."""
    return converted_init(init, Rendition.parse(rendition))


def piece_of(path: str, init: bytes, offset: int, size: int, rendition: str, sequence: int) -> bytes:
    """``convert`` of a part of a file, for a worker."""
    try:
        return convert(init, read_bytes(Path(path), offset, size), Rendition.parse(rendition), sequence)
    except Mp4Error as error:
        raise BeholdenError(
            "not_decodable", "This part of the recording is damaged.", "Skip it, or download it."
        ) from error
