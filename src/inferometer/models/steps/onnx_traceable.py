"""An onnx2torch module that torch.export can trace: its sizes are numbers while it is traced (`onnx_sizes`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from operator import getitem
from typing import Any

import numpy as np

from inferometer.models.steps.onnx_graphs import attributes_of, small_constants
from inferometer.models.steps.onnx_sizes import Numbers, compute, shape_of

_READERS = frozenset(("OneHot", "Pad", "Resize", "Trilu"))  # whose module reads the values of its operands
_BEYOND = 10**9  # where exporters write the end of an axis: this, or the largest integer of 32 or 64 bits


def traceable(torch: Any, module: Any, model: Any) -> Any:
    """Return the module that onnx2torch made of ``model`` (with its mapping attached), each operator in a `Sized` one."""
    operators = {name: node for node in model.graph.node for name in node.output}
    constants, made = small_constants(model.graph), {}
    for node in module.graph.nodes:
        if node.op == "call_module":
            inner = module.get_submodule(node.target)
            operator = operators[inner.onnx_mapping.outputs[0]]
            made.update({name: (node, place, operator) for place, name in enumerate(operator.output)})
            known = {name: constants[name] for name in operator.input if name in constants}
            module.add_module(node.target, _sized(torch, inner, operator, known))
    _order_outputs(module, [made.get(item.name) for item in model.graph.output])
    return module


def _order_outputs(module: Any, wanted: Sequence[tuple[Any, int, Any] | None]) -> None:
    """Let the module give the file's outputs: onnx2torch gives all those of an operator that gives one of them."""
    if None in wanted:
        return  # an input or a constant, which onnx2torch refuses
    (last,) = (node for node in module.graph.nodes if node.op == "output")
    outputs = []
    with module.graph.inserting_before(last):
        for node, place, operator in filter(None, wanted):
            many = len(operator.output) > 1 or operator.op_type == "Split"
            outputs.append(module.graph.call_function(getitem, (node, place)) if many else node)
    last.args = (tuple(outputs),)
    module.recompile()


def _sized(torch: Any, made: Any, operator: Any, constants: Mapping[str, Numbers]) -> Any:
    """Return a module that computes an operator on numbers where all its operands are, else as onnx2torch does."""
    kind, attributes = operator.op_type, attributes_of(operator)
    names, parameters = made.onnx_mapping.inputs, list(inspect.signature(made.forward).parameters)

    class Sized(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.made = made

        def forward(self, *given: Any, **named: Any) -> Any:
            by_name = dict(zip(names, given))
            by_name.update({names[parameters.index(name)]: value for name, value in named.items()})
            operands = [_operand(name, by_name, constants) for name in operator.input]
            found = _computed(torch, kind, attributes, operands)
            if found is not None:
                return found
            reads = kind in _READERS

            def plain(name: str, value: Any) -> Any:
                number = constants.get(name) if reads else None
                number = value if isinstance(value, Numbers) else number
                if number is None:
                    return value
                return _readable(number) if reads else number.tensor(torch)

            named = {name: plain(names[parameters.index(name)], value) for name, value in named.items()}
            return self.made(*(plain(name, value) for name, value in zip(names, given)), **named)

    return Sized()


def _readable(numbers: Numbers) -> Any:
    """Return numbers for a module that reads a tensor's values, which the trace would not know."""
    return _Readable(numbers) if numbers.values.ndim else numbers.values.item()


class _Readable:
    """What such a module asks of a tensor."""

    def __init__(self, numbers: Numbers) -> None:
        self._values = numbers.values
        self.dtype = numbers.dtype

    def nelement(self) -> int:
        return int(self._values.size)

    def tolist(self) -> Any:
        return self._values.tolist()


def _operand(name: str, given: Mapping[str, Any], constants: Mapping[str, Numbers]) -> Any:
    value = given.get(name)
    return value if isinstance(value, Numbers) else constants.get(name, value)


def _computed(torch: Any, kind: str, attributes: Mapping[str, Any], operands: Sequence[Any]) -> Any:
    """Return what an operator gives whose sizes are numbers, None where onnx2torch's module is to compute it."""
    if kind in ("Shape", "Size"):
        first = operands[0].values if isinstance(operands[0], Numbers) else operands[0]
        if kind == "Size":
            return Numbers.of(np.asarray(_product(first.shape), dtype=object), "int64")
        return shape_of(first.shape, attributes.get("start", 0), attributes.get("end"))
    if all(item is None or isinstance(item, Numbers) for item in operands):
        found = compute(kind, attributes, operands)
        if found is not None:
            return found
    if kind in _INSTEAD:
        return _INSTEAD[kind](
            torch,
            attributes,
            *(item.tensor(torch) if isinstance(item, Numbers) else item for item in operands),
        )
    rule = _ON_DATA.get(kind)
    sizes = operands if kind in _FROM_NUMBERS else operands[1:]
    if rule is None or not sizes or not all(item is None or isinstance(item, Numbers) for item in sizes):
        return None
    data = [
        item.tensor(torch) if isinstance(item, Numbers) else item
        for item in operands[: len(operands) - len(sizes)]
    ]
    return rule(torch, attributes, *data, *(None if item is None else item.values.tolist() for item in sizes))


def _product(sizes: Sequence[Any]) -> Any:
    result: Any = 1
    for size in sizes:
        result = result * size
    return result


def _reshape(torch: Any, attributes: Mapping[str, Any], data: Any, sizes: list[Any]) -> Any:
    """Reshape as ONNX does: 0 keeps the size of that axis."""
    return data.reshape([data.shape[axis] if _is(size, 0) else size for axis, size in enumerate(sizes)])


def _expand(torch: Any, attributes: Mapping[str, Any], data: Any, sizes: list[Any]) -> Any:
    """Broadcast both ways, as ONNX does: an axis that is no 1 keeps its size."""
    new = max(len(sizes) - data.ndim, 0)
    sizes = [1] * (data.ndim - len(sizes)) + sizes
    kept = [size if _is(own, 1) and not _is(size, 1) else -1 for own, size in zip(data.shape, sizes[new:])]
    return data.expand([*sizes[:new], *kept])


def _slice(torch: Any, attributes: Mapping[str, Any], data: Any, *bounds: Any) -> Any:
    written = [attributes.get(name) for name in ("starts", "ends", "axes")]  # before opset 10
    starts, ends, axes, steps = [*(bounds or written), None, None][:4]
    axes = list(range(len(starts))) if axes is None else axes
    index, flipped = [slice(None)] * data.ndim, []
    for place, axis in enumerate(axes):
        start, end, step = starts[place], ends[place], 1 if steps is None else steps[place]
        if step < 0:
            flipped.append(axis)
        index[axis] = slice(start, _end(end), step) if step > 0 else slice(-start - 1, -end - 1, -step)
    return (data.flip(flipped) if flipped else data)[tuple(index)]


def _end(end: Any) -> Any:
    """Return the end of a slice, None for one beyond any size: compared with a free batch, it would bound it."""
    return None if isinstance(end, int) and end >= _BEYOND else end


def _gather(torch: Any, attributes: Mapping[str, Any], data: Any, place: Any) -> Any:
    """Take one entry of an axis; several are onnx2torch's."""
    return None if isinstance(place, list) else data.select(attributes.get("axis", 0), place)


def _constant_of_shape(torch: Any, attributes: Mapping[str, Any], sizes: list[Any]) -> Any:
    value = np.asarray(attributes.get("value", np.zeros(1, "float32")))
    return torch.full(sizes, value.ravel()[0].item(), dtype=getattr(torch, value.dtype.name))


def _range(torch: Any, attributes: Mapping[str, Any], start: Any, limit: Any, step: Any) -> Any:
    return torch.arange(start, limit, step)


def _tile(torch: Any, attributes: Mapping[str, Any], data: Any, repeats: list[Any]) -> Any:
    return data.repeat(repeats)


def _split(torch: Any, attributes: Mapping[str, Any], data: Any, sizes: Any = None) -> Any:
    return None if sizes is None else list(torch.split(data, sizes, dim=attributes.get("axis", 0)))


def _squeeze(torch: Any, attributes: Mapping[str, Any], data: Any, axes: Any = None) -> Any:
    return None if axes is None else data.squeeze(axes)


def _unsqueeze(torch: Any, attributes: Mapping[str, Any], data: Any, axes: Any = None) -> Any:
    if axes is None:
        return None
    for axis in sorted(axis % (data.ndim + len(axes)) for axis in axes):
        data = data.unsqueeze(axis)
    return data


def _cumulative_sum(torch: Any, attributes: Mapping[str, Any], data: Any, axis: Any) -> Any:
    """Sum forwards; onnx2torch's takes the lack of an attribute for backwards."""
    odd = attributes.get("reverse", 0) or attributes.get("exclusive", 0)
    return None if odd else data.cumsum(axis if isinstance(axis, int) else axis[0])


def _largest(torch: Any, attributes: Mapping[str, Any], data: Any, count: Any) -> Any:
    axis, largest = attributes.get("axis", -1), bool(attributes.get("largest", 1))
    return list(torch.topk(data, count[0], axis, largest, bool(attributes.get("sorted", 1))))


def _gather_nd(torch: Any, attributes: Mapping[str, Any], data: Any, places: Any) -> Any:
    """Take entries by the indices in the last axis of ``places``; onnx2torch's own fixes the batch."""
    shared = range(attributes.get("batch_dims", 0))
    shapes = [[-1 if other == axis else 1 for other in range(places.ndim - 1)] for axis in shared]
    rows = [torch.arange(data.shape[axis]).reshape(shape) for axis, shape in zip(shared, shapes)]
    return data[(*rows, *places.unbind(-1))]


def _pad(torch: Any, attributes: Mapping[str, Any], data: Any, pads: list[Any], *others: Any) -> Any:
    """Pad by reflection or by the edge as many axes as are padded: torch takes those of 3 at most, and no zeros for the rest."""
    mode = {b"reflect": "reflect", b"edge": "replicate"}.get(attributes.get("mode", b""))
    sides = list(zip(pads[: data.ndim], pads[data.ndim :]))
    first = next((axis for axis, side in enumerate(sides) if side != (0, 0)), 0)
    if mode is None or first == 0 or (len(others) > 1 and others[1] is not None):
        return None
    around = [size for side in reversed(sides[first:]) for size in side]
    padded = torch.nn.functional.pad(data.flatten(0, first - 1).unsqueeze(0), around, mode=mode)
    return padded.reshape([*data.shape[:first], *padded.shape[2:]])


def _is(size: Any, number: int) -> bool:
    return isinstance(size, int) and size == number


_FROM_NUMBERS = frozenset(("ConstantOfShape", "Range"))  # the others take data first
_ON_DATA: Mapping[str, Callable[..., Any]] = {
    "ConstantOfShape": _constant_of_shape,
    "CumSum": _cumulative_sum,
    "Expand": _expand,
    "Gather": _gather,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "TopK": _largest,
    "Unsqueeze": _unsqueeze,
}
_INSTEAD: Mapping[str, Callable[..., Any]] = {"GatherND": _gather_nd}
