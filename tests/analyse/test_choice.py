"""The engine is measured once, remembered, and measured again when what it depends on has changed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from beholden.analyse.detect.choice import MEASURED, MODELS, best, measure, open_detector
from beholden.analyse.detect.engine import Engine, Feeds, MakeEngine
from beholden.model.errors import BeholdenError

from .test_families import LAYOUTS, card


class Timed:
    """An engine that takes its time and answers the same, or something else."""

    def __init__(self, name: str, seconds: float, answers: Mapping[str, NDArray[Any]]) -> None:
        self.name = name
        self._seconds = seconds
        self._answers = answers

    def run(self, outputs: Sequence[str], feeds: Feeds) -> list[NDArray[Any]]:
        """After a while."""
        time.sleep(self._seconds)
        return [self._answers[name] for name in outputs]


FAMILY, OUTPUTS, OUTPUT, _ = LAYOUTS["picodet boxes"]


def engine(name: str, seconds: float, factor: float = 1.0, apart: float = 0.0) -> MakeEngine:
    """Makes one; ``factor`` spoils its answer, ``apart`` moves it by so many standard deviations."""
    answers = {
        key: (value * factor + apart * value.std()).astype(np.float32) for key, value in OUTPUTS.items()
    }

    def make(_: bytes, __: str) -> Engine:
        return Timed(name, seconds, answers)

    return make


def broken(_: bytes, __: str) -> Engine:
    """Cannot load anything."""
    raise BeholdenError("model_unreadable", "No.")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with a model called mine."""
    (tmp_path / MODELS).mkdir()
    path = card(tmp_path / MODELS, FAMILY, OUTPUTS, OUTPUT)
    shutil.move(path, tmp_path / MODELS / "mine.toml")
    return tmp_path


def test_the_faster_engine_is_taken_and_remembered(data_dir: Path) -> None:
    """Once measured the choice holds, though the other would win now."""
    first = {"onnxruntime": engine("slow", 0.02), "openvino": engine("quick", 0.001)}
    assert open_detector(data_dir, "mine", first).backend == "quick"
    stored = json.loads((data_dir / MEASURED).read_text())
    assert stored["engine"] == "openvino"
    assert stored["milliseconds"]["onnxruntime"] > stored["milliseconds"]["openvino"]
    later = {"onnxruntime": engine("quick now", 0.0), "openvino": engine("slow now", 0.05)}
    assert open_detector(data_dir, "mine", later).backend == "slow now"


def test_other_circumstances_are_measured_again(data_dir: Path) -> None:
    """A choice made of other engines, or a file that is no JSON, does not count."""
    engines = {"onnxruntime": engine("slow", 0.02), "openvino": engine("quick", 0.0)}
    open_detector(data_dir, "mine", engines)
    alone = {"onnxruntime": engine("alone", 0.0)}
    assert open_detector(data_dir, "mine", alone).backend == "alone"
    (data_dir / MEASURED).write_text("not json")
    assert open_detector(data_dir, "mine", engines).backend == "quick"


def test_an_engine_that_answers_otherwise_is_not_taken(data_dir: Path) -> None:
    """However fast it is."""
    path = data_dir / MODELS / "mine.toml"
    measured = measure(path, {"onnxruntime": engine("a", 0.01), "openvino": engine("b", 0, factor=3)})
    assert list(measured) == ["onnxruntime"]


def test_an_engine_that_rounds_otherwise_is_taken(data_dir: Path) -> None:
    """Steps of INT8 that fall elsewhere are the same answer: a twentieth of how much the outputs vary."""
    path = data_dir / MODELS / "mine.toml"
    measured = measure(path, {"onnxruntime": engine("a", 0.01), "openvino": engine("b", 0, apart=0.05)})
    assert list(measured) == ["onnxruntime", "openvino"]
    measured = measure(path, {"onnxruntime": engine("a", 0.01), "openvino": engine("b", 0, apart=0.5)})
    assert list(measured) == ["onnxruntime"]


def test_an_engine_that_cannot_load_is_left_out(data_dir: Path) -> None:
    """The other goes on; when the first cannot, the reason is told."""
    path = data_dir / MODELS / "mine.toml"
    assert list(measure(path, {"onnxruntime": engine("a", 0), "openvino": broken})) == ["onnxruntime"]
    with pytest.raises(BeholdenError, match="No"):
        measure(path, {"onnxruntime": broken})


def test_a_little_faster_is_not_worth_it() -> None:
    """ONNX Runtime stays unless another clearly wins."""
    assert best({"onnxruntime": 10.0, "openvino": 9.5}) == "onnxruntime"
    assert best({"onnxruntime": 10.0, "openvino": 8.0}) == "openvino"


@pytest.mark.parametrize("name", ["none", "../mine", ".hidden"])
def test_a_model_that_is_not_there_is_told(data_dir: Path, name: str) -> None:
    """With the place where its card belongs."""
    with pytest.raises(BeholdenError, match="no model") as error:
        open_detector(data_dir, name)
    assert MODELS in error.value.next_step
