"""Find every meter of this machine, or say why it is not there and what would help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from inferometer.energy.readings import Meter
from inferometer.energy.selection import Selection
from inferometer.errors import InferometerError


@dataclass(frozen=True)
class Absence:
    """A meter that cannot be used: which kind, for which type of device, why, and the remedy."""

    meter: str
    type: str
    reason: str
    remedy: str = ""
    device: str = ""

    @property
    def line(self) -> str:
        """Return it as one line."""
        subject = f"{self.meter} {self.device}".strip()
        return f"{subject}: {self.reason}" + (f" ({self.remedy})" if self.remedy else "")


@dataclass(frozen=True)
class Found:
    """Usable meters and the absent ones."""

    meters: tuple[Meter, ...] = ()
    absences: tuple[Absence, ...] = ()

    def __add__(self, other: Found) -> Found:
        return Found(self.meters + other.meters, self.absences + other.absences)


Finder = Callable[[Mapping[str, str]], Found]


def discover(selection: Selection, environ: Mapping[str, str], *, powercap: str | None = None) -> Found:
    """Return the wanted meters; a plug-in that fails becomes an absence, never an exception.

    Network meters are those of the selection and of INFEROMETER_MQTT (addresses with spaces between).
    """
    if powercap is not None:
        environ = {**environ, "INFEROMETER_POWERCAP": powercap}
    found = Found()
    for name, finder in _finders(selection, environ):
        if selection.wants_meter(name):
            found += _guarded(name, finder, environ)
    return _wanted(found, selection)


def _finders(selection: Selection, environ: Mapping[str, str]) -> Iterable[tuple[str, Finder]]:
    from inferometer.energy import amd, nvml, plugins, rapl

    yield "nvml", nvml.find
    yield "rapl", rapl.find
    yield "amd", amd.find
    urls = list(selection.urls)
    urls += [url for url in environ.get("INFEROMETER_MQTT", "").split() if url not in urls]
    if urls:
        from inferometer.energy import mqtt

        yield "mqtt", lambda environ: mqtt.find(environ, urls)
    yield from plugins.finders()


def _guarded(name: str, finder: Finder, environ: Mapping[str, str]) -> Found:
    try:
        return finder(environ)
    except InferometerError as error:
        return Found(absences=(Absence(name, "", str(error)),))
    except Exception as error:  # a plug-in of others, or a vendor's library: the run goes on without it
        return Found(absences=(Absence(name, "", f"failed with {type(error).__name__}: {error}"),))


def _wanted(found: Found, selection: Selection) -> Found:
    meters: dict[str, Meter] = {}
    for meter in found.meters:
        if selection.accepts(meter.device) and meter.device.uid not in meters:
            meters[meter.device.uid] = meter
        else:
            meter.close()
    return Found(tuple(meters.values()), found.absences)
