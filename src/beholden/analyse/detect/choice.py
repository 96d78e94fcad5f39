"""Which model is run, and by which engine: measured at the first start with it, remembered afterwards."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from beholden.analyse.detect.card import read_card
from beholden.analyse.detect.detector import DetectorError
from beholden.analyse.detect.engine import MakeEngine, available
from beholden.analyse.detect.network import DEFAULT_CARD, Network
from beholden.model.errors import BeholdenError

log = structlog.get_logger()

MODELS = "models"
MEASURED = "detector.json"
_RUNS = 9
_WORTH = 0.9  # another engine must take less than so much of ONNX Runtime's time
# Mean difference that rounding explains: of an output's size, at least 1, or of how much it varies. The steps
# of INT8 move the default model's side distributions by 0.03 to 0.07 of that, and its AP50 by 0.001.
_ALIKE, _ALIKE_SPREAD = 0.02, 0.1


def card_of(data_dir: Path, model: str) -> Path:
    """The card of a model: ``models/NAME.toml`` of the data directory, or for "" the one that came along.
    BeholdenError ``model_not_found``."""
    if not model:
        return DEFAULT_CARD
    card = data_dir / MODELS / f"{model}.toml"
    if "/" in model or model.startswith(".") or not card.exists():
        raise BeholdenError(
            "model_not_found",
            f"There is no model {model!r}.",
            f"Put its card into {data_dir / MODELS}, as {model}.toml.",
        )
    return card


def open_detector(data_dir: Path, model: str, engines: Mapping[str, MakeEngine] | None = None) -> Network:
    """A model on the engine that was measured to be fastest with it on this machine. BeholdenError says
    what is wrong with the model."""
    card = card_of(data_dir, model)
    offered = dict(available() if engines is None else engines)
    key = _circumstances(card, offered)
    chosen = _remembered(data_dir / MEASURED, key)
    if chosen not in offered:
        measured = measure(card, offered)
        chosen = best(measured)
        log.info("detector measured", model=card.stem, milliseconds=measured, chosen=chosen)
        _remember(data_dir / MEASURED, {"key": key, "engine": chosen, "milliseconds": measured})
    return Network(card, make_engine=offered[chosen])


def measure(card: Path, engines: Mapping[str, MakeEngine]) -> dict[str, float]:
    """Milliseconds for one picture by engine, the quickest of some turns taken one after the other; an engine
    that fails or disagrees with the first one is left out."""
    networks: dict[str, Network] = {}
    for name, make in engines.items():
        try:
            networks[name] = Network(card, make_engine=make)
        except BeholdenError:
            if not networks:
                raise
            log.warning("an engine cannot load the model", engine=name)
    width, height = next(iter(networks.values())).shown
    blob = np.random.default_rng(1).normal(0, 1, (1, 3, height, width)).astype(np.float32)
    answers: dict[str, list[Any]] = {}
    times: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(_RUNS):
        for name, network in networks.items():
            started = time.perf_counter()
            try:
                answers[name] = network.infer(blob)
            except DetectorError as error:
                log.warning("an engine cannot run the model", engine=name, cause=str(error))
                continue
            times[name].append((time.perf_counter() - started) * 1000)
    first = next(iter(networks))
    if first not in answers:
        raise BeholdenError(
            "model_fails", f"The model {card.stem} loads but cannot be run.", "Compare its card with it."
        )
    return {
        name: round(min(taken), 2)
        for name, taken in times.items()
        if len(taken) == _RUNS and _agree(answers[first], answers[name])
    }


def best(measured: Mapping[str, float]) -> str:
    """The engine to take: the first one unless another is clearly faster."""
    first = next(iter(measured))
    fastest = min(measured, key=lambda name: measured[name])
    return fastest if measured[fastest] < measured[first] * _WORTH else first


def _agree(one: list[Any], other: list[Any]) -> bool:
    for a, b in zip(one, other, strict=True):
        if a.shape != b.shape:
            return False
        apart = float(np.abs(a.astype(np.float32) - b).mean())
        if not apart <= max(_ALIKE * max(float(np.abs(a).mean()), 1.0), _ALIKE_SPREAD * float(a.std())):
            return False
    return True


def _circumstances(card: Path, engines: Mapping[str, MakeEngine]) -> str:
    """What a measurement depends on, in a few characters: weights, processor, versions."""
    versions = [metadata.version(name) for name in ("onnxruntime", "openvino") if name in engines]
    parts = [read_card(card).sha256, _processor(), *sorted(engines), *versions]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


def _remembered(path: Path, key: str) -> str:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return str(stored["engine"]) if stored["key"] == key else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _remember(path: Path, measured: Mapping[str, Any]) -> None:
    try:
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(measured, indent=1), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        log.warning("the measurement is not kept, and made again at the next start", cause=str(error))
