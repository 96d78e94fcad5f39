"""Models people bring: each family's layouts of outputs are read, and what does not fit is told plainly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from beholden.analyse.detect.detector import DetectorError
from beholden.analyse.detect.engine import FakeEngine, OpenVinoEngine, available
from beholden.analyse.detect.network import Network
from beholden.analyse.detect.refusal import ModelRefusedError
from beholden.model.errors import BeholdenError
from beholden.model.event import Box, ObjectClass

SIDE = 64  # input, pixels; strides 16 and 32 make 16 and 4 cells
CLASSES = ("person", "kite", "car")

MODEL = """
[model]
name = "tiny"
family = "{family}"
file = "tiny.onnx"
sha256 = "{sha256}"
licence = "none"
source = "tests"
[input]
name = "images"
height = 64
width = 64
colour = "rgb"
fill = 114
mean = [0.0, 0.0, 0.0]
deviation = [255.0, 255.0, 255.0]
{given}
[output]
{output}
[[classes]]
name = "person"
kind = "person"
[[classes]]
name = "kite"
[[classes]]
name = "car"
kind = "car"
"""
Outputs = Mapping[str, NDArray[Any]]


def write_model(path: Path, outputs: Outputs, sizes: str = "") -> bytes:
    """A model whose outputs are these constants; a second input when it is named."""
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])]
    if sizes:
        inputs.append(helper.make_tensor_value_info(sizes, TensorProto.INT64, [1, 2]))
    weights = [numpy_helper.from_array(value, f"w_{name}") for name, value in outputs.items()]
    nodes = [helper.make_node("Identity", [f"w_{name}"], [name]) for name in outputs]
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in outputs.items()
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, values, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    data = bytes(model.SerializeToString())
    path.write_bytes(data)
    return data


def card(folder: Path, family: str, outputs: Outputs, output: str, given: str = "", sizes: str = "") -> Path:
    """A card beside its model."""
    data = write_model(folder / "tiny.onnx", outputs, sizes)
    path = folder / "tiny.toml"
    digest = hashlib.sha256(data).hexdigest()
    path.write_text(MODEL.format(family=family, sha256=digest, output=output, given=given))
    return path


def sides(cells: int, bins: int, cell: int, distances: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Side distributions that are sure of whole distances at one cell."""
    logits = np.zeros((1, cells, 4, bins), np.float32)
    for side, distance in enumerate(distances):
        logits[0, cell, side, distance] = 50
    return logits.reshape(1, cells, 4 * bins)


def scored(cells: int, cell: int, index: int, score: float = 0.9) -> NDArray[np.float32]:
    """Scores of one cell and class."""
    scores = np.zeros((1, cells, len(CLASSES)), np.float32)
    scores[0, cell, index] = score
    return scores


def levels(bins: int) -> dict[str, NDArray[np.float32]]:
    """A car around the centre of cell 5 of stride 16: (24, 24), one stride to each side."""
    return {
        "s16": scored(16, 5, 2),
        "s32": scored(4, 0, 1),  # a kite, which nobody wants
        "d16": sides(16, bins, 5, (1, 1, 1, 1)),
        "d32": sides(4, bins, 0, (0, 0, 0, 0)),
    }


LEVELS = (
    'strides = [16, 32]\nscores = ["s16", "s32"]\ndistances = ["d16", "d32"]\nbins = {bins}\noverlap = 0.5'
)
EXPECTED = Box(8 / SIDE, 8 / SIDE, 40 / SIDE, 40 / SIDE)


def joined_levels() -> dict[str, NDArray[np.float32]]:
    """The same in one output, as NanoDet's own exporter writes it."""
    parts = levels(8)
    rows = [np.concatenate([parts[f"s{n}"], parts[f"d{n}"]], axis=2) for n in (16, 32)]
    return {"output": np.concatenate(rows, axis=1)}


def yolox(decoded: bool) -> dict[str, NDArray[np.float32]]:
    """The same car as YOLOX has it: cells of strides 16, then 32."""
    rows = np.zeros((1, 20, 5 + len(CLASSES)), np.float32)
    rows[0, 5, :4] = (24, 24, 32, 32) if decoded else (0.5, 0.5, np.log(2), np.log(2))
    rows[0, 5, 4:] = (0.95, 0, 0, 0.95)
    return {"output": rows}


def dfine() -> dict[str, NDArray[Any]]:
    """The same car as D-FINE and DEIM export it."""
    return {
        "labels": np.array([[2, 1, 0]], np.int64),
        "boxes": np.array([[[8, 8, 40, 40], [0, 0, 5, 5], [0, 0, 9, 9]]], np.float32),
        "scores": np.array([[0.9, 0.9, 0.05]], np.float32),
    }


def raw_queries() -> dict[str, NDArray[Any]]:
    """The same car as logits and centres."""
    logits = np.full((1, 3, len(CLASSES)), -9, np.float32)
    logits[0, 1, 2] = 2.2
    boxes = np.zeros((1, 3, 4), np.float32)
    boxes[0, 1] = (24 / SIDE, 24 / SIDE, 32 / SIDE, 32 / SIDE)
    return {"logits": logits, "pred_boxes": boxes}


def picodet_boxes() -> dict[str, NDArray[Any]]:
    """The same car, decoded in the model."""
    boxes = np.zeros((1, 20, 4), np.float32)
    boxes[0, 5] = (8, 8, 40, 40)
    scores = np.zeros((1, len(CLASSES), 20), np.float32)
    scores[0, 2, 5] = 0.9
    return {"boxes": boxes, "scores": scores}


GRID = 'strides = [16, 32]\njoined = "output"\noverlap = 0.5'
QUERIES = 'labels = "labels"\nboxes = "boxes"\nscores = "scores"'
LAYOUTS = {
    "nanodet levels": ("nanodet", levels(11), LEVELS.format(bins=11), ""),
    "nanodet joined": ("nanodet", joined_levels(), GRID + "\nbins = 8", ""),
    "picodet levels": ("picodet", levels(8), LEVELS.format(bins=8), ""),
    "picodet boxes": ("picodet", picodet_boxes(), 'boxes = "boxes"\nscores = "scores"\noverlap = 0.5', ""),
    "yolox": ("yolox", yolox(False), GRID, ""),
    "yolox decoded": ("yolox", yolox(True), GRID + "\ndecoded = true", ""),
    "dfine": ("dfine", dfine(), QUERIES, "orig_target_sizes"),
    "deim": ("deim", dfine(), QUERIES, "orig_target_sizes"),
    "rtdetr raw": ("rtdetr", raw_queries(), 'boxes = "pred_boxes"\nscores = "logits"', ""),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("engine", available())
def test_each_layout_gives_the_same_car(tmp_path: Path, layout: str, engine: str) -> None:
    """One car in its place, no kite, whichever family and engine."""
    family, outputs, output, sizes = LAYOUTS[layout]
    given = f'sizes = "{sizes}"' if sizes else ""
    network = Network(card(tmp_path, family, outputs, output, given, sizes), make_engine=available()[engine])
    [[found]] = network.detect([np.zeros((SIDE, SIDE, 3), np.uint8)])
    assert found.kind is ObjectClass.CAR
    assert found.score == pytest.approx(0.9, abs=0.01)
    for got, want in zip(
        (found.box.left, found.box.top, found.box.right, found.box.bottom),
        (EXPECTED.left, EXPECTED.top, EXPECTED.right, EXPECTED.bottom),
        strict=True,
    ):
        assert got == pytest.approx(want, abs=0.005)
    assert network.backend.startswith(("ONNX", "OpenVINO"))


def test_a_wide_picture_is_placed_back(tmp_path: Path) -> None:
    """Letterboxed: half the height of the input is filled. Stretched: each axis has its own scale."""
    family, outputs, output, sizes = LAYOUTS["picodet boxes"]
    plain = Network(card(tmp_path, family, outputs, output, "", sizes))
    [[boxed]] = plain.detect([np.zeros((SIDE, SIDE * 2, 3), np.uint8)])
    assert (boxed.box.left, boxed.box.bottom) == (pytest.approx(8 / 64), pytest.approx(1.0))
    stretched = Network(card(tmp_path, family, outputs, output, "stretch = true", sizes))
    [[found]] = stretched.detect([np.zeros((SIDE, SIDE * 2, 3), np.uint8)])
    assert found.box.bottom == pytest.approx(40 / 64)


@pytest.mark.parametrize(
    ("outputs", "output", "code"),
    [
        (levels(11), LEVELS.format(bins=8), "model_refused"),  # sides of another number of bins
        ({"output": np.zeros((1, 20, 512), np.float32)}, GRID + "\nbins = 8", "model_refused"),
        (levels(11), LEVELS.format(bins=11).replace("d32", "d64"), "model_refused"),  # an output unnamed
        (levels(11), LEVELS.format(bins=11).replace("[16, 32]", "[16]"), "model_card_bad"),
        (levels(11), "strides = [16]", "model_card_bad"),
    ],
)
def test_wrong_shapes_and_cards_are_told(tmp_path: Path, outputs: Outputs, output: str, code: str) -> None:
    """A card that does not belong to its model does not load."""
    with pytest.raises(BeholdenError) as error:
        Network(card(tmp_path, "nanodet", outputs, output))
    assert error.value.code == code
    assert error.value.next_step


def test_a_second_output_that_could_tell_who_is_refused(tmp_path: Path) -> None:
    """Beside good boxes, a vector of 256 numbers for each object."""
    outputs = {**dfine(), "features": np.zeros((1, 3, 256), np.float32)}
    with pytest.raises(ModelRefusedError, match="neither class scores nor boxes"):
        Network(card(tmp_path, "dfine", outputs, QUERIES))


def test_a_missing_input_is_told(tmp_path: Path) -> None:
    """A model that wants the picture's size and a card that does not say so."""
    with pytest.raises(BeholdenError, match="inputs") as error:
        Network(card(tmp_path, "dfine", dfine(), QUERIES, "", "orig_target_sizes"))
    assert error.value.code == "model_card_bad"


def test_an_unknown_family_is_told(tmp_path: Path) -> None:
    """With the families that can be run."""
    with pytest.raises(BeholdenError, match="families") as error:
        Network(card(tmp_path, "unknown", dfine(), QUERIES))
    assert error.value.code == "model_family_unknown"
    assert "yolox" in str(error.value)


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x08\x08" + b"\xff" * 100])
def test_a_file_that_is_no_model_is_told(tmp_path: Path, data: bytes) -> None:
    """Whatever the engine says of it, a person reads one sentence."""
    path = card(tmp_path, "dfine", dfine(), QUERIES)
    old = hashlib.sha256((tmp_path / "tiny.onnx").read_bytes()).hexdigest()
    (tmp_path / "tiny.onnx").write_bytes(data)
    path.write_text(path.read_text().replace(old, hashlib.sha256(data).hexdigest()))
    with pytest.raises(BeholdenError) as error:
        Network(path)
    assert error.value.code == "model_unreadable"
    for make in available().values():
        with pytest.raises(BeholdenError, match="not a model"):
            make(data, "tiny")


def test_an_engine_that_fails_is_a_detector_error(tmp_path: Path) -> None:
    """So that the analyser pauses detection instead of ending; answers of a wrong shape too."""
    path = card(tmp_path, "dfine", dfine(), QUERIES)
    network = Network(path, make_engine=lambda *_: FakeEngine({}, broken="told to fail"))
    with pytest.raises(DetectorError, match="told to fail"):
        network.detect([np.zeros((8, 8, 3), np.uint8)])
    odd = {name: np.zeros((1, 2), np.float32) for name in ("labels", "boxes", "scores")} | {
        "scores": np.ones((1, 2), np.float32)
    }
    network = Network(path, make_engine=lambda *_: FakeEngine(odd))
    with pytest.raises(DetectorError, match="unexpected shape"):
        network.detect([np.zeros((8, 8, 3), np.uint8)])


def test_openvino_is_offered_where_it_is_installed() -> None:
    """ONNX Runtime is always there and comes first."""
    names = list(available())
    assert names[0] == "onnxruntime"
    pytest.importorskip("openvino")
    assert available()["openvino"] is OpenVinoEngine
