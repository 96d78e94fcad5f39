"""What the outputs of each family of models mean: from arrays to boxes.

A head names the outputs it needs, says which shape each must have, and reads them. Boxes are in pixels of the
model's input, before any scaling back; classes are the model's own numbers.

* levels (NanoDet, PicoDet): per stride scores [1, cells, classes] and side distributions [1, cells, 4 x bins]
  (Generalized Focal Loss, Li et al. 2020), or both joined in one output [1, all cells, classes + 4 x bins].
* boxes (PicoDet exported with its decoding, without suppression): boxes [1, n, 4], scores [1, classes, n].
* grid (YOLOX): one output [1, n, 5 + classes]; offsets and logarithms of sizes per cell, or decoded.
* queries (D-FINE, DEIM, RT-DETR): labels [1, n], boxes [1, n, 4], scores [1, n]; or raw logits
  [1, n, classes] and boxes [1, n, 4] as centre and size, 0..1. They need no suppression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from beholden.analyse.detect.card import InputCard, OutputCard
from beholden.analyse.detect.engine import Floats, Shape

Classes = NDArray[np.int64]
Arrays = Sequence[NDArray[Any]]


class Candidates(NamedTuple):
    """Boxes [n, 4] left, top, right, bottom; scores [n] 0..1; classes [n]."""

    boxes: Floats
    scores: Floats
    classes: Classes


class Head(Protocol):
    """One layout of outputs."""

    @property
    def shapes(self) -> Mapping[str, tuple[int | None, ...]]:
        """The outputs it reads, in order, with the shape each must have; None is any number."""
        ...

    def read(self, outputs: Arrays, wanted: Classes, least: float) -> Candidates:
        """The candidates of the wanted classes with scores above ``least``."""
        ...


class LevelsHead:
    """Scores and side distributions per stride."""

    def __init__(self, card: InputCard, output: OutputCard, classes: int) -> None:
        self._output = output
        self._classes = classes
        self._centres = [_centres(card, stride) for stride in output.strides]

    @property
    def shapes(self) -> Mapping[str, tuple[int | None, ...]]:
        bins = 4 * self._output.bins
        if self._output.joined:
            return {self._output.joined: (1, None, self._classes + bins)}
        scores = dict.fromkeys(self._output.scores, (1, None, self._classes))
        return {**scores, **dict.fromkeys(self._output.distances, (1, None, bins))}

    def read(self, outputs: Arrays, wanted: Classes, least: float) -> Candidates:
        levels = len(self._output.strides)
        if self._output.joined:
            ends = np.cumsum([len(centres) for centres in self._centres])[:-1]
            parts = np.split(outputs[0][0], ends)
            pairs = [(part[:, : self._classes], part[:, self._classes :]) for part in parts]
        else:
            pairs = [(outputs[i][0], outputs[levels + i][0]) for i in range(levels)]
        found = [self._read(level, *pair, wanted, least) for level, pair in enumerate(pairs)]
        return Candidates(
            np.concatenate([item.boxes for item in found]),
            np.concatenate([item.scores for item in found]),
            np.concatenate([item.classes for item in found]),
        )

    def _read(
        self, level: int, scores: Floats, distances: Floats, wanted: Classes, least: float
    ) -> Candidates:
        cells, columns = np.nonzero(scores[:, wanted] > least)
        classes = wanted[columns]
        sides = _expectation(distances[cells], self._output.bins) * self._output.strides[level]
        centres = self._centres[level][cells]
        boxes = np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], axis=1)
        return Candidates(boxes, scores[cells, classes], classes)


class BoxesHead:
    """Boxes that are boxes already, and scores per class."""

    def __init__(self, output: OutputCard, classes: int) -> None:
        self._output = output
        self._classes = classes

    @property
    def shapes(self) -> Mapping[str, tuple[int | None, ...]]:
        return {self._output.boxes: (1, None, 4), self._output.scores[0]: (1, self._classes, None)}

    def read(self, outputs: Arrays, wanted: Classes, least: float) -> Candidates:
        return _above(outputs[0][0], outputs[1][0].T, wanted, least)


class GridHead:
    """YOLOX: offsets from the cell and logarithms of sizes; an object score and one per class."""

    def __init__(self, card: InputCard, output: OutputCard, classes: int) -> None:
        self._output = output
        self._classes = classes
        corners = [_centres(card, stride) / stride - 0.5 for stride in output.strides]
        self._corners = np.concatenate(corners)
        sizes = [
            np.full((len(each), 1), s, np.float32) for each, s in zip(corners, output.strides, strict=True)
        ]
        self._strides = np.concatenate(sizes)

    @property
    def shapes(self) -> Mapping[str, tuple[int | None, ...]]:
        return {self._output.joined: (1, len(self._corners), 5 + self._classes)}

    def read(self, outputs: Arrays, wanted: Classes, least: float) -> Candidates:
        rows = outputs[0][0]
        rows = rows[rows[:, 4] > least] if self._output.decoded else rows
        if self._output.decoded:
            centres, sizes, kept = rows[:, :2], rows[:, 2:4], rows
        else:
            likely = rows[:, 4] > least
            kept = rows[likely]
            centres = (kept[:, :2] + self._corners[likely]) * self._strides[likely]
            sizes = np.exp(np.clip(kept[:, 2:4], -20, 20)) * self._strides[likely]
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
        return _above(boxes, kept[:, 5:] * kept[:, 4:5], wanted, least)


class QueriesHead:
    """D-FINE, DEIM, RT-DETR: one row for each object the model looked for."""

    def __init__(self, card: InputCard, output: OutputCard, classes: int) -> None:
        self._output = output
        self._classes = classes
        self._size = np.array([card.width, card.height] * 2, np.float32)

    @property
    def shapes(self) -> Mapping[str, tuple[int | None, ...]]:
        output = self._output
        if output.labels:
            return {output.labels: (1, None), output.boxes: (1, None, 4), output.scores[0]: (1, None)}
        return {output.scores[0]: (1, None, self._classes), output.boxes: (1, None, 4)}

    def read(self, outputs: Arrays, wanted: Classes, least: float) -> Candidates:
        if self._output.labels:
            labels, boxes, scores = outputs[0][0].astype(np.int64), outputs[1][0], outputs[2][0]
            kept = (scores > least) & np.isin(labels, wanted)
            return Candidates(boxes[kept], scores[kept], labels[kept])
        scores = 1 / (1 + np.exp(-np.clip(outputs[0][0], -30, 30)))
        centres, sizes = outputs[1][0][:, :2], outputs[1][0][:, 2:]
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1) * self._size
        return _above(boxes, scores, wanted, least)


def fits(shape: Shape, expected: tuple[int | None, ...]) -> bool:
    """Whether a model's shape can be the expected one; what the model leaves open may be anything, but a
    number that is expected must be stated."""
    if len(shape) != len(expected):
        return False
    return all(
        want is None or got == want or (want == 1 and not isinstance(got, int))
        for got, want in zip(shape, expected, strict=True)
    )


def _above(boxes: Floats, scores: Floats, wanted: Classes, least: float) -> Candidates:
    rows, columns = np.nonzero(scores[:, wanted] > least)
    classes = wanted[columns]
    return Candidates(boxes[rows], scores[rows, classes], classes)


def _centres(card: InputCard, stride: int) -> Floats:
    rows, columns = -(-card.height // stride), -(-card.width // stride)
    y, x = np.mgrid[:rows, :columns]
    return ((np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) * stride).astype(np.float32)


def _expectation(distances: Floats, bins: int) -> Floats:
    logits = distances.reshape(-1, 4, bins)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    expected: Floats = weights @ np.arange(bins, dtype=np.float32)
    return expected
