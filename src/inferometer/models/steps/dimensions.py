"""The dimensions of a model's inputs: numbers in its file, bound by the user, or open. Standard library only.

The user binds by `--shape NAME=N`, where NAME is the dimension's own, or INPUT.AXIS, which always works, and by rows of
their own (`--input`), whose shapes say the rest.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
Dimensions = Sequence[Sequence[Any]]  # by input and axis: an int, a name, or None for an open one without
Given = Mapping[str, Sequence[int]]  # input -> shape of the user's own rows


def bind(specs: Sequence[Spec], dimensions: Dimensions, shapes: Mapping[str, int]) -> list[Spec]:
    """Return ``specs`` with every dimension but the batch known, where the batch comes first in all.

    The first dimension is the batch unless it is an int or ``shapes`` fixes it. ValueError names what is still open, and
    the names in ``shapes`` that no input has.
    """
    bound = sized(specs, dimensions, shapes)
    complain([size for axes in bound for size in axes[1:] if isinstance(size, str)])
    found = [
        {**spec, "shape": [None if isinstance(size, str) else size for size in axes]}
        for spec, axes in zip(specs, bound, strict=True)
    ]
    check_batch(found)
    return found


def sized(specs: Sequence[Spec], dimensions: Dimensions, shapes: Mapping[str, int]) -> list[list[int | str]]:
    """Return the dimensions with those that ``shapes`` names bound: ints, and the names of open ones.

    ValueError for names in ``shapes`` that no input has, with those that are near, and for a number that the file fixes.
    """
    names = _names(specs, dimensions)
    places = {
        f"{spec['name']}.{axis}": (spec["name"], axis)
        for spec in specs
        for axis in range(len(names[spec["name"]]))
    }
    unknown = sorted(
        set(shapes) - {name for own in names.values() for name in own if isinstance(name, str)} - set(places)
    )
    if unknown:
        raise ValueError(_unknown(unknown, names))
    for name, size in shapes.items():
        if (
            name in places
            and isinstance(fixed := names[places[name][0]][places[name][1]], int)
            and fixed != size
        ):
            raise ValueError(f"--shape {name}={size}: the model's file fixes this dimension at {fixed}")
    result = []
    for spec in specs:
        axes = names[spec["name"]]
        result.append([_size(spec["name"], axis, name, shapes) for axis, name in enumerate(axes)])
    return result


def _names(specs: Sequence[Spec], dimensions: Dimensions) -> dict[str, list[int | str]]:
    return {
        spec["name"]: [
            size if isinstance(size, int) else _name(size) or f"{spec['name']}.{axis}"
            for axis, size in enumerate(axes)
        ]
        for spec, axes in zip(specs, dimensions, strict=True)
    }


def _name(given: str | None) -> str:
    """Return a dimension's name, "" for one that nobody would type, as "?"."""
    return given if given and re.search(r"\w", given) else ""


def _size(name: str, axis: int, size: int | str, shapes: Mapping[str, int]) -> int | str:
    if isinstance(size, int):
        return size
    return shapes.get(f"{name}.{axis}", shapes.get(size, size))


def _unknown(unknown: Sequence[str], names: Mapping[str, Sequence[int | str]]) -> str:
    known = list(dict.fromkeys(size for axes in names.values() for size in axes if isinstance(size, str)))
    near = difflib.get_close_matches(unknown[0], known, 1)
    hint = (
        f"; did you mean {near[0]}?"
        if near
        else f" (open are {', '.join(known)})"
        if known
        else " (none is open)"
    )
    return f"--shape names dimensions that the model does not have: {', '.join(unknown)}{hint}"


def bound_by(
    specs: Sequence[Spec], dimensions: Sequence[Sequence[int | str]], given: Given, free: Mapping[str, int]
) -> list[list[int | str]]:
    """Return the dimensions with open ones taken from the shapes of the user's own rows.

    ``free``: the axis of each input that is the batch, which stays open. Rows of another number of axes are left to
    `tensors.read_npz`. ValueError where one name has two sizes.
    """
    sizes: dict[str, int] = {}
    for spec, axes in zip(specs, dimensions, strict=True):
        shape = given.get(spec["name"], ())
        for axis, name in enumerate(axes if len(shape) == len(axes) else ()):
            if isinstance(name, int) or free.get(spec["name"]) == axis:
                continue
            if sizes.setdefault(name, shape[axis]) != shape[axis]:
                raise ValueError(
                    f"--input gives dimension {name} two sizes, {sizes[name]} and {shape[axis]} ({spec['name']})"
                )
    return [
        [sizes.get(size, size) if isinstance(size, str) else size for size in axes] for axes in dimensions
    ]


def complain(open_names: Sequence[str]) -> None:
    """Raise ValueError with the options that bind dimensions, where some are open."""
    if open_names:
        names = list(dict.fromkeys(open_names))
        example = " ".join(f"--shape {name}=N" for name in names)
        raise ValueError(f"the model leaves dimensions open: {', '.join(names)}; give {example}")


def check_batch(specs: Sequence[Spec]) -> None:
    """Raise ValueError unless there are inputs, and all have rows first, as many of them."""
    if not specs:
        raise ValueError("the model has no inputs; it would give one answer for ever")
    for spec in specs:
        if not spec["shape"]:
            raise ValueError(
                f"input '{spec['name']}' is a scalar; every input must have the batch as first dimension"
            )
        if any(size is not None and size < (axis == 0) for axis, size in enumerate(spec["shape"])):
            told = "x".join("batch" if size is None else str(size) for size in spec["shape"])
            raise ValueError(f"input '{spec['name']}' has shape {told}; there are no rows of such a size")
    first = {spec["name"]: spec["shape"][0] for spec in specs}
    if len(set(first.values())) > 1:
        told = ", ".join(f"{name}: {'open' if size is None else size}" for name, size in first.items())
        raise ValueError(
            f"the inputs' first dimensions differ ({told}); every input must have the batch first"
        )
