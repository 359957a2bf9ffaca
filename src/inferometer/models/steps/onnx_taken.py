"""An ONNX file as it is measured: rows first in every input and output, dimensions bound, what is the same for every row inside.

Most files are such already and are taken as they are. Else the graph is rewritten (`onnx_rows_first`), which is told.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import onnx_rows_first, onnxfile, tensors
from inferometer.models.steps.onnx_axes import Place
from inferometer.models.steps.onnx_rows_first import RowsFirst

Rows = dict[str, Any]


@dataclass(frozen=True)
class Taken:
    """What is made of a file; see `onnx_axes.Place`."""

    specs: list[tensors.Spec]  # of the inputs, rows first; without constants
    inputs: dict[str, Place]
    outputs: dict[str, Place]
    ranks: dict[str, int]  # of outputs
    constants: Rows
    ragged: list[int]  # outputs whose size is each row's own

    @property
    def as_made(self) -> bool:
        """Return whether the file is taken as it is."""
        return all(place.is_first for place in (*self.inputs.values(), *self.outputs.values()))

    def own_shapes(self) -> dict[str, list[int | None]]:
        """Return the inputs' shapes as the file has them, None for the batch where it is open."""
        shapes = {spec["name"]: list(spec["shape"]) for spec in self.specs}
        constants = {name: list(value.shape) for name, value in self.constants.items()}
        return constants | {name: _own_shape(self.inputs[name], shape) for name, shape in shapes.items()}

    def notes(self) -> list[str]:
        """Return what was changed, for the record of a run."""
        both = {**self.inputs, **self.outputs}
        turned = [name for name, place in both.items() if place.kind == "rows" and place.axis]
        calls = [name for name, place in both.items() if place.kind == "call"]
        return [
            *([f"rows put first by a Transpose in {', '.join(turned)}"] if turned else []),
            *([f"a call is one row, compared whole: {', '.join(calls)}"] if calls else []),
            *(
                f"{name} is {_told(value)} in every row, made part of the model"
                for name, value in self.constants.items()
            ),
        ]

    def write(self, file: str, out: Path, external: Sequence[str]) -> str:
        """Write the model into ``out`` beside its weights and return its path."""
        import onnx

        target = out / "model.onnx"
        for name in external:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(file).parent / name, out / name)
        if self.as_made:
            shutil.copyfile(file, target)
            return str(target)
        model = onnxfile.read(file)
        shapes = {spec["name"]: spec["shape"] for spec in self.specs}
        wanted = RowsFirst(self.inputs, self.outputs, self.ranks, shapes, self.constants)
        onnx_rows_first.rewrite(model, wanted)
        onnx.save(model, target)
        return str(target)

    def arranged(self, arrays: Rows) -> Rows:
        """Return the user's own arrays, as the file takes them, with rows first; constants are left out."""
        found = {
            name: self._first(name, array) for name, array in arrays.items() if name not in self.constants
        }
        counts = [
            len(array) for name, array in found.items() if self.inputs.get(name, Place("call")).kind == "rows"
        ]
        rows = counts[0] if counts else 1
        return {
            name: np.repeat(array, rows, axis=0) if self._is_one_call(name, array) and rows > 1 else array
            for name, array in found.items()
        }

    def _first(self, name: str, array: Any) -> Any:
        place = self.inputs.get(name, Place("rows"))
        if place.kind == "call":
            rank = len(next(spec["shape"] for spec in self.specs if spec["name"] == name))
            return array[None] if array.ndim == rank - 1 else array
        return np.moveaxis(array, place.axis, 0) if place.axis < array.ndim else array

    def _is_one_call(self, name: str, array: Any) -> bool:
        return name in self.inputs and self.inputs[name].kind == "call" and len(array) == 1

    def without_constants(self, ranges: Mapping[str, Sequence[float]]) -> dict[str, Sequence[float]]:
        """Return the ranges of inputs that have rows."""
        return {name: limits for name, limits in ranges.items() if name not in self.constants}

    def as_taken(self, rows: Rows) -> Rows:
        """Return rows-first arrays as the file itself takes them, constants included."""
        given = {name: _as_made(self.inputs[name], array) for name, array in rows.items()}
        return {name: given[name] if name in given else self.constants[name] for name in self.inputs}


def _own_shape(place: Place, shape: list[int | None]) -> list[int | None]:
    rows, rest = shape[0], shape[1:]
    return rest if place.kind == "call" else [*rest[: place.axis], rows, *rest[place.axis :]]


def _as_made(place: Place, array: Any) -> Any:
    return array[0] if place.kind == "call" else np.ascontiguousarray(np.moveaxis(array, 0, place.axis))


def _told(value: Any) -> str:
    return str(value.tolist()) if value.size <= 8 else f"an array of {value.size} values"
