"""A detector for tests: it answers what it was told to, and remembers what it was shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from beholden.analyse.detect.card import ModelCard
from beholden.analyse.detect.detector import DetectorError, Picture
from beholden.model.event import Detection


class FakeDetector:
    """``answer`` gives the detections of one picture; set ``broken`` to make every call fail."""

    def __init__(self, answer: Callable[[Picture], list[Detection]] = lambda _: []) -> None:
        self.answer = answer
        self.broken = False
        self.batches: list[int] = []

    @property
    def card(self) -> ModelCard:
        return ModelCard(name="fake", family="fake", licence="none", source="tests")

    @property
    def shown(self) -> tuple[int, int]:
        return 416, 256

    @property
    def backend(self) -> str:
        return "fake"

    def detect(self, pictures: Sequence[Picture]) -> list[list[Detection]]:
        self.batches.append(len(pictures))
        if self.broken:
            raise DetectorError("told to fail")
        return [self.answer(picture) for picture in pictures]
