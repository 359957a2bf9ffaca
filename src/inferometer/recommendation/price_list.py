"""What each machine costs: prices that hold for all, and those of machines whose name has some words (a TOML file)."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inferometer.errors import UsageError, unknown
from inferometer.recommendation.objectives import USUAL_PRICES, Prices
from inferometer.records.machine import is_named

_OF_ALL = ("currency", "per_kwh", "per_hour", "machines")
_OF_ONE = ("per_kwh", "per_hour")
_SIGNS = re.compile(r"\((R|TM)\)")  # that makers add to names
_ALIKE = 0.7  # of difflib: two of five letters swapped are still it


@dataclass(frozen=True)
class PriceList:
    """Prices by machine; a text means every machine whose name has it as whole words (`is_named`)."""

    usual: Prices = USUAL_PRICES
    machines: tuple[tuple[str, Prices], ...] = ()

    def of(self, machine: str) -> Prices:
        """Return a machine's prices; UsageError where several texts mean it."""
        found = [(text, prices) for text, prices in self.machines if is_named(text, machine)]
        if len(found) > 1:
            texts = " and ".join(f"'{text}'" for text, _ in found)
            raise UsageError(f"the prices' {texts} both mean {machine}: make them longer")
        return found[0][1] if found else self.usual

    def check(self, machines: Collection[str]) -> None:
        """Raise UsageError where there are texts, and all of them mean none of these machines."""
        idle = self._idle(machines)
        if len(idle) == 1 == len(self.machines):
            raise unknown("machine of the prices", idle[0], machines)
        if idle and len(idle) == len(self.machines):
            texts = ", ".join(self.of_none(machines))
            raise UsageError(
                f"the prices are of none of these machines: {texts} (known: {', '.join(sorted(machines))})"
            )

    def of_none(self, machines: Collection[str]) -> list[str]:
        """Return the texts that mean none of these machines, quoted, with what was meant where one looks like a slip."""
        return [_with_hint(text, machines) for text in self._idle(machines)]

    def _idle(self, machines: Collection[str]) -> list[str]:
        return [text for text, _ in self.machines if not any(is_named(text, machine) for machine in machines)]


def _with_hint(text: str, machines: Iterable[str]) -> str:
    near = _slip_of(text, machines)
    return f"'{text}' (did you mean '{near}'?)" if near else f"'{text}'"


def _slip_of(text: str, machines: Iterable[str]) -> str:
    """Return the part of a machine's name that a text looks like; other digits or another first letter are another machine."""
    count = len(text.split())
    for machine in machines:
        words = _SIGNS.sub("", machine).split()
        for part in (" ".join(words[at : at + count]) for at in range(len(words))):
            mine, own = text.casefold(), part.casefold()
            alike = difflib.SequenceMatcher(None, mine, own).ratio() >= _ALIKE
            if alike and mine[:1] == own[:1] and _digits(mine) == _digits(own):
                return part
    return ""


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def read_prices(path: Path, usual: Prices = USUAL_PRICES) -> PriceList:
    """Read a price list; what it does not say of all machines is ``usual``. UsageError with the place of what is wrong.

    TOML: ``currency``, ``per_kwh``, ``per_hour``, and under ``[machines]`` a text of the machine's name with its price an
    hour, or with a table of ``per_hour`` and ``per_kwh``.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--prices {path}: {error.strerror}; give a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--prices {path} is no TOML: {error}") from error
    machines = told.pop("machines", {})
    if not isinstance(machines, Mapping):
        raise UsageError(f"--prices {path}: machines is a table of names and prices")
    all_ = _prices(path, "", told, usual, _OF_ALL)
    found = []
    for text, price in machines.items():
        fields = price if isinstance(price, Mapping) else {"per_hour": price}
        found.append((text, _prices(path, f"machines.{text}: ", fields, all_, _OF_ONE)))
    return PriceList(all_, tuple(found))


def _prices(path: Path, place: str, told: Mapping[str, Any], usual: Prices, known: Collection[str]) -> Prices:
    for name, value in told.items():
        if name not in known:
            raise UsageError(f"--prices {path}: {place}{unknown('price', name, known)}")
        if name != "currency" and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise UsageError(f"--prices {path}: {place}{name} is {value!r}: give a number")
        if name == "currency" and not isinstance(value, str):
            raise UsageError(f"--prices {path}: {place}currency is {value!r}: give a word, as 'EUR'")
    try:
        return replace(usual, **told)
    except UsageError as error:
        raise UsageError(f"--prices {path}: {place}{error}") from error
