"""What outputs are checked with besides the reference of the timed rows. Pure numpy; runs where the reference is made.

Rows that no timed batch holds, with their reference, so that answers given before are no use (`worker.checks`), and the
first rows computed in other ways, which tells how far the reference differs from itself (`worker.parity.ambiguity`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import tensors
from inferometer.worker import ragged
from inferometer.worker.parity.ambiguity import Ambiguity

INPUTS = 64  # distinct rows in all: 64 of 64 is [94 %, 100 %] by Wilson's interval, 4 of 4 is [51 %, 100 %]
REPEATED = 16  # rows computed in other ways
MOST_BYTES = 1 << 28  # of all rows and outputs that are added
MOST_S = 60.0  # for the added rows, and again for each other way
BITS = {"moved": 24, "fp16": 11, "bf16": 8}  # significand of the types whose last place is moved by one unit

Rows = dict[str, Any]  # input -> array
Compute = Callable[
    [Rows, "int | None"], "list[Any]"
]  # rows, and how many at once (None: as usual) -> outputs


@dataclass(frozen=True)
class Reference:
    """The rows of the timed loops with their outputs, how they were computed, and what else can be done with them."""

    rows: Rows
    outputs: list[Any]
    compute: Compute
    batch: int | None  # where the model fixes it
    more: Callable[[int], Rows]  # at most so many other rows
    ways: Mapping[str, Compute]  # other ways to the same outputs: "optimised", and those of `BITS`
    # so many of the other rows as the source has them, if it has another layout
    given: Callable[[int], Rows] | None = None

    def write(self, out: Path) -> dict[str, Any]:
        """Write reference.npz, unseen_inputs.npz, unseen_reference.npz and ambiguity.npz; return what they hold, in numbers."""
        row_s = self._row_s()
        wanted = min(INPUTS - _count(self.rows), self._most_rows(row_s))
        unseen = self.more(max(0, wanted - wanted % (self.batch or 1)))
        outputs = self.compute(unseen, None) if _count(unseen) else [array[:0] for array in self.outputs]
        rows = {name: np.concatenate([array, unseen[name]]) for name, array in self.rows.items()}
        repeated = min(REPEATED, int(MOST_S / max(row_s, 1e-9)) or 1, _count(rows))
        repeated -= repeated % self.batch if self.batch and repeated > self.batch else 0
        repeated = max(repeated, self.batch or 1)
        first = {name: array[:repeated] for name, array in rows.items()}
        wanted_outputs = self.compute(first, None)  # in batches of the same rows as in the other ways
        found = self._other_ways(first)
        timed, outputs, wanted_outputs, *others = ragged.together(
            [self.outputs, outputs, wanted_outputs, *found.values()]
        )
        found = dict(zip(found, others, strict=True))
        tensors.write_npz(str(out / "reference.npz"), tensors.numbered(timed))
        if _count(unseen):
            kept = self.given(_count(unseen)) if self.given else unseen
            tensors.write_npz(str(out / "unseen_inputs.npz"), kept)
            tensors.write_npz(str(out / "unseen_reference.npz"), tensors.numbered(outputs))
        arrays = {f"reference/{index}": array for index, array in enumerate(wanted_outputs)}
        for kind, values in found.items():
            arrays.update({f"{kind}/{index}": array for index, array in enumerate(values)})
        tensors.write_npz(str(out / "ambiguity.npz"), arrays)
        facts = {
            kind: float(f"{value:.3g}") for kind, value in Ambiguity(wanted_outputs, found).facts().items()
        }
        return {"inputs": _count(rows), "rows": repeated, "ambiguity": facts}

    def _row_s(self) -> float:
        first = {name: array[: self.batch or tensors.CHUNK] for name, array in self.rows.items()}
        start = time.monotonic()
        self.compute(first, None)  # not the first run, which traces and allocates
        return (time.monotonic() - start) / _count(first)

    def _most_rows(self, row_s: float) -> int:
        row_bytes = sum(array[:1].nbytes for array in (*self.rows.values(), *self.outputs))
        return int(min(MOST_BYTES / max(row_bytes, 1), MOST_S / max(row_s, 1e-9)))

    def _other_ways(self, rows: Rows) -> dict[str, list[Any]]:
        ways = dict(self.ways)
        if self.batch is None:
            ways["alone"] = lambda given, _: self.compute(given, 1)
        found = {kind: way(rows, None) for kind, way in ways.items()}
        return {kind: outputs for kind, outputs in found.items() if len(outputs) == len(self.outputs)}


def moved(array: Any, bits: int, seed: int = 0) -> Any:
    """Return an array of floats, each moved up or down by chance by one unit in the last of ``bits`` places.

    Other arrays, and those of a type with fewer places, are returned as they are, and moved by a unit of theirs.
    """
    if array.dtype.name not in ("float32", "float64", "float16"):
        return array
    unit = 2.0 ** (1 - min(bits, 11 if array.dtype.name == "float16" else 24))
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=array.shape)
    return (array * (1 + signs * unit)).astype(array.dtype)


def moved_rows(rows: Rows, bits: int) -> Rows:
    """Return rows whose floats are moved by one unit in the last place."""
    return {name: moved(array, bits, seed) for seed, (name, array) in enumerate(rows.items())}


def moved_ways(compute: Compute) -> dict[str, Compute]:
    """Return the ways of `BITS` where only inputs can be moved: rows moved by a unit in the last place."""

    def moving(bits: int) -> Compute:
        return lambda rows, chunk: compute(moved_rows(rows, bits), chunk)

    return {kind: moving(bits) for kind, bits in BITS.items()}


def no_more(rows: Rows) -> Callable[[int], Rows]:
    """Return where more rows cannot be had: none, whatever is asked for."""
    return lambda count: {name: array[:0] for name, array in rows.items()}


def rows_of(request: Mapping[str, Any], specs: Sequence[tensors.Spec], sizes: Mapping[str, int]) -> Rows:
    """Return the user's own rows, or generated ones (`tensors.generate`)."""
    if request["inputs"]:
        return tensors.read_npz(request["inputs"], specs)
    return tensors.generate(specs, request["ranges"], request["seed"], sizes)


def more_of(
    request: Mapping[str, Any], specs: Sequence[tensors.Spec], sizes: Mapping[str, int]
) -> Callable[[int], Rows]:
    """Return what gives at most so many rows for checks only: of photos' parts, or generated; none beside the user's own."""

    def more(count: int) -> Rows:
        if request["more"]:
            found = tensors.read_npz(request["more"], specs)
        else:
            seed = [int(request["seed"]), 1]
            found = tensors.generate(specs, request["ranges"], seed, sizes, least=max(count, 1))
        none = request["inputs"] and not request["more"]
        return {name: array[: 0 if none else count] for name, array in found.items()}

    return more


def _count(rows: Rows) -> int:
    return len(next(iter(rows.values())))
