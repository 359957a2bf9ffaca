"""What is made of an ONNX file so that it can be measured (`onnx_taken`): where rows lie, and what binds open dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from inferometer.models.steps import dimensions, given, onnx_axes, onnxfile, tensors
from inferometer.models.steps.onnx_axes import Place
from inferometer.models.steps.onnx_taken import Rows, Taken


def take(loaded: Any, model: Any, request: Mapping[str, Any]) -> Taken:
    """Return what is made of a file that a session has ``loaded``.

    ``request``: shapes, batch_axes (input -> axis, None: the same for every row), ranges, seed, inputs (.npz or None).
    ValueError (one line) for what cannot be, with the option that helps.
    """
    inputs = _inputs(loaded, request)
    specs, constants = inputs.rows_first(), inputs.constants(request["ranges"])
    if not specs:
        raise ValueError(
            "every input is the same for every row, so there is nothing to measure; leave one to vary"
        )
    dimensions.check_batch(specs)
    taken = Taken(specs, inputs.places, {}, {}, constants, [])
    return _with_outputs(loaded, taken, inputs, _Trial(loaded, model, taken, inputs.own, request))


@dataclass(frozen=True)
class _Inputs:
    specs: list[tensors.Spec]  # name and dtype
    declared: list[list[Any]]
    sizes: list[list[int | str]]  # as far as they are bound
    places: dict[str, Place]
    own: Rows  # the user's arrays

    def rows_first(self) -> list[tensors.Spec]:
        """Return the specs with rows first, None for their number where it is open."""
        return [
            {**spec, "shape": _rows_first(self.places[spec["name"]], sizes)}
            for spec, sizes in zip(self.specs, self.sizes, strict=True)
            if self.places[spec["name"]].kind != "constant"
        ]

    def constants(self, ranges: Mapping[str, Sequence[float]]) -> Rows:
        """Return the values of inputs that are the same for every row."""
        return {
            spec["name"]: _constant(spec, sizes, self.own, ranges)
            for spec, sizes in zip(self.specs, self.sizes, strict=True)
            if self.places[spec["name"]].kind == "constant"
        }

    def batch_names(self) -> list[str]:
        """Return what the batch's open dimension is called."""
        found = [sizes[self.places[spec["name"]].axis] for spec, sizes in self._with_rows()]
        return list(dict.fromkeys(name for name in found if isinstance(name, str)))

    def bound(self) -> dict[str, int]:
        """Return the sizes of named dimensions that are bound."""
        pairs = zip(self.declared, self.sizes, strict=True)
        each = (pair for old, new in pairs for pair in zip(old, new, strict=True))
        return {name: size for name, size in each if isinstance(name, str) and isinstance(size, int)}

    def _with_rows(self) -> list[tuple[tensors.Spec, list[int | str]]]:
        pairs = zip(self.specs, self.sizes, strict=True)
        return [pair for pair in pairs if self.places[pair[0]["name"]].kind == "rows"]


def _inputs(loaded: Any, request: Mapping[str, Any]) -> _Inputs:
    specs, declared = onnxfile.declared(loaded.get_inputs())
    if not specs:
        raise ValueError("the model has no inputs: there is nothing to measure")
    names = [spec["name"] for spec in specs]
    own = given.load(request["inputs"], names) if request["inputs"] else {}
    sizes = dimensions.sized(specs, declared, request["shapes"])
    places = onnx_axes.of_inputs(dict(zip(names, sizes, strict=True)), request["batch_axes"])
    free = {name: place.axis for name, place in places.items() if place.kind == "rows"}
    sizes = dimensions.bound_by(specs, sizes, {name: array.shape for name, array in own.items()}, free)
    dimensions.complain(
        [
            size
            for name, axes in zip(names, sizes, strict=True)
            for axis, size in enumerate(axes)
            if isinstance(size, str) and free.get(name) != axis
        ]
    )
    return _Inputs(specs, declared, sizes, places, own)


def _rows_first(place: Place, sizes: Sequence[int | str]) -> list[int | None]:
    known = [size if isinstance(size, int) else None for size in sizes]
    if place.kind == "call":
        return [1, *known]
    return [known[place.axis], *known[: place.axis], *known[place.axis + 1 :]]


def _constant(
    spec: tensors.Spec, sizes: Sequence[int | str], own: Rows, ranges: Mapping[str, Sequence[float]]
) -> Any:
    name, dtype = spec["name"], np.dtype(spec["dtype"])
    if name in own:
        value = own[name]
        if value.shape != tuple(sizes) or value.dtype != dtype:
            raise ValueError(
                f"--input gives {name} as {value.dtype} {list(value.shape)}; it is the same for every row, so it must be "
                f"{dtype} {list(sizes)} (or give --batch-axis {name}=AXIS)"
            )
        return value
    low, high = ranges.get(name, (None, None))
    if low is None or low != high:
        raise ValueError(
            f"input '{name}' ({dtype}, shape {list(sizes)}) has no batch, so it is the same for every row: give its value "
            f"with --input-range {name}=VALUE, or an array of its shape in --input; or fix the others' batch (--shape), then "
            "each call is one row"
        )
    return tensors.filled(tuple(sizes), spec, low)


@dataclass(frozen=True)
class _Trial:
    """Runs some rows, to see which shapes come out."""

    loaded: Any
    model: Any
    taken: Taken
    own: Rows
    request: Mapping[str, Any]

    def __call__(self, rows: int) -> list[tuple[int, ...]]:
        arrays = self.taken.as_taken(self._rows(rows))
        outputs = onnxfile.run(self.loaded, arrays)
        return [np.shape(output) for output in outputs]

    def _rows(self, rows: int) -> Rows:
        specs = self.taken.specs
        if self.own:
            found = self.taken.arranged(self.own)
            tensors.check(self.request["inputs"], specs, found)
        else:
            ranges = self.taken.without_constants(self.request["ranges"])
            sizes = onnxfile.table_sizes(self.model)
            found = tensors.generate(specs, ranges, self.request["seed"], sizes)
        return {name: np.resize(array, (rows, *array.shape[1:])) for name, array in found.items()}


def _with_outputs(loaded: Any, taken: Taken, inputs: _Inputs, trial: _Trial) -> Taken:
    names = [item.name for item in loaded.get_outputs()]
    bound = {**inputs.bound(), **trial.request["shapes"]}
    sizes = [_declared_sizes(item, bound) for item in loaded.get_outputs()]
    batch = tensors.batch_of(taken.specs)
    places = onnx_axes.of_outputs(dict(zip(names, sizes, strict=True)), batch, inputs.batch_names(), trial)
    ranks = {name: len(axes) for name, axes in zip(names, sizes, strict=True)}
    if any(place.kind == "rows" and place.axis >= ranks[name] for name, place in places.items()):
        ranks = dict(zip(names, map(len, trial(2)), strict=True))
    if batch is not None and batch > 1 and any(place.kind == "call" for place in places.values()):
        return _whole_calls(replace(taken, ranks=ranks), inputs, names, sizes)
    open_sizes = [
        axes[1:] if places[name].is_first else axes for name, axes in zip(names, sizes, strict=True)
    ]
    ragged = [
        place
        for place, axes in enumerate(open_sizes)
        if batch and any(isinstance(size, str) for size in axes)
    ]
    return replace(taken, outputs=places, ranks=ranks, ragged=ragged)


def _whole_calls(
    taken: Taken, inputs: _Inputs, names: Sequence[str], sizes: Sequence[Sequence[int | str]]
) -> Taken:
    """Return a model of a fixed batch whose outputs are not its rows: a call of a whole batch is what is compared."""
    call = Place("call")
    places = {name: place if place.kind == "constant" else call for name, place in taken.inputs.items()}
    specs = replace(inputs, places=places).rows_first()
    ragged = [place for place, axes in enumerate(sizes) if any(isinstance(size, str) for size in axes)]
    return replace(taken, specs=specs, inputs=places, outputs=dict.fromkeys(names, call), ragged=ragged)


def _declared_sizes(item: Any, bound: Mapping[str, int]) -> list[int | str]:
    return [
        size if isinstance(size, int) and size >= 0 else bound.get(size, size or f"{item.name}.{axis}")
        for axis, size in enumerate(item.shape)
    ]
