"""Which meters to use: terms such as 'nvml', '!rapl', 'type=gpu', 'name=*H100*', 'mqtt://lab:1883/EMA/rack1'."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from inferometer.energy.readings import MeteredDevice
from inferometer.errors import UsageError, unknown

FIELDS = ("meter", "name", "type", "uid")
SCHEMES = {"mqtt": ("mqtt://", "mqtts://"), "redfish": ("redfish://", "redfish+http://")}  # by meter
_SCHEMES = tuple(scheme for schemes in SCHEMES.values() for scheme in schemes)


@dataclass(frozen=True)
class Term:
    """One condition on a device's field; `*` and `?` match any text and any letter, case is ignored."""

    field: str
    pattern: str

    def matches(self, device: MeteredDevice) -> bool:
        """Tell whether the device meets the condition."""
        return fnmatchcase(str(getattr(device, self.field)).lower(), self.pattern.lower())


@dataclass(frozen=True)
class Selection:
    """Devices to include (any one of the terms; none: all), to exclude, and network meters to add."""

    include: tuple[Term, ...] = ()
    exclude: tuple[Term, ...] = ()
    urls: tuple[str, ...] = ()

    @classmethod
    def parse(cls, terms: Iterable[str]) -> Selection:
        """Read terms: [!][field=]pattern with field meter (the default), name, type or uid; or a URL to add."""
        include, exclude, urls = [], [], []
        for text in terms:
            if text.startswith(_SCHEMES):
                urls.append(text)
            elif text.startswith("!"):
                exclude.append(_parse_term(text[1:]))
            else:
                include.append(_parse_term(text))
        return cls(tuple(include), tuple(exclude), tuple(urls))

    def urls_of(self, meter: str) -> list[str]:
        """Return the addresses of one kind of network meter."""
        return [url for url in self.urls if url.startswith(SCHEMES[meter])]

    def accepts(self, device: MeteredDevice, finder: str = "") -> bool:
        """Tell whether the device is wanted; ``finder``: what found it, where that is not the meter that reads it."""
        names = (device, replace(device, meter=finder)) if finder else (device,)
        if any(term.matches(name) for term in self.exclude for name in names):
            return False
        return not self.include or any(term.matches(name) for term in self.include for name in names)

    def named(self, field: str) -> list[str]:
        """Return the whole names, in small letters, that terms give for a field; patterns are none."""
        patterns = (term.pattern.lower() for term in (*self.include, *self.exclude) if term.field == field)
        return [pattern for pattern in patterns if not set("*?[") & set(pattern)]

    def wants_meter(self, meter: str, *, finds_others: bool = False) -> bool:
        """Tell whether any device of this plug-in can be wanted, so that the others are not even looked for.

        ``finds_others``: its devices are those of other meters, so that terms for these can mean them.
        """
        name = meter.lower()
        if any(t.field == "meter" and fnmatchcase(name, t.pattern.lower()) for t in self.exclude):
            return False
        by_meter = [t for t in self.include if t.field == "meter"]
        if len(by_meter) < len(self.include) or not self.include or finds_others:
            return True
        return any(fnmatchcase(name, t.pattern.lower()) for t in by_meter)


def _parse_term(text: str) -> Term:
    field, separator, pattern = text.partition("=")
    if not separator:
        field, pattern = "meter", text
    if field == "plugin":
        field = "meter"
    if field not in FIELDS:
        raise unknown("field of a meter", field, FIELDS)
    if not pattern:
        raise UsageError(f"'{text}' selects no meter; write for example nvml, !rapl, type=gpu or name=*H100*")
    return Term(field, pattern)
