"""Where the rows of a batch lie in the inputs and outputs of an ONNX model: declared, asked for, or found by trying two sizes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Sizes = Sequence["int | str"]  # of a tensor by axis: numbers, and the names of open dimensions
Shapes = Sequence[tuple[int, ...]]
Kind = Literal["rows", "call", "constant"]


@dataclass(frozen=True)
class Place:
    """What a tensor holds of a batch.

    rows: one entry a row along ``axis``; call: the whole tensor belongs to one row, as the model takes one call a row;
    constant: the same value for every row (inputs only).
    """

    kind: Kind
    axis: int = 0

    @property
    def is_first(self) -> bool:
        """Return whether rows come first already."""
        return self == Place("rows")


def of_inputs(inputs: Mapping[str, Sizes], asked: Mapping[str, int | None]) -> dict[str, Place]:
    """Return the place of the batch in each input.

    ``asked``: axes given by the user, None for an input that is the same for every row. Without, it is the first
    dimension where that is open; then the one that bears the same name, or is the only open one; an input without is
    constant. Where no dimension is open, the first is the batch if all inputs agree on it, and a call is a row otherwise.
    ValueError for names and axes that do not exist.
    """
    _check_asked(inputs, asked)
    places = {name: _asked(axis) for name, axis in asked.items()}
    places |= {
        name: Place("rows")
        for name, sizes in inputs.items()
        if name not in places and sizes and isinstance(sizes[0], str)
    }
    batch = {inputs[name][place.axis] for name, place in places.items() if place.kind == "rows"}
    if any(isinstance(size, str) for size in batch):
        others = {name: _like(sizes, batch) for name, sizes in inputs.items() if name not in places}
    else:
        others = _fixed({name: sizes for name, sizes in inputs.items() if name not in places}, batch)
    return {name: {**others, **places}[name] for name in inputs}


def _check_asked(inputs: Mapping[str, Sizes], asked: Mapping[str, int | None]) -> None:
    for name, axis in asked.items():
        if name not in inputs:
            near = difflib.get_close_matches(name, list(inputs), 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(inputs)}"
            raise ValueError(f"--batch-axis names the unknown input {name}; {hint}")
        if axis is not None and not 0 <= axis < len(inputs[name]):
            last = len(inputs[name]) - 1
            limit = f"it has axes 0 to {last}" if last >= 0 else "it is a scalar: give none"
            raise ValueError(f"--batch-axis {name}={axis}: {limit}")


def _asked(axis: int | None) -> Place:
    return Place("constant") if axis is None else Place("rows", axis)


def _like(sizes: Sizes, batch: set[int | str]) -> Place:
    named = [axis for axis, size in enumerate(sizes) if isinstance(size, str) and size in batch]
    open_axes = [axis for axis, size in enumerate(sizes) if isinstance(size, str)]
    found = named or (open_axes if len(open_axes) == 1 else [])
    return Place("rows", found[0]) if found else Place("constant")


def _fixed(inputs: Mapping[str, Sizes], batch: set[int | str]) -> dict[str, Place]:
    first = {sizes[0] if sizes else None for sizes in inputs.values()} | batch
    if len(first) == 1 and None not in first:
        return {name: Place("rows") for name in inputs}
    return {
        name: Place("rows") if sizes and sizes[0] == 1 else Place("call") for name, sizes in inputs.items()
    }


def of_outputs(
    outputs: Mapping[str, Sizes], batch: int | None, names: Sequence[str], trial: Callable[[int], Shapes]
) -> dict[str, Place]:
    """Return the place of the batch in each output.

    ``batch``: where the inputs fix it; ``names``: of the batch's dimension in the inputs; ``trial`` runs so many rows and
    returns the outputs' shapes, which is done where the batch is fixed or the file does not say. ValueError for an output that does not
    grow with the batch.
    """
    if batch is not None:
        shapes = zip(outputs.items(), trial(batch), strict=True)
        return {name: _of_fixed(sizes, shape, batch) for (name, sizes), shape in shapes}
    declared = {name: _declared(sizes, names) for name, sizes in outputs.items()}
    if None not in declared.values():
        return {name: place for name, place in declared.items() if place}
    found = _growing(list(outputs), names, trial)
    return {name: place or found[index] for index, (name, place) in enumerate(declared.items())}


def _of_fixed(sizes: Sizes, shape: tuple[int, ...], batch: int) -> Place:
    """Return the place by what came out, since files declare wrong shapes; one of as many entries may have found one thing."""
    named_otherwise = bool(sizes) and isinstance(sizes[0], int) and sizes[0] != batch
    return Place("rows") if shape[:1] == (batch,) and not named_otherwise else Place("call")


def _declared(sizes: Sizes, names: Sequence[str]) -> Place | None:
    """Return what the file says, None where it does not."""
    named = [axis for axis, size in enumerate(sizes) if size in names]
    return Place("rows", named[0]) if named else None


def _growing(outputs: Sequence[str], names: Sequence[str], trial: Callable[[int], Shapes]) -> list[Place]:
    few, many = 2, 3
    found = []
    for name, less, more in zip(outputs, trial(few), trial(many), strict=True):
        axes = [axis for axis, sizes in enumerate(zip(less, more, strict=False)) if sizes == (few, many)]
        if not axes or len(less) != len(more):
            raise ValueError(
                f"output '{name}' does not grow with the batch: {less} for {few} rows, {more} for {many}; fix the batch "
                f"(--shape {names[0]}=1), then each call is one row and compared whole"
            )
        found.append(Place("rows", axes[0]))
    return found
