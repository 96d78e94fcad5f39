"""Trying a camera out before trusting it: the seam to ``ingest.probe`` and to the picture decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from beholden.access.door import Pass
from beholden.model.camera import StreamAddress


@dataclass(frozen=True, slots=True)
class Tried:
    """What a trial found, in the fields of ``POST /api/v1/cameras/test``. ``still`` is a JPEG or None."""

    verdict: str  # good | usable | bad
    sentence: str
    next_step: str
    facts: Mapping[str, Any]
    remarks: tuple[tuple[str, str], ...] = ()  # (level, text)
    still: bytes | None = None


class Trial(Protocol):
    """The seam. Fake: ``FakeTrial``."""

    def run(self, address: StreamAddress, leave: Pass) -> Tried:
        """Pull a few seconds from an address. Blocks for some seconds; never raises for a bad camera."""
        ...


class FakeTrial:
    """Answers what tests set, and notes what was asked."""

    def __init__(self, answer: Tried | None = None) -> None:
        self.answer = answer or Tried("good", "This camera can be recorded.", "", {"codec": "h264"})
        self.asked: list[StreamAddress] = []

    def run(self, address: StreamAddress, leave: Pass) -> Tried:
        assert leave.what
        self.asked.append(address)
        return self.answer
