"""The NanoDet family on ONNX Runtime: scores and box-side distributions on a grid of cells per stride.

Decoding after RangiLyu/nanodet: a side's distance is the expectation of a softmax over ``bins`` (Generalized
Focal Loss, Li et al. 2020), times the stride, from the cell's centre ((i + 0.5) * stride).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from beholden.analyse.detect.card import InputCard, ModelCard, OutputCard, read_card, read_weights
from beholden.analyse.detect.detector import DetectorError, Picture
from beholden.analyse.detect.letterbox import fit, letterbox
from beholden.analyse.detect.overlap import suppress
from beholden.analyse.detect.refusal import refuse_names, refused
from beholden.model.errors import BeholdenError
from beholden.model.event import Box, Detection, ObjectClass

DEFAULT_CARD = Path(__file__).parent / "models" / "nanodet_g_256x416_int8.toml"
MINIMUM_SCORE = 0.2  # weaker ones help neither the tracker nor a person
_LABEL_KEYS = ("task", "names", "classes", "labels")
Floats = NDArray[np.float32]


class NanoDet:
    """A NanoDet model, one thread. ``minimum_score`` is the weakest detection it reports."""

    def __init__(self, card_path: Path = DEFAULT_CARD, *, minimum_score: float = MINIMUM_SCORE) -> None:
        """Load the model of a card; BeholdenError when card or weights are missing, changed or refused."""
        self._card = read_card(card_path)
        self._input, self._output = _parts(self._card)
        self._minimum_score = minimum_score
        self._kinds = [ObjectClass(kind) if kind else None for _, kind in self._card.classes]
        self._wanted = np.array([i for i, kind in enumerate(self._kinds) if kind is not None], np.int64)
        self._session = _open(read_weights(card_path, self._card), self._card.name)
        _account_for(self._session, self._card, self._output)
        self._grids = [_centres(self._input, stride) for stride in self._output.strides]
        self.milliseconds = 0.0
        """How long the last picture took, pre- and post-processing included."""

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def shown(self) -> tuple[int, int]:
        return self._input.width, self._input.height

    def detect(self, pictures: Sequence[Picture]) -> list[list[Detection]]:
        return [self._detect_one(picture) for picture in pictures]

    def _detect_one(self, picture: Picture) -> list[Detection]:
        started = time.perf_counter()
        blob = letterbox(picture, self._input)
        names = [*self._output.scores, *self._output.distances]
        try:
            outputs = self._session.run(names, {self._input.name: blob[None]})
        except RuntimeError as error:  # ONNX Runtime's errors are RuntimeErrors
            raise DetectorError(f"{self._card.name}: {error}") from error
        found = self._read(outputs, picture.shape[0], picture.shape[1])
        self.milliseconds = (time.perf_counter() - started) * 1000
        return found

    def _read(self, outputs: Sequence[Floats], height: int, width: int) -> list[Detection]:
        levels = len(self._output.strides)
        boxes, scores, classes = [], [], []
        for level in range(levels):
            found = self._read_level(level, outputs[level][0], outputs[levels + level][0])
            boxes.append(found[0])
            scores.append(found[1])
            classes.append(found[2])
        all_boxes = np.concatenate(boxes) / fit(height, width, self._input)
        all_boxes = np.clip(all_boxes / np.array([width, height] * 2, np.float32), 0, 1)
        all_scores, all_classes = np.concatenate(scores), np.concatenate(classes)
        kept = suppress(all_boxes, all_scores, all_classes, self._output.overlap)
        return [self._detection(all_boxes[i], all_scores[i], all_classes[i]) for i in kept]

    def _read_level(
        self, level: int, scores: Floats, distances: Floats
    ) -> tuple[Floats, Floats, NDArray[np.int64]]:
        cells, columns = np.nonzero(scores[:, self._wanted] > self._minimum_score)
        classes = self._wanted[columns]
        sides = _expectation(distances[cells], self._output.bins) * self._output.strides[level]
        centres = self._grids[level][cells]
        boxes = np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], axis=1)
        return boxes, scores[cells, classes], classes

    def _detection(self, box: Floats, score: np.float32, index: np.int64) -> Detection:
        left, top, right, bottom = (float(side) for side in box)
        kind = self._kinds[int(index)]
        assert kind is not None  # only wanted classes are read
        return Detection(kind, float(score), Box(left, top, right, bottom))


def _parts(card: ModelCard) -> tuple[InputCard, OutputCard]:
    if card.family != "nanodet" or card.input is None or card.output is None:
        raise BeholdenError(
            "model_family_unknown",
            f"The model {card.name} is of the family {card.family!r}, which cannot be run.",
            "Models of the family nanodet can.",
        )
    return card.input, card.output


def _open(weights: bytes, name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    except (RuntimeError, ValueError) as error:
        raise BeholdenError(
            "model_unreadable",
            f"The weights of {name} are not a model ONNX Runtime can load.",
            "Rebuild them with scripts/build-detector, or take the file from a fresh copy.",
        ) from error


def _account_for(session: onnxruntime.InferenceSession, card: ModelCard, output: OutputCard) -> None:
    """Every output must be class scores or box sides, by name and by shape; nothing else may come out."""
    meta = session.get_modelmeta().custom_metadata_map
    labels = [meta[key] for key in _LABEL_KEYS if key in meta]
    outputs = {item.name: item.shape for item in session.get_outputs()}
    refuse_names(card.name, [*outputs, *meta, *labels])
    expected = dict.fromkeys(output.scores, len(card.classes)) | dict.fromkeys(
        output.distances, 4 * output.bins
    )
    for name, shape in outputs.items():
        if expected.get(name) != shape[-1] or len(shape) != 3:
            raise refused(card.name, f"its output {name!r} {shape} is neither class scores nor boxes")
    if missing := expected.keys() - outputs.keys():
        raise BeholdenError(
            "model_card_bad",
            f"The card of {card.name} names outputs the model does not have: {', '.join(sorted(missing))}.",
            "Correct the card.",
        )


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
