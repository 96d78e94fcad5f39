"""Reading a TensorFlow.js graph model: ``model.json`` (nodes) and ``.bin`` (weights)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Node:
    """One operation. ``inputs`` are node names, with ``:n`` for an output other than the first."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class FrozenGraph:
    """A graph whose weights are constants. ``constants`` are keyed by node name."""

    nodes: dict[str, Node]
    constants: dict[str, Array]
    outputs: tuple[str, ...]


def read_graph(path: Path) -> FrozenGraph:
    """The graph of a ``model.json`` with its weight files beside it; ValueError for an unknown encoding."""
    document = json.loads(path.read_text())
    nodes = [_node(item) for item in document["modelTopology"]["node"]]
    outputs = sorted(name.removesuffix(":0") for name in document["signature"]["outputs"])
    constants: dict[str, Array] = {}
    for group in document["weightsManifest"]:
        data = b"".join((path.parent / name).read_bytes() for name in group["paths"])
        constants |= _weights(data, group["weights"])
    return FrozenGraph({node.name: node for node in nodes}, constants, tuple(outputs))


def _node(item: dict[str, Any]) -> Node:
    inputs = (name.removesuffix(":0") for name in item.get("input", []) if not name.startswith("^"))
    attributes = {key: _attribute(value) for key, value in item.get("attr", {}).items()}
    return Node(item["name"], item["op"], tuple(inputs), attributes)


def _attribute(value: dict[str, Any]) -> Any:
    if "s" in value:
        return base64.b64decode(value["s"]).decode("latin-1")
    if "i" in value:
        return int(value["i"])
    if "list" in value:
        return [int(number) for number in value["list"].get("i", [])]
    if "shape" in value:
        return [int(side["size"]) for side in value["shape"].get("dim", [])]
    return value.get("f", value.get("b", value.get("type")))


def _weights(data: bytes, entries: list[dict[str, Any]]) -> dict[str, Array]:
    found: dict[str, Array] = {}
    offset = 0
    for entry in entries:
        stored = np.dtype(entry.get("quantization", {}).get("dtype", entry["dtype"])).newbyteorder("<")
        if stored.kind == "u":
            raise ValueError(f"{entry['name']}: weights stored as {stored} are not supported")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        values = np.frombuffer(data, stored, count, offset)
        offset += count * stored.itemsize
        found[entry["name"]] = values.astype(entry["dtype"]).reshape(entry["shape"])
    if offset != len(data):
        raise ValueError(f"the weight file has {len(data)} bytes, its manifest names {offset}")
    return found
