"""Trying a camera out for real: pull some seconds, and decode one keyframe for the person who asks."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from beholden.access.door import Pass
from beholden.ingest.probe import ProbeResult, probe
from beholden.model.access import Action
from beholden.model.camera import StreamAddress
from beholden.model.errors import BeholdenError
from beholden.play.still import decode_key
from beholden.play.workshop import run_once
from beholden.redact.still import Polygons, redact_jpeg
from beholden.web.trial import Tried

log = structlog.get_logger()

_FACTS = (
    "codec", "width", "height", "fps", "gop_seconds", "kbps", "audio_codec", "transport", "clock_offset_ms",
)  # fmt: skip
_TALLEST = 540  # enough to see that it is the right camera


class CameraTrial:
    """A ``Trial`` over the network. Its picture is footage: it takes the pass of the door."""

    def __init__(
        self,
        pull: Callable[[StreamAddress], ProbeResult] = probe,
        masks_of: Callable[[int], Polygons] = lambda _: (),
    ) -> None:
        self._pull = pull
        self._masks_of = masks_of

    def run(self, address: StreamAddress, leave: Pass) -> Tried:
        leave.require(leave.camera, Action.STILL)
        found = self._pull(address)
        log.info("camera tried", camera=leave.camera, url=address.url, verdict=found.verdict)
        still, remarks = _picture(found, self._masks_of(leave.camera))
        return Tried(
            found.verdict,
            found.sentence,
            found.next_step,
            {name: getattr(found, name) for name in _FACTS},
            (*found.remarks, *remarks),
            still,
        )


def _picture(found: ProbeResult, masks: Polygons) -> tuple[bytes | None, list[tuple[str, str]]]:
    if found.format is None or found.key is None:
        return None, []
    try:
        still = decode_key(found.format, found.key.data(), tallest=_TALLEST)
        return (run_once(redact_jpeg, still, masks, False) if masks else still), []
    except BeholdenError as error:
        # The stream can be recorded as it is; that it cannot be shown is worth a remark, no more.
        return None, [("warning", error.message)]
