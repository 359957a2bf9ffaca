"""Find every meter of this machine, or say why it is not there and what would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from inferometer.energy.meters import built_in, plugins
from inferometer.energy.meters.found import Absence, Finder, Found
from inferometer.energy.meters.selection import Selection
from inferometer.energy.readings import Meter
from inferometer.errors import InferometerError, UsageError, unknown
from inferometer.worker.failures import failure_text


def discover(selection: Selection, environ: Mapping[str, str], *, powercap: str | None = None) -> Found:
    """Return the wanted meters; a plug-in that fails becomes an absence, never an exception.

    Where the processors have a meter of their own, one of the whole system is read only if it is asked for.

    Network meters are those of the selection and of INFEROMETER_MQTT (addresses with spaces between). UsageError for the
    name of a meter that does not exist.
    """
    if powercap is not None:
        environ = {**environ, "INFEROMETER_POWERCAP": powercap}
    urls = list(dict.fromkeys((*selection.urls, *environ.get("INFEROMETER_MQTT", "").split())))
    check_names(selection, urls)
    environ = {**environ, "INFEROMETER_MQTT": " ".join(urls)}
    found = Found()
    for name, finder in chain(built_in.finders(), plugins.finders()):
        if selection.wants_meter(name):
            found += _guarded(name, finder, environ)
    return _wanted(found, selection)


def check_names(selection: Selection, urls: Sequence[str]) -> None:
    """Raise UsageError if a meter is named that does not exist, or network meters without an address in ``urls``."""
    known = [*built_in.NAMES, *(name for name, _ in plugins.finders())]
    for name in selection.named("meter"):
        if name not in [one.lower() for one in known]:
            raise unknown("meter", name, known)
    if not urls and "mqtt" in [term.pattern.lower() for term in selection.include if term.field == "meter"]:
        raise UsageError("mqtt needs an address: add --meter mqtt://host:1883/topic, or set INFEROMETER_MQTT")


def _guarded(name: str, finder: Finder, environ: Mapping[str, str]) -> Found:
    try:
        return finder(environ)
    except InferometerError as error:
        return Found(absences=(Absence(name, "", str(error)),))
    except Exception as error:  # a plug-in of others, or a vendor's library: the run goes on without it
        return Found(absences=(Absence(name, "", f"failed with {failure_text(error)}"),))


def _wanted(found: Found, selection: Selection) -> Found:
    meters: dict[str, Meter] = {}
    processors = any(meter.device.type == "cpu" for meter in found.meters)
    for meter in found.meters:
        whole = meter.device.type == "psys" and processors and not selection.include
        if selection.accepts(meter.device) and meter.device.uid not in meters and not whole:
            meters[meter.device.uid] = meter
        else:
            meter.close()
    return Found(tuple(meters.values()), found.absences)
