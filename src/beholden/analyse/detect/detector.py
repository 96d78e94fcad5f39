"""The seam between pictures and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from beholden.analyse.detect.card import ModelCard
from beholden.model.event import Detection

Picture = NDArray[np.uint8]  # height x width x 3, blue-green-red


class Detector(Protocol):
    """Finds things in pictures. Never who they are: a Detection has no room for it."""

    @property
    def card(self) -> ModelCard:
        """What the model is, where it comes from and how good it was measured to be."""
        ...

    @property
    def shown(self) -> tuple[int, int]:
        """(width, height) of a picture that it sees without shrinking it."""
        ...

    @property
    def backend(self) -> str:
        """What runs it, for people."""
        ...

    def detect(self, pictures: Sequence[Picture]) -> list[list[Detection]]:
        """For each picture its detections, best first. Raises DetectorError when the model fails."""
        ...


class DetectorError(RuntimeError):
    """The model could not be run on these pictures."""
