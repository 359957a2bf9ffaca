"""Cells estimated side by side: what each of them needs next is computed of all of them at once (pure).

An estimate rests on about ten values, of which numpy takes longer to be called than to compute. So what estimates a cell is a
generator, that yields what it goes on to use, and finds it computed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any, Protocol, TypeVar


class Computable(Protocol):
    """What is computed of many as quickly as of one."""

    @classmethod
    def compute(cls, several: Sequence[Any]) -> None:
        """Compute, and keep in each, what will be asked of it."""


T = TypeVar("T")
Steps = Generator[Sequence[Computable], None, T]


def together(cells: Iterable[Steps[T]]) -> list[T]:
    """Return what each of some generators returns."""
    steps = list(cells)
    found: dict[int, T] = {}
    while len(found) < len(steps):
        wanted: dict[type[Computable], list[Computable]] = {}
        for place, step in enumerate(steps):
            if place in found:
                continue
            try:
                for one in next(step):
                    wanted.setdefault(type(one), []).append(one)
            except StopIteration as done:
                found[place] = done.value
        for kind, several in wanted.items():
            kind.compute(several)
    return [found[place] for place in range(len(steps))]
