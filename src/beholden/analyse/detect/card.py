"""The model card: a TOML file beside the weights that says all a reader and the loader need."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beholden.analyse.detect.refusal import refuse_names
from beholden.model.errors import BeholdenError

FAMILIES = ("nanodet", "picodet", "yolox", "dfine", "deim", "rtdetr")


@dataclass(frozen=True, slots=True)
class InputCard:
    """How a picture becomes the model's input. ``mean`` and ``deviation`` are per channel, 0..255. A
    ``stretch``ed picture fills the input and changes its shape. ``sizes`` names a second input that is told
    the input's width and height, as D-FINE's exports want."""

    name: str
    height: int
    width: int
    colour: str  # "bgr" or "rgb"
    fill: int  # grey value beside the picture, which lies top left
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    stretch: bool = False
    sizes: str = ""


@dataclass(frozen=True, slots=True)
class OutputCard:
    """Which outputs mean what; ``heads.py`` has the shapes. What a family does not use stays empty."""

    strides: tuple[int, ...] = ()
    scores: tuple[str, ...] = ()
    distances: tuple[str, ...] = ()
    joined: str = ""
    boxes: str = ""
    labels: str = ""
    bins: int = 0
    decoded: bool = False  # YOLOX: boxes are pixels already
    overlap: float = 1.0  # boxes of one class that overlap more (IoU) are one


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One measured figure: what was measured, on what, and the value."""

    measure: str
    footage: str
    value: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model in words and numbers. ``classes`` maps the model's own class names, in its order, to
    the names of ``model.event.ObjectClass``; "" drops a class."""

    name: str
    family: str
    licence: str
    source: str
    file: str = ""
    sha256: str = ""
    classes: tuple[tuple[str, str], ...] = ()
    input: InputCard | None = None
    output: OutputCard | None = None
    accuracy: tuple[Accuracy, ...] = ()


def read_card(path: Path) -> ModelCard:
    """Read and check a card. BeholdenError ``model_card_bad`` when it is not one, ``model_refused`` when
    its names say that the model tells who somebody is, or what kind of person."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _bad(path, str(error)) from error
    try:
        card = _card(document)
    except (KeyError, TypeError, ValueError) as error:
        raise _bad(path, f"{type(error).__name__}: {error}") from error
    refuse_names(card.name, [card.name, card.family, *_names(card), *_sections(document)])
    return card


def read_weights(path: Path, card: ModelCard) -> bytes:
    """The weights a card speaks of, which lie in the same folder; BeholdenError when they are missing
    or are not the ones whose SHA-256 the card states."""
    weights = path.parent / card.file
    try:
        data = weights.read_bytes()
    except OSError as error:
        raise BeholdenError(
            "model_missing",
            f"The weights {weights} cannot be read: {error.strerror}.",
            "Put them beside their model card, or install Beholden again.",
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != card.sha256:
        raise BeholdenError(
            "model_changed",
            f"The weights {weights} are not the ones their card describes (SHA-256 {found[:12]}…, "
            f"not {card.sha256[:12]}…).",
            "Restore the file, or correct the card when the change was meant.",
        )
    return data


def _card(document: dict[str, Any]) -> ModelCard:
    model = document["model"]
    return ModelCard(
        name=str(model["name"]),
        family=str(model["family"]),
        licence=str(model["licence"]),
        source=str(model["source"]),
        file=str(model["file"]),
        sha256=str(model["sha256"]),
        classes=tuple((str(item["name"]), str(item.get("kind", ""))) for item in document["classes"]),
        input=_input(document["input"]),
        output=_output(str(model["family"]), document["output"]),
        accuracy=tuple(Accuracy(**item) for item in document.get("accuracy", [])),
    )


def _input(item: dict[str, Any]) -> InputCard:
    if item["colour"] not in ("bgr", "rgb"):
        raise ValueError("input.colour is bgr or rgb")
    return InputCard(
        name=str(item["name"]),
        height=int(item["height"]),
        width=int(item["width"]),
        colour=str(item["colour"]),
        fill=int(item["fill"]),
        mean=_triple(item["mean"]),
        deviation=_triple(item["deviation"]),
        stretch=bool(item.get("stretch", False)),
        sizes=str(item.get("sizes", "")),
    )


def _output(family: str, item: dict[str, Any]) -> OutputCard:
    card = OutputCard(
        strides=tuple(int(stride) for stride in item.get("strides", ())),
        scores=_listed(item.get("scores", ())),
        distances=_listed(item.get("distances", ())),
        joined=str(item.get("joined", "")),
        boxes=str(item.get("boxes", "")),
        labels=str(item.get("labels", "")),
        bins=int(item.get("bins", 0)),
        decoded=bool(item.get("decoded", False)),
        overlap=float(item.get("overlap", 1.0)),
    )
    if family in FAMILIES and (missing := _incomplete(family, card)):
        raise ValueError(missing)
    return card


def _incomplete(family: str, card: OutputCard) -> str:
    """What a family's outputs lack; empty when they are complete."""
    if family == "yolox":
        return "" if card.joined and card.strides else "yolox needs output.joined and output.strides"
    if card.boxes:
        return "" if len(card.scores) == 1 else "output.boxes needs exactly one output.scores"
    if family in ("dfine", "deim", "rtdetr"):
        return f"{family} needs output.boxes and output.scores"
    if not card.strides or card.bins < 2:
        return f"{family} needs output.strides and output.bins"
    if card.joined or len(card.strides) == len(card.scores) == len(card.distances):
        return ""
    return "output.strides, scores and distances have one entry per stride"


def _listed(names: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(str(name) for name in names)


def _triple(values: list[float]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _names(card: ModelCard) -> list[str]:
    names = [name for pair in card.classes for name in pair]
    if card.output is not None:
        output = card.output
        names += [*output.scores, *output.distances, output.joined, output.boxes, output.labels]
    return names


def _sections(document: dict[str, Any]) -> list[str]:
    return [key for name, section in document.items() for key in (name, *_keys(section))]


def _keys(section: object) -> list[str]:
    return list(section) if isinstance(section, dict) else []


def _bad(path: Path, why: str) -> BeholdenError:
    return BeholdenError(
        "model_card_bad",
        f"The model card {path} cannot be used: {why}.",
        "Compare it with the card of the default model in docs/design/analyse.md.",
    )
