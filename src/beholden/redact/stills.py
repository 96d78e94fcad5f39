"""The way every still takes out: by the pass of the door, clear or with people hidden, and masked."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from beholden.access.door import Pass
from beholden.model.access import Action
from beholden.model.time import ms_to_ticks
from beholden.play.footage import Gop, Recording
from beholden.play.still import still_at
from beholden.play.workshop import Workshop
from beholden.redact.still import Polygons, redact_file, redact_recorded

TALLEST = 1080
_MOST_BYTES = 32 * 1024 * 1024
MasksOf = Callable[[int], Polygons]
"""The privacy masks of a camera as they are now. Blocks for the catalog."""

_Key = tuple[str, int, int, bool, Polygons]


class Stills:
    """Makes stills that may be seen, and keeps those made lately. One for a web role.

    ``decoding`` decodes footage; ``hiding`` loads the models that find people, so it has a workshop apart.
    """

    def __init__(self, decoding: Workshop, hiding: Workshop) -> None:
        self._decoding = decoding
        self._hiding = hiding
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()

    async def of_event(self, path: Path, version: str, masks: Polygons, leave: Pass) -> bytes | None:
        """An event's still; None when the file may be shown as it is. ``version`` changes with the file.

        BeholdenError ``event_not_found``, ``not_decodable``, ``busy`` or ``took_too_long``.
        """
        leave.require(leave.camera, Action.STILL)
        if leave.clear and not masks:
            return None
        key = (version, leave.camera, 0, leave.clear, masks)
        made = self._known(key)
        if made is None:
            made = await self._hiding.run(redact_file, str(path), masks, not leave.clear)
            self._keep(key, made)
        return made

    async def at(self, recording: Recording, gop: Gop, at_ms: int, masks: Polygons, leave: Pass) -> bytes:
        """The newest picture at or before an instant; errors as ``of_event``."""
        leave.require(recording.key.camera, Action.STILL)
        if leave.clear and not masks:
            return await still_at(recording, gop, at_ms, self._decoding, leave, tallest=TALLEST)
        key = (recording.name, leave.camera, at_ms, leave.clear, masks)
        made = self._known(key)
        if made is None:
            where = (str(recording.path), recording.media.init, gop.offset, gop.size, ms_to_ticks(at_ms))
            made = await self._hiding.run(redact_recorded, *where, TALLEST, masks, not leave.clear)
            self._keep(key, made)
        return made

    def _known(self, key: _Key) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: _Key, made: bytes) -> None:
        with self._lock:
            self._kept[key] = made
            while sum(map(len, self._kept.values())) > _MOST_BYTES:
                self._kept.popitem(last=False)
