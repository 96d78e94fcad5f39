"""How well a detection fits where a track should be: by overlap, and by height above all.

Two who pass each other overlap, but mostly stand at different distances, so the tops and feet of their boxes
lie apart. Boxes are grown before they are compared, since at five pictures a second what runs or is small
leaves its old place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from trackers.utils.iou import BaseIoU, BIoU
from trackers.utils.state_representations import XYXYStateEstimator

Matrix = NDArray[Any]
Boxes = Matrix  # [n, 4] left, top, right, bottom
_GROWN = 0.3  # of the box's size, on each side
_STEADY = 0.3  # of the library's process noise: at five a second, walkers and vehicles hold their course


class Likeness(BaseIoU):
    """Overlap of the grown boxes, times the square of how much their heights share: 0..1."""

    def __init__(self) -> None:
        self._grown = BIoU(buffer_ratio=_GROWN)

    def _compute(self, boxes_1: Boxes, boxes_2: Boxes) -> Boxes:
        top = boxes_1[:, None, 1], boxes_2[None, :, 1]
        bottom = boxes_1[:, None, 3], boxes_2[None, :, 3]
        shared = np.clip(np.minimum(*bottom) - np.maximum(*top), 0, None)
        both = np.maximum(np.maximum(*bottom) - np.minimum(*top), 1e-6)
        fitting: Boxes = self._grown.compute(boxes_1, boxes_2) * (shared / both) ** 2
        return fitting


class SteadyEstimator(XYXYStateEstimator):
    """The library's filter, trusting more in that things go on as they went."""

    def set_kf_covariances(
        self,
        measurement_noise: Matrix | None = None,
        process_noise: Matrix | None = None,
        state_covariance: Matrix | None = None,
    ) -> None:
        """See its base."""
        steady = None if process_noise is None else process_noise * _STEADY
        super().set_kf_covariances(measurement_noise, steady, state_covariance)
