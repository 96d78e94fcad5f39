"""From a TensorFlow.js graph to ONNX, for exactly the operations NanoDet-g uses.

The graph was once made from ONNX and is full of transposes around its convolutions. Here a transpose
costs nothing: each tensor remembers in which order its axes are stored (``order[i]`` is the logical
axis stored at place ``i``), and only operations that need another order emit a real transpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from beholden.analyse.detect.build.frozen import Array, FrozenGraph, Node

OPSET = 13
IR_VERSION = 8
CHANNELS_FIRST = (0, 3, 1, 2)  # how a logical NHWC tensor is stored for an ONNX convolution


@dataclass(frozen=True)
class Tensor:
    """An ONNX value and the order in which its logical axes are stored."""

    name: str
    order: tuple[int, ...]

    def place(self, axis: int) -> int:
        """Where a logical axis is stored."""
        return self.order.index(axis % len(self.order))


def convert(graph: FrozenGraph, height: int, width: int, names: Sequence[str]) -> onnx.ModelProto:
    """An fp32 model for ``height`` x ``width`` pictures, whatever square the graph was frozen for.

    ``names`` are the outputs' new names, in the order of ``graph.outputs``. The graph must be fully
    convolutional; NotImplementedError for an operation it does not know.
    """
    return _Converter(graph, height, width).run(names)


class _Converter:
    def __init__(self, graph: FrozenGraph, height: int, width: int) -> None:
        self._graph = graph
        self._size = (height, width)
        self._constants = dict(graph.constants)
        self._tensors: dict[str, Tensor] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._native = 0
        self._inputs: list[onnx.ValueInfoProto] = []
        self._emitters: dict[str, Callable[[Node], None]] = {
            "Placeholder": self._placeholder,
            "Conv2D": self._conv,
            "Add": self._add,
            "AddV2": self._add,
            "LeakyRelu": self._leaky_relu,
            "Sigmoid": self._sigmoid,
            "Identity": self._identity,
            "Transpose": self._transpose,
            "Pad": self._pad,
            "PadV2": self._pad,
            "MaxPool": self._max_pool,
            "ConcatV2": self._concat,
            "ResizeBilinear": self._resize,
            "SplitV": self._split,
            "Reshape": self._reshape,
        }

    def run(self, names: Sequence[str]) -> onnx.ModelProto:
        for node in _in_order(self._graph):
            if node.name in self._constants or self._fold(node):
                continue
            if node.op not in self._emitters:
                raise NotImplementedError(f"{node.op} ({node.name})")
            self._emitters[node.op](node)
        outputs = [self._output(old, new) for old, new in zip(self._graph.outputs, names, strict=True)]
        graph = helper.make_graph(self._nodes, "nanodet", self._inputs, outputs, self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return model

    def _output(self, old: str, new: str) -> onnx.ValueInfoProto:
        tensor = self._logical(self._tensors[old])
        self._emit("Identity", [tensor.name], [new])
        return helper.make_tensor_value_info(new, TensorProto.FLOAT, self._shape(tensor.name))

    def _fold(self, node: Node) -> bool:
        """Shapes and paddings are small sums of constants: compute them now."""
        if not node.inputs or any(name not in self._constants for name in node.inputs):
            return False
        values = [self._constants[name] for name in node.inputs]
        if node.op in ("Add", "AddV2"):
            self._constants[node.name] = values[0] + values[1]
        elif node.op == "SparseToDense":
            self._constants[node.name] = _dense(*values)
        else:
            return False
        return True

    def _placeholder(self, node: Node) -> None:
        batch, channels, self._native, _ = node.attributes["shape"]  # logical NCHW already
        shape = [batch, channels, *self._size]
        self._inputs.append(helper.make_tensor_value_info(node.name, TensorProto.FLOAT, shape))
        self._tensors[node.name] = Tensor(node.name, (0, 1, 2, 3))

    def _conv(self, node: Node) -> None:
        if node.attributes["padding"] != "VALID":
            raise NotImplementedError(f"padding {node.attributes['padding']} ({node.name})")
        picture = self._stored(self._tensors[node.inputs[0]], CHANNELS_FIRST)
        kernel = self._constants[node.inputs[1]].transpose(3, 2, 0, 1)  # HWIO to OIHW
        strides = node.attributes["strides"][1:3]
        dilations = (node.attributes.get("dilations") or [1, 1, 1, 1])[1:3]
        self._emit(
            "Conv",
            [picture.name, self._weight(kernel)],
            [node.name],
            strides=strides,
            dilations=dilations,
            kernel_shape=list(kernel.shape[2:]),
        )
        self._tensors[node.name] = Tensor(node.name, CHANNELS_FIRST)

    def _add(self, node: Node) -> None:
        variable = next(name for name in node.inputs if name in self._tensors)
        order = self._tensors[variable].order
        names = [self._operand(name, order) for name in node.inputs]
        self._emit("Add", names, [node.name])
        self._tensors[node.name] = Tensor(node.name, order)

    def _operand(self, name: str, order: tuple[int, ...]) -> str:
        if name in self._tensors:
            return self._stored(self._tensors[name], order).name
        value = self._constants[name]
        spread = value.reshape((1,) * (len(order) - value.ndim) + value.shape)
        return self._weight(spread.transpose(order))

    def _leaky_relu(self, node: Node) -> None:
        self._elementwise(node, "LeakyRelu", alpha=float(node.attributes["alpha"]))

    def _sigmoid(self, node: Node) -> None:
        self._elementwise(node, "Sigmoid")

    def _elementwise(self, node: Node, op: str, **attributes: Any) -> None:
        source = self._tensors[node.inputs[0]]
        self._emit(op, [source.name], [node.name], **attributes)
        self._tensors[node.name] = Tensor(node.name, source.order)

    def _identity(self, node: Node) -> None:
        self._tensors[node.name] = self._tensors[node.inputs[0]]

    def _transpose(self, node: Node) -> None:
        source = self._tensors[node.inputs[0]]
        permutation = [int(axis) for axis in self._constants[node.inputs[1]]]
        order = tuple(permutation.index(axis) for axis in source.order)
        self._tensors[node.name] = Tensor(source.name, order)

    def _pad(self, node: Node) -> None:
        source = self._tensors[node.inputs[0]]
        pads = self._constants[node.inputs[1]][list(source.order)]
        fill = self._constants[node.inputs[2]] if node.op == "PadV2" else np.float32(0)
        # -inf would spoil the range seen when quantising; the lowest number does the same before a maximum
        value = np.maximum(np.asarray(fill, np.float32), np.float32(-3e38))
        amounts = np.concatenate([pads[:, 0], pads[:, 1]]).astype(np.int64)
        self._emit("Pad", [source.name, self._weight(amounts), self._weight(value)], [node.name])
        self._tensors[node.name] = Tensor(node.name, source.order)

    def _max_pool(self, node: Node) -> None:
        picture = self._stored(self._tensors[node.inputs[0]], CHANNELS_FIRST)
        kernel, strides = node.attributes["ksize"][1:3], node.attributes["strides"][1:3]
        self._emit("MaxPool", [picture.name], [node.name], kernel_shape=kernel, strides=strides)
        self._tensors[node.name] = Tensor(node.name, CHANNELS_FIRST)

    def _concat(self, node: Node) -> None:
        *names, axis = node.inputs
        order = self._tensors[names[0]].order
        parts = [self._stored(self._tensors[name], order) for name in names]
        place = parts[0].place(int(self._constants[axis]))
        self._emit("Concat", [part.name for part in parts], [node.name], axis=place)
        self._tensors[node.name] = Tensor(node.name, order)

    def _resize(self, node: Node) -> None:
        if not node.attributes.get("half_pixel_centers"):
            raise NotImplementedError(f"resize without half pixel centres ({node.name})")
        picture = self._stored(self._tensors[node.inputs[0]], CHANNELS_FIRST)
        native = self._constants[node.inputs[1]].ravel()
        sides = [round(int(n) * size / self._native) for n, size in zip(native, self._size, strict=True)]
        ratios = self._ratio(picture, sides)
        self._emit(
            "Resize",
            [picture.name, "", ratios],
            [node.name],
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
        self._tensors[node.name] = Tensor(node.name, CHANNELS_FIRST)

    def _ratio(self, picture: Tensor, sides: Sequence[int]) -> str:
        have = self._shape(picture.name)
        scales = [1.0, 1.0, sides[0] / have[2], sides[1] / have[3]]
        return self._weight(np.asarray(scales, np.float32))

    def _shape(self, name: str) -> list[int]:
        """The stored shape of a value made so far."""
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        graph = helper.make_graph(self._nodes, "partial", self._inputs, [value], self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        return [side.dim_value for side in inferred.graph.output[0].type.tensor_type.shape.dim]

    def _split(self, node: Node) -> None:
        source = self._tensors[node.inputs[0]]
        sizes = self._constants[node.inputs[1]].astype(np.int64).ravel()
        names = [node.name, *(f"{node.name}:{index}" for index in range(1, len(sizes)))]
        place = source.place(int(self._constants[node.inputs[2]]))
        self._emit("Split", [source.name, self._weight(sizes)], names, axis=place)
        self._tensors |= {name: Tensor(name, source.order) for name in names}

    def _reshape(self, node: Node) -> None:
        source = self._logical(self._tensors[node.inputs[0]])
        shape = self._constants[node.inputs[1]].astype(np.int64).ravel().copy()
        shape[-1] = -1  # the number of cells, which follows from the picture's size
        self._emit("Reshape", [source.name, self._weight(shape)], [node.name])
        self._tensors[node.name] = Tensor(node.name, tuple(range(len(shape))))

    def _logical(self, tensor: Tensor) -> Tensor:
        return self._stored(tensor, tuple(range(len(tensor.order))))

    def _stored(self, tensor: Tensor, order: tuple[int, ...]) -> Tensor:
        if tensor.order == order:
            return tensor
        name = f"{tensor.name}/as_{''.join(map(str, order))}"
        permutation = [tensor.order.index(axis) for axis in order]
        self._emit("Transpose", [tensor.name], [name], perm=permutation)
        return Tensor(name, order)

    def _weight(self, value: Array) -> str:
        name = f"weight_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _emit(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        name = f"{op}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, inputs, outputs, name=name, **attributes))


def _in_order(graph: FrozenGraph) -> Iterator[Node]:
    """Every node the outputs need, each after what it reads."""
    done: set[str] = set()
    stack = [(name, False) for name in reversed(graph.outputs)]
    while stack:
        name, ready = stack.pop()
        name = name.split(":")[0]
        if ready:
            yield graph.nodes[name]
        elif name not in done:
            done.add(name)
            stack.append((name, True))
            stack.extend((source, False) for source in reversed(graph.nodes[name].inputs))


def _dense(indices: Array, shape: Array, values: Array, default: Array) -> Array:
    dense = np.full(shape.astype(int).ravel(), default.ravel()[0])
    places = indices.reshape(-1, dense.ndim).astype(int)
    spread = np.broadcast_to(values.ravel(), (len(places),)) if values.size == 1 else values.ravel()
    for place, value in zip(places, spread, strict=True):
        dense[tuple(place)] = value
    return dense
