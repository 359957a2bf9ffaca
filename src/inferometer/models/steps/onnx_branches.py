"""An ONNX file without the branches whose condition is always the same: the graph that is taken stands in their place.

PyTorch writes an If where a Squeeze or a state depends on a rank. Ranks, bound sizes and what is the same for every row are
known here; what depends on the batch is not, and its branches stay. Frameworks whose readers know no If read the file then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import onnxfile, tensors
from inferometer.models.steps.onnx_graphs import (
    attributes_of,
    rename,
    small_constant,
    small_constants,
    with_shapes,
)
from inferometer.models.steps.onnx_sizes import Numbers, compute, shape_of

_NEAR = 1e-5  # of the largest value: how far answers of the two files may differ
_SIZES = Mapping[str, Sequence["int | None"]]


def settle(path: str, specs: Sequence[tensors.Spec], rows: Mapping[str, Any]) -> int:
    """Settle what branches of the file at ``path`` can be, in place, and return how many; 0 where its answers would differ.

    ``specs`` of its inputs, rows first; ``rows`` to try it with.
    """
    import onnx

    model = onnxfile.read(path)
    count = inline(model, {spec["name"]: spec["shape"] for spec in specs})
    if not count:
        return 0
    target = Path(path).with_suffix(".settled")  # beside its weights
    onnx.save(model, target)
    batch = tensors.batch_of(specs) or 2
    few = {name: array[:batch] for name, array in rows.items()}
    if not _answers_alike(path, str(target), few):
        target.unlink()
        return 0
    target.replace(path)
    return count


def told(count: int) -> list[str]:
    """Return what was changed, for the record of a run."""
    return [f"branches that always go one way, replaced by that way: {count}"] if count else []


def _answers_alike(path: str, other: str, rows: dict[str, Any]) -> bool:
    wanted = onnxfile.run(onnxfile.session(path), rows)
    try:
        found = onnxfile.run(onnxfile.session(other), rows)
    except ValueError:
        return False
    return all(
        np.shape(one) == np.shape(two)
        and np.allclose(one, two, rtol=0, atol=_NEAR * np.abs(two).max(initial=0), equal_nan=True)
        for one, two in zip(found, wanted, strict=True)
    )


def inline(model: Any, inputs: _SIZES) -> int:
    """Put the graphs that are taken in the place of branches, in place; return how many branches are gone.

    ``inputs``: sizes of the model's inputs, None where they are open. Ranks behind a branch are known when it is gone, so it is looked
    again until none is found.
    """
    count = 0
    while any(node.op_type == "If" for node in model.graph.node):
        known = _known(model, inputs)
        taken = {
            node.output[0]: _taken(node, known[node.input[0]])
            for node in model.graph.node
            if node.op_type == "If" and _is_settled(known.get(node.input[0]))
        }
        if not taken:
            break
        count += len(taken)
        _replace(model.graph, taken)
    return count


def _is_settled(condition: Numbers | None) -> bool:
    return condition is not None and condition.are_known and condition.values.size == 1


def _taken(node: Any, condition: Numbers) -> Any:
    name = "then_branch" if bool(condition.values.ravel()[0]) else "else_branch"
    return next(attribute.g for attribute in node.attribute if attribute.name == name)


def _replace(graph: Any, taken: Mapping[str, Any]) -> None:
    nodes = []
    for node in graph.node:
        inner = taken.get(node.output[0]) if node.op_type == "If" else None
        nodes.extend([node] if inner is None else _spliced(graph, node, inner))
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]  # they are the graph's own
    del graph.node[:]
    graph.node.extend(kept)


def _spliced(graph: Any, node: Any, inner: Any) -> list[Any]:
    """Return a branch's nodes under names of their own, with one Identity an output; its constants go to ``graph``."""
    from onnx import helper

    made = [name for each in inner.node for name in each.output if name]
    names = {name: f"{node.output[0]}/{name}" for name in (*made, *(item.name for item in inner.initializer))}
    rename(inner, names)
    for tensor in inner.initializer:
        tensor.name = names[tensor.name]
    graph.initializer.extend(inner.initializer)
    ends = [names.get(item.name, item.name) for item in inner.output]
    return [
        *inner.node,
        *(helper.make_node("Identity", [end], [name]) for end, name in zip(ends, node.output) if name),
    ]


def _known(model: Any, inputs: _SIZES) -> dict[str, Numbers]:
    """Return what can be computed without rows: shapes tell numbers, and those (how much is padded) tell shapes."""
    known: dict[str, Numbers] = {}
    while True:
        found = _numbers(model.graph, _shapes(model, inputs, known))
        if len(found) == len(known):
            return known
        known = found


def _shapes(model: Any, inputs: _SIZES, known: Mapping[str, Numbers]) -> dict[str, list[Any]]:
    """Return the shapes that follow from those of the inputs, open sizes as `_Open`; of tensors whose rank is known."""
    bare = type(model).FromString(model.SerializeToString())
    _fold(bare.graph, {name: numbers.values for name, numbers in known.items() if numbers.are_known})
    for item in bare.graph.input:
        for dimension, size in zip(item.type.tensor_type.shape.dim, inputs.get(item.name, ())):
            if size is not None:
                dimension.dim_value = size
    del bare.graph.value_info[:]  # what files declare may be wrong
    for item in bare.graph.output:
        item.type.tensor_type.ClearField("shape")
    try:
        inferred = with_shapes(bare).graph
    except ValueError:  # ONNX Runtime takes more than inference does
        inferred = bare.graph
    found = {tensor.name: list(tensor.dims) for tensor in inferred.initializer}
    for item in (*inferred.input, *inferred.value_info):
        if item.type.tensor_type.HasField("shape"):
            sizes = item.type.tensor_type.shape.dim
            found[item.name] = [size.dim_value if size.HasField("dim_value") else _Open() for size in sizes]
    return found


def _fold(graph: Any, values: Mapping[str, Any]) -> None:
    """Put constants in the place of the nodes that compute them, in place."""
    from onnx import numpy_helper

    kept = [node for node in graph.node if node.output[0] not in values]
    made = [name for node in graph.node for name in node.output[:1] if name in values]
    del graph.node[:]
    graph.node.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(np.asarray(values[name]), name) for name in made)


def _numbers(graph: Any, shapes: Mapping[str, list[Any]]) -> dict[str, Numbers]:
    """Return what can be computed without rows: constants, and what follows from them and from shapes."""
    known = small_constants(graph)
    for node in graph.node:
        found = _computed(node, shapes, known)
        if found is not None:
            known[node.output[0]] = found
    return known


def _computed(node: Any, shapes: Mapping[str, list[Any]], known: Mapping[str, Numbers]) -> Numbers | None:
    if node.op_type == "Constant":
        return next((small_constant(item.t) for item in node.attribute if item.name == "value"), None)
    if node.op_type in ("Shape", "Size") and node.input[0] in shapes:
        attributes, sizes = attributes_of(node), shapes[node.input[0]]
        if node.op_type == "Shape":
            return shape_of(sizes, attributes.get("start", 0), attributes.get("end"))
        is_open = any(isinstance(size, _Open) for size in sizes)
        return None if is_open else Numbers.of(np.prod(sizes, dtype="int64"), "int64")
    operands = [known.get(name) for name in node.input]
    if not operands or any(item is None and name for item, name in zip(operands, node.input)):
        return None
    try:
        return compute(node.op_type, attributes_of(node), operands)
    except (TypeError, ValueError, AttributeError, IndexError, KeyError):  # what an open size cannot be asked
        return None


def _unknown(self: _Open, *_: Any) -> _Open:
    return self


class _Open:
    """A size that is not known; neither is what is computed of it."""

    __hash__ = None  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __rfloordiv__ = _unknown
    __mod__ = __rmod__ = __neg__ = __abs__ = __lt__ = __le__ = __gt__ = __ge__ = _unknown
    __eq__: Callable[..., Any] = _unknown
    __ne__: Callable[..., Any] = _unknown

    def __bool__(self) -> bool:
        raise TypeError("an open size is neither true nor false")
