"""The model card, the weights, and what is refused at load."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from beholden.analyse.detect.card import read_card
from beholden.analyse.detect.network import DEFAULT_CARD, Network
from beholden.analyse.detect.refusal import ModelRefusedError, forbidden
from beholden.model.errors import BeholdenError
from beholden.model.event import ObjectClass

CARD = """
[model]
name = "{name}"
family = "nanodet"
file = "tiny.onnx"
sha256 = "{sha256}"
licence = "none"
source = "tests"
[input]
name = "picture"
height = 32
width = 32
colour = "bgr"
fill = 0
mean = [0.0, 0.0, 0.0]
deviation = [1.0, 1.0, 1.0]
[output]
strides = [32]
scores = ["{scores}"]
distances = ["distances"]
bins = 4
overlap = 0.5
[[classes]]
name = "{label}"
kind = "person"
"""

MakeCard = Callable[..., Path]


def tiny_model(outputs: dict[str, tuple[int, ...]], metadata: dict[str, str]) -> bytes:
    """A model whose outputs are constants of these shapes."""
    nodes, weights, values = [], [], []
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 32, 32])
    for name, shape in outputs.items():
        weights.append(numpy_helper.from_array(np.zeros(shape, np.float32), f"w_{name}"))
        nodes.append(helper.make_node("Identity", [f"w_{name}"], [name]))
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))
    graph = helper.make_graph(nodes, "tiny", [picture], values, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture
def make_card(tmp_path: Path) -> MakeCard:
    """A card and its model; each argument spoils one thing."""

    def make(
        name: str = "tiny",
        label: str = "person",
        scores: str = "scores",
        extra: dict[str, tuple[int, ...]] | None = None,
        metadata: dict[str, str] | None = None,
        sha256: str = "",
    ) -> Path:
        outputs = {scores: (1, 1, 1), "distances": (1, 1, 16)} | (extra or {})
        data = tiny_model(outputs, metadata or {})
        (tmp_path / "tiny.onnx").write_bytes(data)
        digest = sha256 or hashlib.sha256(data).hexdigest()
        path = tmp_path / "tiny.toml"
        path.write_text(CARD.format(name=name, label=label, scores=scores, sha256=digest))
        return path

    return make


def test_a_harmless_model_loads(make_card: MakeCard) -> None:
    """The samples below differ from this one in what is refused, and in nothing else."""
    assert Network(make_card()).detect([np.zeros((32, 32, 3), np.uint8)]) == [[]]


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("woman", "gender"),
        ("gender", "gender"),
        ("child", "age"),
        ("age", "age"),
        ("happy", "emotion"),
        ("ethnicity", "race"),
        ("asian", "race"),
        ("re-id", "who somebody is"),
        ("identity", "who somebody is"),
        ("face embedding", "who somebody is"),
    ],
)
def test_a_class_about_who_is_refused(make_card: MakeCard, label: str, told: str) -> None:
    """A model with such a class does not load, and the reason names class and kind."""
    with pytest.raises(ModelRefusedError) as refusal:
        Network(make_card(label=label))
    assert repr(label) in refusal.value.message
    assert told in refusal.value.message
    assert refusal.value.next_step


@pytest.mark.parametrize("scores", ["embedding", "faceId", "gender_scores", "AgeHead", "emotion:0"])
def test_an_output_named_so_is_refused(make_card: MakeCard, scores: str) -> None:
    """The output's name is enough, whatever its shape."""
    with pytest.raises(ModelRefusedError):
        Network(make_card(scores=scores))


def test_an_output_that_is_neither_scores_nor_boxes_is_refused(make_card: MakeCard) -> None:
    """An embedding under a harmless name has a shape that gives it away."""
    with pytest.raises(ModelRefusedError, match="neither class scores nor boxes"):
        Network(make_card(extra={"out_7": (1, 512)}))


def test_labels_inside_the_weights_are_read(make_card: MakeCard) -> None:
    """Class names many exporters leave in a model's metadata count too."""
    with pytest.raises(ModelRefusedError, match="gender"):
        Network(make_card(metadata={"names": "{0: 'male', 1: 'female'}"}))


def test_changed_weights_are_refused(make_card: MakeCard) -> None:
    """Weights that are not those of the card do not load."""
    with pytest.raises(BeholdenError) as error:
        Network(make_card(sha256="0" * 64))
    assert error.value.code == "model_changed"


def test_missing_weights_are_told_plainly(make_card: MakeCard) -> None:
    """A card without weights names the file."""
    path = make_card()
    (path.parent / "tiny.onnx").unlink()
    with pytest.raises(BeholdenError, match=r"tiny\.onnx") as error:
        Network(path)
    assert error.value.code == "model_missing"


@pytest.mark.parametrize("text", ["", "not toml [", "[model]\nname = 1", "[model]\nfile = 'x'"])
def test_a_bad_card_is_told_plainly(tmp_path: Path, text: str) -> None:
    """A card that is not one gives one sentence, never a traceback."""
    path = tmp_path / "card.toml"
    path.write_text(text)
    with pytest.raises(BeholdenError) as error:
        read_card(path)
    assert error.value.code == "model_card_bad"


def test_the_default_model_is_what_its_card_says() -> None:
    """It loads, knows COCO's 80 classes, and finds nothing in an empty picture."""
    detector = Network()
    assert len(detector.card.classes) == 80
    assert {kind for _, kind in detector.card.classes if kind} == {kind.value for kind in ObjectClass}
    assert detector.card.accuracy
    assert detector.detect([np.zeros((360, 640, 3), np.uint8)]) == [[]]


def test_notices_travel_with_the_weights(tmp_path: Path) -> None:
    """The notice names both licences and gives their texts."""
    notice = (DEFAULT_CARD.parent / "NOTICE.md").read_text()
    for part in (
        "RangiLyu",
        "Apache License",
        "TERMS AND CONDITIONS",
        "MIT License",
        "Vladimir Mandic",
        "3.0.4",
    ):
        assert part in notice
    shutil.copytree(DEFAULT_CARD.parent, tmp_path / "models")
    assert Network(tmp_path / "models" / DEFAULT_CARD.name)


@given(st.text(max_size=30))
def test_any_name_can_be_judged(name: str) -> None:
    """No name is too strange to look at."""
    assert forbidden(name) is None or isinstance(forbidden(name), str)


@pytest.mark.parametrize(
    "name",
    [
        "person",
        "sports ball",
        "garbage",
        "package",
        "manhole",
        "image",
        "Identity_3:0",
        "passage",
        "scores_8",
    ],
)
def test_harmless_names_pass(name: str) -> None:
    """Words that only contain such a word are harmless; TensorFlow's unnamed outputs too."""
    assert forbidden(name) is None
