"""Find every meter of this machine, or say why it is not there and what would help."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from inferometer.energy.meters import built_in, plugins
from inferometer.energy.meters.found import Absence, Finder, Found
from inferometer.energy.meters.selection import Selection
from inferometer.energy.readings import Meter
from inferometer.errors import InferometerError, UsageError, unknown
from inferometer.worker.failures import failure_text

_NETWORK = {"mqtt": "INFEROMETER_MQTT", "redfish": "INFEROMETER_REDFISH"}  # addresses come by these variables
_EXAMPLES = {"mqtt": "mqtt://host:1883/topic", "redfish": "redfish://bmc"}


def discover(selection: Selection, environ: Mapping[str, str], *, powercap: str | None = None) -> Found:
    """Return the wanted meters; a plug-in that fails becomes an absence, never an exception.

    Where the processors have a meter of their own, one of the whole system is read only if it is asked for.

    Network meters are those of the selection and of INFEROMETER_MQTT and INFEROMETER_REDFISH (addresses with spaces between).
    UsageError for the name of a meter that does not exist, and for a ``powercap`` that is no folder.
    """
    if powercap is not None:
        check_powercap(powercap)
        environ = {**environ, "INFEROMETER_POWERCAP": powercap}
    check_names(selection, environ)
    environ = {
        **environ,
        **{_NETWORK[meter]: " ".join(_urls(selection, environ, meter)) for meter in _NETWORK},
    }
    found: dict[str, Found] = {}
    for name, finder in chain(built_in.finders(), plugins.finders()):
        if selection.wants_meter(name, finds_others=name in built_in.FIND_OTHERS):
            found[name] = _guarded(name, finder, environ)
    return _wanted(found, selection)


def check_powercap(folder: str) -> None:
    """Raise UsageError for a folder of powercap zones that was named and is none; "" for none named."""
    if folder and not Path(folder).is_dir():
        raise UsageError(
            f"--powercap {folder}: there is no such folder; give the one that holds intel-rapl:0"
        )


def _urls(selection: Selection, environ: Mapping[str, str], meter: str) -> list[str]:
    return list(dict.fromkeys((*selection.urls_of(meter), *environ.get(_NETWORK[meter], "").split())))


def check_names(selection: Selection, environ: Mapping[str, str]) -> None:
    """Raise UsageError if a meter is named that does not exist, or network meters without an address."""
    known = [*built_in.NAMES, *(name for name, _ in plugins.finders())]
    for name in selection.named("meter"):
        if name not in [one.lower() for one in known]:
            raise unknown("meter", name, known)
    wanted = [term.pattern.lower() for term in selection.include if term.field == "meter"]
    for meter, variable in _NETWORK.items():
        if meter in wanted and not _urls(selection, environ, meter):
            raise UsageError(f"{meter} needs an address: add --meter {_EXAMPLES[meter]}, or set {variable}")


def _guarded(name: str, finder: Finder, environ: Mapping[str, str]) -> Found:
    try:
        return finder(environ)
    except InferometerError as error:
        return Found(absences=(Absence(name, "", str(error)),))
    except Exception as error:  # a plug-in of others, or a vendor's library: the run goes on without it
        return Found(absences=(Absence(name, "", f"failed with {failure_text(error)}"),))


def _wanted(found: Mapping[str, Found], selection: Selection) -> Found:
    meters: dict[str, Meter] = {}
    pairs = [(name, meter) for name, one in found.items() for meter in one.meters]
    processors = any(meter.device.type == "cpu" for _, meter in pairs)
    for name, meter in sorted(pairs, key=lambda pair: (pair[0] in built_in.FIND_OTHERS, _detour(pair[1]))):
        whole = meter.device.type == "psys" and processors and not selection.include
        if selection.accepts(meter.device, name) and meter.device.uid not in meters and not whole:
            meters[meter.device.uid] = meter
        else:
            meter.close()
    return Found(tuple(meters.values()), _absences(found, selection, meters))


def _detour(meter: Meter) -> bool:
    """Return whether a counter is read by another meter than the one that it is called by, which comes first."""
    scheme, colon, _ = meter.device.uid.partition(":")
    return bool(colon) and scheme in built_in.NAMES and scheme != meter.device.meter


def _absences(
    found: Mapping[str, Found], selection: Selection, meters: Mapping[str, Meter]
) -> tuple[Absence, ...]:
    """Return those of devices that nothing else reads, and those of meters asked for by name where few machines have them."""
    named = {term.pattern.lower() for term in selection.include if term.field == "meter"}
    told = [absence for one in found.values() for absence in one.absences if absence.device not in meters]
    return (*told, *(a for name, one in found.items() if name in named for a in one.quiet))
