"""The meters that come with inferometer: a file each, found by its name, with a function `find(environ) -> Found`.

`find` looks for one kind of meter on this machine, told of the environment's variables, and returns what it can read and why
the rest is absent; where this kind cannot exist it returns nothing. A file that is dropped in here is a meter.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from inferometer.energy.meters.found import Finder, Found

NAMES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))

FIND_OTHERS = ("served",)  # whose devices are those of other meters


def finders() -> Iterator[tuple[str, Finder]]:
    """Return each meter's name and its function, imported when called."""
    for name in NAMES:
        yield name, _loader(name)


def _loader(name: str) -> Finder:
    def find(environ: Mapping[str, str]) -> Found:
        found = importlib.import_module(f"{__name__}.{name}").find(environ)
        assert isinstance(found, Found)
        return found

    return find
