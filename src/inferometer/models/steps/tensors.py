"""Names, shapes and arrays of a model's inputs and outputs, as the steps hand them over. Pure numpy.

A spec is ``{"name": str, "shape": [int | None, ...], "dtype": str}``; None is the batch, always the first dimension.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import given
from inferometer.worker import ragged

Spec = dict[str, Any]
ROWS = 4  # distinct rows of generated data
_MASK = re.compile(r"mask", re.I)
_INTEGERS = 256  # as pixels have; two alone would tell a model's branches little
CHUNK = 8  # rows a reference or check runs at once, to bound memory


def safe_names(names: Iterable[str]) -> list[str]:
    """Return unique names made of letters, digits and underscores, as TensorFlow's signatures want them."""
    result: list[str] = []
    for name in names:
        base = re.sub(r"\W", "_", name.split(":")[0]) or "input"
        base = f"_{base}" if base[0].isdigit() else base
        count = sum(1 for known in result if re.fullmatch(rf"{base}(_\d+)?", known))
        result.append(f"{base}_{count}" if base in result else base)
    return result


def batch_of(specs: Sequence[Spec]) -> int | None:
    """Return the fixed batch size of a model, None where it is free."""
    size = specs[0]["shape"][0]
    return None if size is None else int(size)


def read_npz(path: str, specs: Sequence[Spec]) -> dict[str, Any]:
    """Read one array per input (`given.load`) and check them (`check`); ValueError says what differs."""
    return check(path, specs, given.load(path, [spec["name"] for spec in specs]))


def check(path: str, specs: Sequence[Spec], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays in the inputs' order; ValueError where names, dtypes, shapes or the number of rows differ.

    The last rows are left out where they fill no batch of a model whose batch is fixed.
    """
    names = [spec["name"] for spec in specs]
    absent, extra = sorted(set(names) - set(arrays)), sorted(set(arrays) - set(names))
    if absent or extra:
        lacks = [f"lacks {', '.join(absent)}"] if absent else []
        wrong = "; ".join([*lacks, *([f"has unknown {', '.join(extra)}"] if extra else [])])
        raise ValueError(f"{path} {wrong}; the model's inputs are {', '.join(names)}")
    for spec in specs:
        _check_array(path, spec, arrays[spec["name"]])
    _check_rows(path, specs, arrays)
    rows, batch = len(arrays[names[0]]), batch_of(specs) or 1
    return {name: arrays[name][: rows - rows % batch] for name in names}


def _check_array(path: str, spec: Spec, array: Any) -> None:
    if array.dtype.name != spec["dtype"]:
        raise ValueError(f"{path}: '{spec['name']}' has dtype {array.dtype}, the model takes {spec['dtype']}")
    wanted = tuple(spec["shape"])
    if array.ndim != len(wanted) or any(
        w is not None and w != g for w, g in zip(wanted[1:], array.shape[1:], strict=False)
    ):
        told = "x".join("batch" if index == 0 else str(size) for index, size in enumerate(wanted))
        raise ValueError(f"{path}: '{spec['name']}' has shape {tuple(array.shape)}, the model takes {told}")
    if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        raise ValueError(f"{path}: '{spec['name']}' contains NaN or infinity")


def _check_rows(path: str, specs: Sequence[Spec], arrays: Mapping[str, Any]) -> None:
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        told = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise ValueError(f"{path}: all inputs need the same number of rows, at least one ({told})")
    batch = batch_of(specs)
    rows = next(iter(counts.values()))
    if batch is not None and rows < batch:
        raise ValueError(
            f"{path} has {rows} rows; the model's batch is fixed to {batch}, give as many at least"
        )


def generate(
    specs: Sequence[Spec],
    ranges: Mapping[str, Sequence[float]],
    seed: int | Sequence[int],
    sizes: Mapping[str, int],
    least: int = ROWS,
) -> dict[str, Any]:
    """Return seeded data of ``least`` distinct rows (or a fixed batch's multiple) for each input.

    Floats are normal(0, 1), or uniform in their range (all of one value where that is empty); integers are uniform in their range, else in [0, sizes[name])
    where the model looks them up in a table of that size, else ones where they are called a mask, else in [0, 256) as
    far as their type goes. ValueError for ranges that no input has or that are empty.
    """
    unknown = sorted(set(ranges) - {spec["name"] for spec in specs})
    if unknown:
        names = ", ".join(spec["name"] for spec in specs)
        raise ValueError(f"--input-range names unknown inputs: {', '.join(unknown)} (known: {names})")
    batch = batch_of(specs)
    rows = least if batch is None else batch * -(-least // batch)
    random = np.random.default_rng(seed)
    return {
        spec["name"]: _draw(random, (rows, *spec["shape"][1:]), spec, ranges.get(spec["name"]), sizes)
        for spec in specs
    }


def _draw(
    random: Any, shape: Any, spec: Spec, limits: Sequence[float] | None, sizes: Mapping[str, int]
) -> Any:
    dtype = np.dtype(spec["dtype"])
    if limits is not None and limits[0] == limits[1]:
        return filled(shape, spec, limits[0])
    if limits is not None and not limits[0] < limits[1]:
        raise ValueError(
            f"--input-range {spec['name']}={limits[0]:g}:{limits[1]:g} is empty; LOW must be below HIGH"
        )
    if dtype.kind == "f":
        drawn = random.normal(size=shape) if limits is None else random.uniform(*limits, size=shape)
        return drawn.astype(dtype)
    if limits is None and is_mask(spec):
        return np.ones(shape, dtype)
    if dtype.kind == "b":
        return random.integers(0, 2, size=shape).astype(bool)
    if dtype.kind not in "iu":
        raise ValueError(
            f"input '{spec['name']}' has dtype {dtype}; numbers can be generated only for numeric inputs"
        )
    low, high = integer_limits(spec, limits, sizes, dtype)
    return random.integers(low, high, size=shape).astype(dtype)


def filled(shape: Any, spec: Spec, value: float) -> Any:
    """Return an array of one value; ValueError where the type does not hold it."""
    dtype = np.dtype(spec["dtype"])
    with np.errstate(all="ignore"):
        held = np.array(value).astype(dtype)
    if dtype.kind != "f" and float(held) != value:
        raise ValueError(f"--input-range {spec['name']}={value:g} does not fit {dtype}")
    return np.full(shape, held)


def is_mask(spec: Spec) -> bool:
    """Return whether an input is called a mask, and can be one."""
    return np.dtype(spec["dtype"]).kind in "biu" and bool(_MASK.search(spec["name"]))


def integer_limits(
    spec: Spec, limits: Sequence[float] | None, sizes: Mapping[str, int], dtype: Any
) -> tuple[int, int]:
    """Return from where up to where, itself left out, an input's integers are drawn."""
    if limits is None:
        return 0, sizes.get(spec["name"], min(_INTEGERS, int(np.iinfo(dtype).max) + 1))
    low, high = int(limits[0]), int(limits[1])
    bounds = np.iinfo(dtype)
    if low < bounds.min or high - 1 > bounds.max:
        raise ValueError(
            f"--input-range {spec['name']}={low}:{high} does not fit {dtype} ({bounds.min}..{bounds.max})"
        )
    return low, high


def run_in_chunks(
    call: Callable[[list[Any]], Sequence[Any]], arrays: Sequence[Any], batch: int | None = None
) -> list[Any]:
    """Run ``call`` over the rows, ``batch`` (or `CHUNK`) at a time, and return each output's rows together (`worker.ragged`)."""
    rows, size = len(arrays[0]), batch or CHUNK
    parts = [
        [np.asarray(output) for output in call([array[start : start + size] for array in arrays])]
        for start in range(0, rows, size)
    ]
    if not parts[0]:
        raise ValueError("the model has no outputs")
    return [ragged.concatenated([part[index] for part in parts]) for index in range(len(parts[0]))]


def write_npz(path: str, arrays: Mapping[str, Any]) -> None:
    """Write arrays by name, uncompressed; equal arrays give equal bytes."""
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise ValueError(f"'{name}' has dtype {array.dtype}, which inferometer cannot compare")
    with zipfile.ZipFile(
        path, "w"
    ) as archive:  # np.savez would stamp the time and refuse an input named `file`
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)


def in_layout(array: Any, source: str, target: str) -> Any:
    """Return a 4-D array turned from one layout ("NHWC", "NCHW") to another; anything else, and "", unchanged."""
    if array.ndim != 4 or not source or not target or source == target:
        return array
    return np.ascontiguousarray(array.transpose((0, 3, 1, 2) if target == "NCHW" else (0, 2, 3, 1)))


def rows_of(request: Mapping[str, Any]) -> list[Any]:
    """Return the rows that a conversion is checked on, in the layout of the artifact that the request is about."""
    with np.load(request["inputs"], allow_pickle=False) as file:
        return [in_layout(file[name], request["source_layout"], request["layout"]) for name in file.files]


def write_check(out: str | Path, outputs: Sequence[Any]) -> None:
    """Write what a product answered, for the parent to compare with the reference."""
    write_npz(str(Path(out) / "check.npz"), numbered(outputs))


def write_rows(out: Path, arrays: Mapping[str, Any], outputs: Sequence[Any], again: Sequence[Any]) -> None:
    """Write a source's rows, their reference outputs, and what its own form answered (`write_check`)."""
    write_npz(str(out / "inputs.npz"), arrays)
    write_npz(str(out / "reference.npz"), numbered(outputs))
    write_check(out, again)


def numbered(outputs: Iterable[Any]) -> dict[str, Any]:
    """Return outputs by the names output_0, output_1, ..."""
    return {f"output_{place}": array for place, array in enumerate(outputs)}


def output_specs(
    outputs: Sequence[Any], names: Sequence[str] | None = None, batch: int | None = None
) -> list[Spec]:
    """Return the specs of outputs as they came out, the first dimension being the batch."""
    names = names or [f"output_{index}" for index in range(len(outputs))]
    return [
        {"name": name, "shape": [batch, *output.shape[1:]], "dtype": output.dtype.name}
        for name, output in zip(names, outputs, strict=True)
    ]
