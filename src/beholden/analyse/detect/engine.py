"""What runs a model: ONNX Runtime, or OpenVINO where it is installed. One thread each."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from beholden.analyse.detect.detector import DetectorError
from beholden.model.errors import BeholdenError

Floats = NDArray[np.float32]
Feeds = Mapping[str, NDArray[Any]]
Shape = tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """What goes into a model and comes out, by name, and the words its maker left in it."""

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    metadata: Mapping[str, str]


class Engine(Protocol):
    """A loaded model. Fake: ``FakeEngine``."""

    @property
    def name(self) -> str:
        """For people: ``ONNX Runtime, CPU``."""
        ...

    def run(self, outputs: Sequence[str], feeds: Feeds) -> list[NDArray[Any]]:
        """The named outputs. DetectorError when the model cannot be run on this."""
        ...


class OnnxEngine:
    """ONNX Runtime on the CPU."""

    name = "ONNX Runtime, CPU"

    def __init__(self, weights: bytes, model: str) -> None:
        """BeholdenError ``model_unreadable`` when the weights are not a model."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise unreadable(model) from error

    @property
    def signature(self) -> Signature:
        """As the model says it."""
        return Signature(
            {item.name: tuple(item.shape) for item in self._session.get_inputs()},
            {item.name: tuple(item.shape) for item in self._session.get_outputs()},
            dict(self._session.get_modelmeta().custom_metadata_map),
        )

    def run(self, outputs: Sequence[str], feeds: Feeds) -> list[NDArray[Any]]:
        try:
            found: list[NDArray[Any]] = self._session.run(list(outputs), dict(feeds))
        except Exception as error:
            raise DetectorError(str(error)) from error
        return found


class OpenVinoEngine:
    """OpenVINO on the CPU; an extra of the package."""

    name = "OpenVINO, CPU"

    def __init__(self, weights: bytes, model: str) -> None:
        """BeholdenError ``model_unreadable`` when OpenVINO cannot load it."""
        import openvino

        try:
            core = openvino.Core()
            settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
            self._model = core.compile_model(core.read_model(weights), "CPU", settings)
        except RuntimeError as error:
            raise unreadable(model) from error
        self._request = self._model.create_infer_request()
        self._inputs = {name for port in self._model.inputs for name in port.get_names()}

    def run(self, outputs: Sequence[str], feeds: Feeds) -> list[NDArray[Any]]:
        try:
            # An input that nothing depends on is not there any more.
            self._request.infer({name: value for name, value in feeds.items() if name in self._inputs})
            return [np.array(self._request.get_tensor(name).data) for name in outputs]
        except RuntimeError as error:
            raise DetectorError(str(error)) from error


class FakeEngine:
    """Answers with what a test gave it."""

    name = "fake"

    def __init__(self, answers: Mapping[str, NDArray[Any]], broken: str = "") -> None:
        self._answers = answers
        self.broken = broken

    def run(self, outputs: Sequence[str], feeds: Feeds) -> list[NDArray[Any]]:  # noqa: ARG002
        if self.broken:
            raise DetectorError(self.broken)
        return [self._answers[name] for name in outputs]


MakeEngine = Callable[[bytes, str], Engine]


def available() -> dict[str, MakeEngine]:
    """The engines that can be made here, by a short name; ONNX Runtime first, it is always there."""
    found: dict[str, MakeEngine] = {"onnxruntime": OnnxEngine}
    if importlib.util.find_spec("openvino") is not None:
        found["openvino"] = OpenVinoEngine
    return found


def unreadable(model: str) -> BeholdenError:
    """The weights are not a model."""
    return BeholdenError(
        "model_unreadable",
        f"The weights of {model} are not a model that can be loaded.",
        "Rebuild them with scripts/build-detector, or take the file from a fresh copy.",
    )
