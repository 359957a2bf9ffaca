"""Sizes as numbers: what an ONNX graph computes from shapes, computed in Python instead of by tensors.

An operator whose operands are all numbers gives numbers. Those that depend on a free batch are torch's symbolic integers,
in arrays of objects; all others are arrays of their own type, and computed as ONNX says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST = 256  # numbers in one array; what is larger is data
_TYPES = {1: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 11: "float64"}


@dataclass(frozen=True)
class Numbers:
    """An array of numbers, some perhaps symbolic, and the type that it has in the ONNX graph."""

    values: Any
    dtype: str

    @classmethod
    def of(cls, values: Any, dtype: str) -> Numbers:
        """Return numbers: of ``dtype`` itself where none is symbolic."""
        array = np.asarray(values)
        symbolic = array.dtype == object and not all(_is_known(value) for value in array.ravel())
        return cls(array if symbolic else array.astype(dtype), dtype)

    @property
    def are_known(self) -> bool:
        """Return whether none is symbolic."""
        return bool(self.values.dtype != object)

    def tensor(self, torch: Any) -> Any:
        """Return a tensor of them, for operators on data."""
        kind = getattr(torch, self.dtype)
        if self.are_known:
            return torch.tensor(self.values.tolist(), dtype=kind)
        each = [torch.scalar_tensor(value, dtype=kind) for value in self.values.ravel()]
        return torch.stack(each).reshape(self.values.shape)


def _is_known(value: Any) -> bool:
    return isinstance(value, (int, float, bool, np.generic))


def shape_of(sizes: Sequence[Any], start: int = 0, end: int | None = None) -> Numbers:
    """Return what the operator Shape gives for these sizes."""
    wanted = list(sizes)[slice(start, end)]
    array = np.empty(len(wanted), dtype=object)
    array[:] = wanted
    return Numbers.of(array, "int64")


def compute(
    operator: str, attributes: Mapping[str, Any], operands: Sequence[Numbers | None]
) -> Numbers | None:
    """Return the numbers that an operator gives for numbers; None where it is no operator for sizes, or gives too many."""
    rule = _RULES.get(operator)
    given = [item for item in operands if item is not None]
    if rule is None or not given:
        return None
    values = rule(attributes, *(item if item is None else item.values for item in operands))
    if values is None or np.size(values) > MOST:
        return None
    return Numbers.of(values, _result_type(operator, attributes, given))


def _result_type(operator: str, attributes: Mapping[str, Any], given: Sequence[Numbers]) -> str:
    if operator == "Cast":
        return _TYPES[attributes["to"]]
    if operator == "ConstantOfShape":
        return str(_filling(attributes).dtype)
    if operator in _BOOLEAN:
        return "bool"
    return given[1 if operator == "Where" else 0].dtype


def _filling(attributes: Mapping[str, Any]) -> Any:
    return np.asarray(attributes.get("value", np.zeros(1, "float32")))


def _divide(_: Any, one: Any, other: Any) -> Any:
    """Divide as ONNX does: integers towards zero."""
    if object in (one.dtype, other.dtype):
        return one // other  # of sizes, which are not negative
    if one.dtype.kind == "f":
        return one / other
    return np.abs(one) // np.abs(other) * np.sign(one) * np.sign(other)


def _cast(attributes: Mapping[str, Any], array: Any) -> Any:
    if attributes["to"] not in _TYPES or (
        array.dtype == object and not _TYPES[attributes["to"]].startswith("int")
    ):
        return None
    return array


def _slice(attributes: Mapping[str, Any], array: Any, *bounds: Any) -> Any:
    given = [attributes.get("starts"), attributes.get("ends"), attributes.get("axes")]
    starts, ends, axes, steps = [*(bounds or given), None, None, None][:4]
    places = range(len(starts)) if axes is None else axes
    index = [slice(None)] * array.ndim
    for place, axis in enumerate(places):
        index[int(axis)] = slice(starts[place], ends[place], None if steps is None else int(steps[place]))
    return array[tuple(index)]


def _axes(attributes: Mapping[str, Any], given: Any) -> tuple[int, ...] | None:
    found = attributes.get("axes") if given is None else given.tolist()
    return None if found is None else tuple(int(axis) for axis in found)


def _unsqueeze(attributes: Mapping[str, Any], array: Any, axes: Any = None) -> Any:
    return np.expand_dims(array, _axes(attributes, axes) or ())


def _squeeze(attributes: Mapping[str, Any], array: Any, axes: Any = None) -> Any:
    return np.squeeze(array, _axes(attributes, axes))


def _reduce(function: Any) -> Callable[..., Any]:
    def reduced(attributes: Mapping[str, Any], array: Any, axes: Any = None) -> Any:
        return function(array, axis=_axes(attributes, axes), keepdims=bool(attributes.get("keepdims", 1)))

    return reduced


def _concat(attributes: Mapping[str, Any], *arrays: Any) -> Any:
    return np.concatenate(arrays, axis=attributes["axis"])


def _fill(attributes: Mapping[str, Any], sizes: Any) -> Any:
    if sizes.dtype == object or np.prod(sizes) > MOST:
        return None
    return np.full(sizes.tolist(), _filling(attributes).ravel()[0])


def _range(_: Any, start: Any, limit: Any, step: Any) -> Any:
    if any(array.dtype == object for array in (start, limit, step)):
        return None
    return np.arange(start.item(), limit.item(), step.item())[: MOST + 1]


def _reshape(_: Any, array: Any, sizes: Any) -> Any:
    kept = [array.shape[axis] if size == 0 else size for axis, size in enumerate(sizes.tolist())]
    return array.reshape(kept)


def _expand(_: Any, array: Any, sizes: Any) -> Any:
    if sizes.dtype == object:
        return None
    return np.broadcast_to(array, np.broadcast_shapes(array.shape, tuple(sizes.tolist())))


_BOOLEAN = frozenset(("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Not"))
_RULES: Mapping[str, Callable[..., Any]] = {
    "Abs": lambda _, array: abs(array),
    "Add": lambda _, one, other: one + other,
    "And": lambda _, one, other: np.logical_and(one, other),
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _fill,
    "Div": _divide,
    "Equal": lambda _, one, other: one == other,
    "Expand": _expand,
    "Floor": lambda _, array: array if array.dtype == object else np.floor(array),
    "Gather": lambda attributes, array, places: np.take(array, places, axis=attributes.get("axis", 0)),
    "Greater": lambda _, one, other: one > other,
    "GreaterOrEqual": lambda _, one, other: one >= other,
    "Identity": lambda _, array: array,
    "Less": lambda _, one, other: one < other,
    "LessOrEqual": lambda _, one, other: one <= other,
    "Max": lambda _, *arrays: np.max(np.broadcast_arrays(*arrays), axis=0),
    "Min": lambda _, *arrays: np.min(np.broadcast_arrays(*arrays), axis=0),
    "Mod": lambda _, one, other: one % other,
    "Mul": lambda _, one, other: one * other,
    "Neg": lambda _, array: -array,
    "Not": lambda _, array: np.logical_not(array),
    "Or": lambda _, one, other: np.logical_or(one, other),
    "Range": _range,
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "Reshape": _reshape,
    "Slice": _slice,
    "Sqrt": lambda _, array: None if array.dtype == object else np.sqrt(array),
    "Squeeze": _squeeze,
    "Sub": lambda _, one, other: one - other,
    "Transpose": lambda attributes, array: np.transpose(array, attributes.get("perm")),
    "Unsqueeze": _unsqueeze,
    "Where": lambda _, condition, one, other: np.where(condition, one, other),
}
