"""What a row is called by where a model's file is measured as it is: by what is inside, counted over its operators with weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inferometer.units import counted, listed

_PREFIX = "stored-"
_WORDS = {
    "int8": "int8 weights and activations",
    "int8-int16": "int8 weights and int16 activations",
    "int8-weights": "int8 weights only",
    "int4-weights": "int4 weights only",
    "fp16-weights": "fp16 weights only",
}


@dataclass(frozen=True)
class Stored:
    """A file whose own precision is below fp32: one precision of its own."""

    label: str  # the precision of its cells, as in "stored-int8"
    words: str  # what is inside

    def answers(self, asked: str) -> bool:
        """Return whether its rows are what a request for a precision gets: fp32 and int8 (as it is), or its own."""
        return asked in ("fp32", "int8", self.label.removeprefix(_PREFIX))

    def refusal(self, asked: str) -> str:
        """Return why it is not measured at another precision."""
        return (
            f"the model's file holds {self.words} and is measured as it is ({self.label}); "
            f"for {asked} give the model in fp32"
        )


def stored_as(coarsest: str, holds: Mapping[str, int]) -> Stored:
    """Return what a file is called whose coarsest precision is ``coarsest``.

    ``holds``: kind -> how many operators with weights; a kind is a precision ("int8": weights and activations) or
    that of weights alone ("int8-weights").
    """
    total = sum(holds.values())
    most = max(holds, key=lambda kind: holds[kind], default="")
    if not total:
        return Stored(_PREFIX + coarsest, f"{coarsest}, in no operator with weights")
    kind = most if 2 * holds[most] > total and most != "fp32" else "mixed"
    first, *others = sorted(holds, key=lambda kind: (kind == "fp32", -holds[kind], kind))
    told = f"{_WORDS.get(first, first)} in {holds[first]} of {counted(total, 'operator')} with weights"
    rest = [f"{_WORDS.get(kind, kind)} in {holds[kind]}" for kind in others]
    rest += [f"{coarsest} elsewhere"] if set(holds) == {"fp32"} else []
    return Stored(_PREFIX + kind, f"{told}, {listed(rest)}" if rest else told)


def for_any(reason: str, precision: str) -> str:
    """Return why a precision is not measured without its name, so that several that are not for the same reason read as one."""
    return reason.removesuffix(f", not {precision}")


def is_stored(precision: str) -> bool:
    """Return whether a cell's precision is that of its model's own file."""
    return precision.startswith(_PREFIX)


def holds_integers(precision: str) -> bool:
    """Return whether a cell's precision is that of a file with integers in it."""
    return is_stored(precision) and precision not in (f"{_PREFIX}fp16", f"{_PREFIX}bf16")
