"""INT8 weights: ranges of activations measured on real footage (static quantisation, QDQ)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from beholden.analyse.detect.card import InputCard
from beholden.analyse.detect.detector import Picture
from beholden.analyse.detect.letterbox import letterbox

EVERY = {"bikes.mp4": 12, "vtest.avi": 40, "carphone_pristine.mp4": 60}
# What is worth the rounding: everything that costs time. The heads' sigmoid and reshapes stay fp32.
QUANTISED = ["Conv", "MaxPool", "Concat", "Resize", "Add"]


def frames(footage: Iterable[Path]) -> Iterator[Picture]:
    """Every so many-th picture of each clip."""
    for path in footage:
        with av.open(path) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index % EVERY[path.name] == 0:
                    yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def quantise(source: Path, target: Path, pictures: Iterable[Picture], card: InputCard) -> None:
    """Write the INT8 model of an fp32 one, calibrated on these pictures."""
    with TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            _Reader(pictures, card),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=QUANTISED,
        )


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, pictures: Iterable[Picture], card: InputCard) -> None:
        self._pictures = iter(pictures)
        self._card = card

    def get_next(self) -> dict[str, Any] | None:
        picture = next(self._pictures, None)
        if picture is None:
            return None
        return {self._card.name: letterbox(picture, self._card)[None]}
