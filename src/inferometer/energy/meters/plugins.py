"""Others' meters: entry points of the group `inferometer.meters`.

An entry point names a function that takes the environment (a mapping) and returns `found.Found`: meters that satisfy
`readings.Meter`, whose devices name the entry point as their meter, and absences with reason and remedy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from inferometer.energy.meters.found import Finder, Found

GROUP = "inferometer.meters"


def finders() -> Iterator[tuple[str, Finder]]:
    """Return each plug-in's name and its function, loaded when called."""
    for point in entry_points(group=GROUP):
        yield point.name, _loader(point)


def _loader(point: EntryPoint) -> Finder:
    def find(environ: Mapping[str, str]) -> Found:
        found = point.load()(environ)
        if not isinstance(found, Found):
            raise TypeError(
                f"{point.value} returned {type(found).__name__}, not inferometer.energy.meters.found.Found"
            )
        for meter in found.meters:
            if meter.device.meter != point.name:
                raise ValueError(
                    f"the device {meter.device.uid} says that its meter is '{meter.device.meter}', not '{point.name}'"
                )
        return found

    return find
