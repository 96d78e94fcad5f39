"""A detector made of a model card, its weights and an engine: any family whose outputs a head can read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beholden.analyse.detect.card import FAMILIES, InputCard, ModelCard, OutputCard, read_card, read_weights
from beholden.analyse.detect.detector import DetectorError, Picture
from beholden.analyse.detect.engine import MakeEngine, OnnxEngine, Signature
from beholden.analyse.detect.heads import (
    BoxesHead,
    Candidates,
    GridHead,
    Head,
    LevelsHead,
    QueriesHead,
    fits,
)
from beholden.analyse.detect.letterbox import fit, letterbox
from beholden.analyse.detect.overlap import suppress
from beholden.analyse.detect.refusal import refuse_names, refused
from beholden.model.errors import BeholdenError
from beholden.model.event import Box, Detection, ObjectClass

DEFAULT_CARD = Path(__file__).parent / "models" / "nanodet_g_256x416_int8.toml"
MINIMUM_SCORE = 0.1  # weaker ones help nobody; the tracker has bounds of its own
_LABEL_KEYS = ("task", "names", "classes", "labels")


class Network:
    """A model, one thread. ``minimum_score`` is the weakest detection it reports."""

    def __init__(
        self,
        card_path: Path = DEFAULT_CARD,
        *,
        minimum_score: float = MINIMUM_SCORE,
        make_engine: MakeEngine | None = None,
    ) -> None:
        """Load the model of a card; BeholdenError when card or weights are missing, changed, refused, or
        do not belong together."""
        self._card = read_card(card_path)
        self._input, output = _parts(self._card)
        self._overlap = output.overlap
        self._minimum_score = minimum_score
        self._kinds = [ObjectClass(kind) if kind else None for _, kind in self._card.classes]
        self._wanted = np.array([i for i, kind in enumerate(self._kinds) if kind is not None], np.int64)
        self._head = _head(self._card.family, self._input, output, len(self._kinds))
        weights = read_weights(card_path, self._card)
        checked = OnnxEngine(weights, self._card.name)
        _account_for(checked.signature, self._card, self._input, self._head)
        self._engine = checked if make_engine is None else make_engine(weights, self._card.name)
        self.milliseconds = 0.0
        """How long the last picture took, pre- and post-processing included."""

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def shown(self) -> tuple[int, int]:
        return self._input.width, self._input.height

    @property
    def backend(self) -> str:
        return self._engine.name

    def detect(self, pictures: Sequence[Picture]) -> list[list[Detection]]:
        return [self._detect_one(picture) for picture in pictures]

    def _detect_one(self, picture: Picture) -> list[Detection]:
        started = time.perf_counter()
        outputs = self.infer(letterbox(picture, self._input)[None])
        height, width = picture.shape[:2]
        try:
            found = self._head.read(outputs, self._wanted, self._minimum_score)
            detections = self._placed(found, height, width)
        except (IndexError, ValueError) as error:
            raise DetectorError(f"{self._card.name} answered in an unexpected shape: {error}") from error
        self.milliseconds = (time.perf_counter() - started) * 1000
        return detections

    def infer(self, blob: NDArray[np.float32]) -> list[NDArray[Any]]:
        """The outputs for one prepared input [1, 3, height, width]. DetectorError."""
        feeds: dict[str, NDArray[Any]] = {self._input.name: blob}
        if self._input.sizes:
            feeds[self._input.sizes] = np.array([[self._input.width, self._input.height]], np.int64)
        try:
            return self._engine.run(list(self._head.shapes), feeds)
        except DetectorError as error:
            raise DetectorError(f"{self._card.name}: {error}") from error

    def _placed(self, found: Candidates, height: int, width: int) -> list[Detection]:
        across, down = fit(height, width, self._input)
        size = np.array([width * across, height * down] * 2, np.float32)
        boxes = np.clip(np.nan_to_num(found.boxes) / size, 0, 1).astype(np.float32)
        kept = suppress(boxes, found.scores, found.classes, self._overlap)
        return [self._detection(boxes[i], found.scores[i], found.classes[i]) for i in kept]

    def _detection(self, box: NDArray[np.float32], score: np.float32, index: np.int64) -> Detection:
        left, top, right, bottom = (float(side) for side in box)
        kind = self._kinds[int(index)]
        assert kind is not None  # only wanted classes are read
        return Detection(kind, min(float(score), 1.0), Box(left, top, right, bottom))


def _parts(card: ModelCard) -> tuple[InputCard, OutputCard]:
    if card.family not in FAMILIES or card.input is None or card.output is None:
        raise BeholdenError(
            "model_family_unknown",
            f"The model {card.name} is of the family {card.family!r}, which cannot be run.",
            f"Models of these families can: {', '.join(FAMILIES)}.",
        )
    return card.input, card.output


def _head(family: str, card: InputCard, output: OutputCard, classes: int) -> Head:
    if family == "yolox":
        return GridHead(card, output, classes)
    if family in ("dfine", "deim", "rtdetr"):
        return QueriesHead(card, output, classes)
    return BoxesHead(output, classes) if output.boxes else LevelsHead(card, output, classes)


def _account_for(signature: Signature, card: ModelCard, given: InputCard, head: Head) -> None:
    """Every output must be class scores or boxes, by name and by shape; nothing else may come out."""
    meta = signature.metadata
    labels = [meta[key] for key in _LABEL_KEYS if key in meta]
    refuse_names(card.name, [*signature.outputs, *meta, *labels])
    expected = head.shapes
    for name, shape in signature.outputs.items():
        if name not in expected or not fits(shape, expected[name]):
            raise refused(card.name, f"its output {name!r} {list(shape)} is neither class scores nor boxes")
    if missing := expected.keys() - signature.outputs.keys():
        raise _mismatch(card, f"outputs the model does not have: {', '.join(sorted(missing))}")
    wanted = {given.name, given.sizes} - {""}
    if wanted != set(signature.inputs):
        raise _mismatch(card, f"inputs {sorted(wanted)}, and the model's are {sorted(signature.inputs)}")
    if not fits(signature.inputs[given.name], (1, 3, None, None)):
        raise _mismatch(card, f"an input {given.name} of a shape that is not a picture's")
    height, width = signature.inputs[given.name][2:]
    if any(
        isinstance(got, int) and got != want for got, want in ((height, given.height), (width, given.width))
    ):
        size = f"{given.width}x{given.height}"
        raise _mismatch(card, f"an input of {size} pixels, and the model takes {width}x{height}")


def _mismatch(card: ModelCard, what: str) -> BeholdenError:
    return BeholdenError("model_card_bad", f"The card of {card.name} names {what}.", "Correct the card.")
