"""A LiteRT flatbuffer whose batch is free, out of two that were converted at different batch sizes and are alike otherwise.

What differs between the two is what the batch has to do with: sizes of tensors, and constants. A size to reshape or slice to
is left open (-1), which LiteRT fills in when it is resized, so that every shape is known before it runs. What is spread over
the rows, or numbers them, is computed from a truth for each row, [batch], by operators that keep their shapes known too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

SIZES = (2, 3)  # at 1, converters fold the batch away
_SPREAD = {"BROADCAST_TO": (1, 0), "FILL": (0, 1)}  # operator -> places of the shape, and of what is spread


def free(schema: Any, flatbuffers: Any, small: bytes, large: bytes) -> bytes:
    """Return the flatbuffer of `SIZES[0]` rows with its batch free; ValueError says at which operator it cannot be.

    ``schema`` and ``flatbuffers``: the generated module of LiteRT's file format, and the library that reads it.
    """
    models = [schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0)) for data in (small, large)]
    if any(len(model.subgraphs) != 1 for model in models):
        raise ValueError("its batch cannot be left free: it has graphs within its graph")
    _Freeing(schema, *models).free()
    builder = flatbuffers.Builder(len(small))
    builder.Finish(models[0].Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@dataclass
class _Freeing:
    schema: Any
    model: Any
    other: Any
    _operators: list[Any] = field(default_factory=list)
    _at: str = ""  # the operator that is looked at
    _rows: int | None = None  # the tensor that has a truth for each row

    def free(self) -> None:
        graph, other = self.model.subgraphs[0], self.other.subgraphs[0]
        names = [
            [_name(self.schema, model, one) for one in model.subgraphs[0].operators]
            for model in (self.model, self.other)
        ]
        if names[0] != names[1] or len(graph.tensors) != len(other.tensors):
            raise ValueError("its batch cannot be left free: the graph differs from batch size to batch size")
        old = list(zip(names[0], graph.operators, other.operators))
        for self._at, mine, theirs in old:
            if list(mine.inputs) != list(theirs.inputs) or _facts(mine) != _facts(theirs):
                self._refuse("its settings differ from batch size to batch size")
            mine.inputs = np.array(mine.inputs, np.int32)  # what was read is not to be written
            self._operator(mine)
            self._operators.append(mine)
        for tensor, like in zip(graph.tensors, other.tensors):
            _open_shape(tensor, like)
        graph.operators = self._operators

    def _refuse(self, why: str) -> NoReturn:
        raise ValueError(f"its batch cannot be left free: at {self._at}, {why}")

    def _operator(self, operator: Any) -> None:
        for place, index in enumerate(operator.inputs):
            found = self._constants(index) if index >= 0 else None
            if found is None or (found[0].shape == found[1].shape and np.array_equal(*found)):
                continue
            if self._at == "RESHAPE" and place == 1:
                self._reshape(operator, *found)
            elif self._at == "SLICE" and place == 2:
                self._slice(operator, *found)
            elif place == _SPREAD.get(self._at, (-1,))[0]:
                self._spread(operator, *found)
            else:
                operator.inputs[place] = self._constant(*found)

    def _constants(self, index: int) -> tuple[Any, Any] | None:
        """Return a tensor's values in both files, None where it has none."""
        values = [_values(self.schema, model, index) for model in (self.model, self.other)]
        return None if values[0] is None or values[1] is None else (values[0], values[1])

    def _reshape(self, operator: Any, small: Any, large: Any) -> None:
        differ = np.flatnonzero(small != large)
        if len(differ) > 1 or (small < 0).any():
            self._refuse(f"two sizes of {small.tolist()} depend on the batch")
        operator.inputs[1] = self._new(np.where(small == large, small, -1).astype(small.dtype))
        operator.builtinOptions, operator.builtinOptionsType = None, 0  # which may repeat the shape

    def _slice(self, operator: Any, small: Any, large: Any) -> None:
        begin = self._constants(operator.inputs[1])
        if begin is None:
            self._refuse("it begins where it is computed")
        wholes = [
            list(model.subgraphs[0].tensors[operator.inputs[0]].shape) for model in (self.model, self.other)
        ]
        for axis in np.flatnonzero(small != large):
            if [begin[k][axis] + (small, large)[k][axis] for k in (0, 1)] != [
                whole[axis] for whole in wholes
            ]:
                self._refuse("it takes a part of the batch")
        operator.inputs[2] = self._new(np.where(small == large, small, -1).astype(small.dtype))

    def _spread(self, operator: Any, small: Any, large: Any) -> None:
        """Make of an operator that spreads over a fixed shape two choices between equals, which spread over open ones."""
        differ = np.flatnonzero(small != large)
        if len(differ) > 1 or (small[differ[0]], large[differ[0]]) != SIZES:
            self._refuse(f"{small.tolist()} holds the batch otherwise than as one size")
        spread = int(operator.inputs[_SPREAD[self._at][1]])
        others = np.where(small == large, small, 1)
        if others.tolist() != _shape(self.model.subgraphs[0].tensors[spread]):
            spread = self._chosen(self._new(np.ones(others, bool)), spread)
        axes = [-1 if axis == differ[0] else 1 for axis in range(len(small))]
        condition = self._reshaped(self._truths(), axes, np.bool_)
        self._become(operator, "SELECT_V2", [condition, spread, spread], self.schema.SelectV2OptionsT())

    def _constant(self, small: Any, large: Any) -> int:
        """Return a tensor that holds as many rows of a constant as there are: rows that are equal, or that count."""
        axes = (
            [axis for axis in range(small.ndim) if small.shape[axis] != large.shape[axis]]
            if small.ndim == large.ndim
            else []
        )
        if len(axes) != 1 or (small.shape[axes[0]], large.shape[axes[0]]) != SIZES:
            self._refuse("a constant depends on the batch")
        axis = axes[0]
        shape = [-1 if place == axis else 1 for place in range(small.ndim)]
        row = large.take([0], axis)
        if np.array_equal(large, np.repeat(row, SIZES[1], axis)) and np.array_equal(
            small, np.repeat(row, SIZES[0], axis)
        ):
            kept = self._new(row)
            return self._chosen(self._reshaped(self._truths(), shape, np.bool_), kept)
        if large.size != SIZES[1] or [each.ravel().tolist() for each in (small, large)] != [
            list(range(n)) for n in SIZES
        ]:
            self._refuse("a constant differs from row to row")
        one = self._new(np.ones(1, large.dtype))
        ones = self._chosen(self._truths(), one)
        options = self.schema.CumsumOptionsT()
        options.exclusive = True
        counted = self._add("CUMSUM", [ones, self._new(np.array(0, np.int32))], [-1], large.dtype, options)
        return self._reshaped(counted, shape, large.dtype)

    def _truths(self) -> int:
        """Return the tensor that is true for each row of the first input, whatever that holds."""
        if self._rows is None:
            graph = self.model.subgraphs[0]
            first = int(graph.inputs[0])
            given = graph.tensors[first]
            sizes = [-1, *(1 for _ in given.shape[1:])]
            dtype, start = _dtype(self.schema, given.type), self._new(np.zeros(len(sizes), np.int32))
            size = self._new(np.array(sizes, np.int32))
            part = self._add("SLICE", [first, start, size], sizes, dtype, self.schema.SliceOptionsT())
            self._rows = self._reshaped(
                self._add("EQUAL", [part, part], sizes, np.bool_, self.schema.EqualOptionsT()), [-1], np.bool_
            )
            # a NaN is no equal of its own, but what is chosen between is
        return self._rows

    def _reshaped(self, index: int, shape: Sequence[int], dtype: Any) -> int:
        if list(shape) == [-1] and index == self._rows:
            return index
        return self._add("RESHAPE", [index, self._new(np.array(shape, np.int32))], shape, dtype, None)

    def _chosen(self, condition: int, value: int) -> int:
        """Return ``value`` spread over the shape of ``condition`` too."""
        tensors = self.model.subgraphs[0].tensors
        shapes = [_open(tensors[index]) for index in (condition, value)]
        length = max(map(len, shapes))
        one, two = ([1] * (length - len(shape)) + shape for shape in shapes)
        shape = [a if b == 1 else b for a, b in zip(one, two)]
        dtype = _dtype(self.schema, tensors[value].type)
        return self._add("SELECT_V2", [condition, value, value], shape, dtype, self.schema.SelectV2OptionsT())

    def _become(self, operator: Any, name: str, inputs: Sequence[int], options: Any) -> None:
        operator.opcodeIndex, operator.inputs = self._code(name), np.array(inputs, np.int32)
        operator.builtinOptions = options
        operator.builtinOptionsType = (
            getattr(self.schema.BuiltinOptions, type(options).__name__[:-1]) if options else 0
        )

    def _add(self, name: str, inputs: Sequence[int], shape: Sequence[int], dtype: Any, options: Any) -> int:
        operator = self.schema.OperatorT()
        self._become(operator, name, inputs, options)
        made = self._tensor(shape, dtype, 0)
        operator.outputs = np.array([made], np.int32)
        self._operators.append(operator)
        return made

    def _new(self, values: Any) -> int:
        """Return a new constant."""
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return self._tensor(values.shape, values.dtype, len(self.model.buffers) - 1)

    def _tensor(self, shape: Sequence[int], dtype: Any, buffer: int) -> int:
        tensor, tensors = self.schema.TensorT(), self.model.subgraphs[0].tensors
        tensor.name, tensor.buffer = f"batch/{len(tensors)}", buffer
        tensor.shape = np.array([abs(size) for size in shape], np.int32)
        tensor.shapeSignature = np.array(shape, np.int32) if -1 in shape else None
        tensor.type = getattr(self.schema.TensorType, np.dtype(dtype).name.upper())
        tensors.append(tensor)
        return len(tensors) - 1

    def _code(self, name: str) -> int:
        wanted = getattr(self.schema.BuiltinOperator, name)
        for place, code in enumerate(self.model.operatorCodes):
            if _builtin(code) == wanted:
                return place
        code = self.schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = wanted, min(wanted, 127), 1
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1


def _builtin(code: Any) -> int:
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))  # the older field ends at 127


def _name(schema: Any, model: Any, operator: Any) -> str:
    return _called(schema.BuiltinOperator, _builtin(model.operatorCodes[operator.opcodeIndex]))


def _called(kinds: Any, value: int) -> str:
    return next((name for name, known in vars(kinds).items() if known == value), str(value))


def _facts(operator: Any) -> dict[str, Any]:
    """Return an operator's settings, but for a shape that it repeats."""
    options = operator.builtinOptions
    found = {} if options is None else vars(options)
    return {name: np.array(value).tolist() for name, value in found.items() if name != "newShape"}


def _dtype(schema: Any, kind: int) -> Any:
    return np.dtype(_called(schema.TensorType, kind).lower())


def _values(schema: Any, model: Any, index: int) -> Any:
    """Return the values of a constant, None of any other tensor."""
    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    return np.frombuffer(np.asarray(data).tobytes(), _dtype(schema, tensor.type)).reshape(_shape(tensor))


def _shape(tensor: Any) -> list[int]:
    return [] if tensor.shape is None else [int(size) for size in tensor.shape]


def _open(tensor: Any) -> list[int]:
    return _shape(tensor) if tensor.shapeSignature is None else [int(size) for size in tensor.shapeSignature]


def _open_shape(tensor: Any, like: Any) -> None:
    """Leave the sizes open in which a tensor differs from its like, and note what they are for one row."""
    small, large = np.array(_shape(tensor), np.int32), np.array(_shape(like), np.int32)
    if not np.array_equal(small, large):
        tensor.shapeSignature = np.where(small == large, small, -1).astype(np.int32)
        tensor.shape = (2 * small - large).astype(np.int32)
