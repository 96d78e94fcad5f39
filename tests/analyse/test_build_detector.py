"""The converter that makes the default detector's weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from beholden.analyse.detect.build.convert import convert
from beholden.analyse.detect.build.frozen import read_graph
from beholden.analyse.detect.build.packages import SHA256, BadDownloadError, fetch


def const(name: str, value: np.ndarray) -> dict[str, Any]:
    """A weight's entry and node."""
    return {"name": name, "shape": list(value.shape), "dtype": str(value.dtype), "value": value}


def write_graph(
    folder: Path, nodes: list[dict[str, Any]], weights: list[dict[str, Any]], output: str
) -> Path:
    """A TensorFlow.js model."""
    entries = [{key: item[key] for key in ("name", "shape", "dtype")} for item in weights]
    (folder / "m.bin").write_bytes(b"".join(item["value"].tobytes() for item in weights))
    consts = [{"name": item["name"], "op": "Const"} for item in weights]
    document = {
        "signature": {"outputs": {f"{output}:0": {}}},
        "modelTopology": {"node": consts + nodes},
        "weightsManifest": [{"paths": ["m.bin"], "weights": entries}],
    }
    (folder / "m.json").write_text(json.dumps(document))
    return folder / "m.json"


PLACEHOLDER = {
    "name": "x",
    "op": "Placeholder",
    "attr": {"shape": {"shape": {"dim": [{"size": "1"}, {"size": "3"}, {"size": "8"}, {"size": "8"}]}}},
}


def numbers(*values: int) -> dict[str, Any]:
    """A list attribute."""
    return {"list": {"i": [str(value) for value in values]}}


def run(path: Path, picture: np.ndarray) -> np.ndarray:
    """Convert for the picture's size and run."""
    model = convert(read_graph(path), picture.shape[2], picture.shape[3], ["out"])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": picture})[0])


def test_a_convolution_between_transposes(tmp_path: Path) -> None:
    """NCHW in, NHWC convolution and bias, NCHW out: the numbers are those of the definition, at another
    size than the graph's own too."""
    random = np.random.default_rng(1)
    kernel = random.normal(size=(1, 1, 3, 2)).astype(np.float32)
    bias = random.normal(size=2).astype(np.float32)
    weights = [
        const("to", np.array([0, 2, 3, 1], np.int32)),
        const("k", kernel),
        const("b", bias),
        const("back", np.array([0, 3, 1, 2], np.int32)),
    ]
    convolution = {"strides": numbers(1, 1, 1, 1), "padding": {"s": "VkFMSUQ="}}
    nodes = [
        PLACEHOLDER,
        {"name": "t", "op": "Transpose", "input": ["x", "to"]},
        {"name": "c", "op": "Conv2D", "input": ["t", "k"], "attr": convolution},
        {"name": "a", "op": "AddV2", "input": ["c", "b"]},
        {"name": "r", "op": "LeakyRelu", "input": ["a"], "attr": {"alpha": {"f": 0.1}}},
        {"name": "o", "op": "Transpose", "input": ["r", "back"]},
        {"name": "Identity", "op": "Identity", "input": ["o"]},
    ]
    path = write_graph(tmp_path, nodes, weights, "Identity")
    for size in ((8, 8), (4, 12)):
        picture = random.normal(size=(1, 3, *size)).astype(np.float32)
        linear = np.einsum("bchw,co->bohw", picture, kernel[0, 0]) + bias[None, :, None, None]
        assert np.allclose(run(path, picture), np.where(linear > 0, linear, 0.1 * linear), atol=1e-5)


def test_concat_and_reshape_follow_the_axes(tmp_path: Path) -> None:
    """An axis of a tensor stored in another order is still that axis."""
    weights = [
        const("to", np.array([0, 2, 3, 1], np.int32)),
        const("axis", np.array(3, np.int32)),
        const("shape", np.array([1, 8, 48], np.int32)),
    ]
    nodes = [
        PLACEHOLDER,
        {"name": "t", "op": "Transpose", "input": ["x", "to"]},
        {"name": "c", "op": "ConcatV2", "input": ["t", "t", "axis"]},
        {"name": "s", "op": "Reshape", "input": ["c", "shape"]},
        {"name": "Identity", "op": "Identity", "input": ["s"]},
    ]
    picture = np.arange(192, dtype=np.float32).reshape(1, 3, 8, 8)
    wanted = np.concatenate([picture.transpose(0, 2, 3, 1)] * 2, axis=3).reshape(1, 8, 48)
    found = run(write_graph(tmp_path, nodes, weights, "Identity"), picture)
    assert np.array_equal(found, wanted)


def test_an_unknown_operation_is_named(tmp_path: Path) -> None:
    """Better no model than a wrong one."""
    nodes = [PLACEHOLDER, {"name": "Identity", "op": "Einsum", "input": ["x"]}]
    with pytest.raises(NotImplementedError, match="Einsum"):
        convert(read_graph(write_graph(tmp_path, nodes, [], "Identity")), 8, 8, ["out"])


def test_weights_that_do_not_fit_their_list_are_refused(tmp_path: Path) -> None:
    """A cut or longer weight file is not the model."""
    path = write_graph(tmp_path, [PLACEHOLDER], [const("k", np.zeros(3, np.float32))], "x")
    (tmp_path / "m.bin").write_bytes(b"\0" * 16)
    with pytest.raises(ValueError, match="manifest"):
        read_graph(path)


def test_a_download_that_is_another_file_is_refused(tmp_path: Path) -> None:
    """Every source is checked, also one that lies in the cache already."""
    for name in SHA256:
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(BadDownloadError, match=r"nanodet\.json"):
        fetch(tmp_path)
