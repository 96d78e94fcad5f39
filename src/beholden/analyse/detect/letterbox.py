"""Fitting a picture into a model's input without changing its shape."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from beholden.analyse.detect.card import InputCard
from beholden.analyse.detect.detector import Picture


def fit(height: int, width: int, card: InputCard) -> tuple[float, float]:
    """The factors across and down by which a picture is shrunk or grown to fit."""
    across, down = card.width / width, card.height / height
    return (across, down) if card.stretch else (min(across, down), min(across, down))


def letterbox(picture: Picture, card: InputCard) -> NDArray[np.float32]:
    """The input [3, height, width] of a picture: scaled, top left, the rest filled, normalised."""
    height, width = picture.shape[:2]
    across, down = fit(height, width, card)
    rows, columns = max(1, round(height * down)), max(1, round(width * across))
    shrunk = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_LINEAR)
    planes = cv2.split(shrunk)
    if card.colour == "rgb":
        planes = planes[::-1]
    mean = np.asarray(card.mean, np.float32)
    factor = 1 / np.asarray(card.deviation, np.float32)
    blank = (card.fill - mean) * factor
    blob = np.empty((3, card.height, card.width), np.float32)
    for channel, plane in enumerate(planes):
        inside = blob[channel, :rows, :columns]
        np.subtract(plane, mean[channel], out=inside)
        inside *= factor[channel]
        blob[channel, rows:] = blank[channel]
        blob[channel, :rows, columns:] = blank[channel]
    return blob
