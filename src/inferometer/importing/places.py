"""Where a row of a long table belongs: what the row says itself, else what the options say, and which of the two it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.errors import UsageError
from inferometer.importing import names
from inferometer.importing.csvfile import Log, whole
from inferometer.records import Cell

# the study's, where neither file nor option says
MODEL, PRECISION, DEVICE = "mobilenet_v3_large", "fp32", "cuda:0"
_DEVICE = re.compile(r"cpu|(cuda|rocm):\d{1,3}")
_CPU_NAME = re.compile(r"\b(cpu|processor|xeon|epyc|ryzen|core\(tm\)|neoverse|cortex)", re.IGNORECASE)
_SHOWN = 3


@dataclass
class Options:
    """What the user says of figures whose files do not; "" for nothing. Keeps what came of it."""

    gpu: str = ""
    model: str = ""
    precision: str = ""
    used: set[str] = field(default_factory=set)
    told: dict[str, dict[str, None]] = field(default_factory=dict)  # what files said themselves, by option

    def choose(self, name: str, said: str) -> str:
        """Return what a file says of ``name``, else the option; "" where neither does."""
        if said:
            self.told.setdefault(name, {})[said] = None
            return said
        self.used.add(name)
        return str(getattr(self, name))

    def check(self) -> None:
        """Raise UsageError for an option that no row took, since the files say otherwise."""
        for name in ("gpu", "model", "precision"):
            given, told = getattr(self, name), [*self.told.get(name, {})]
            if given and name not in self.used and told not in ([], [given]):
                more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
                raise UsageError(
                    f"--{name} {given} changes nothing: the files say {', '.join(told[:_SHOWN])}{more}; leave it out"
                )


def place(texts: Mapping[str, str], options: Options) -> tuple[str, Cell]:
    """Return the machine and the cell of a row; ValueError where it has no framework, batch size or machine."""
    if not texts["framework"]:
        raise ValueError("framework is empty")
    known = names.framework(texts["framework"])
    exact = known.prefix == ""
    said = texts.get("device", "")
    device = said.lower() if _DEVICE.fullmatch(said.lower()) else ""
    gpu = options.choose("gpu", texts.get("gpu") or ("" if device else said)) or device
    if not gpu:
        raise ValueError("no machine: the table has no gpu column; give --gpu NAME")
    named = known.precision if exact and known.tells_precision else ""
    precision = options.choose("precision", texts.get("precision") or named) or PRECISION
    return gpu, Cell(
        options.choose("model", texts.get("model", "")) or MODEL,
        known.framework if exact else texts["framework"].lower(),
        precision,
        whole(texts["batch_size"], "batch_size"),
        device or device_of(gpu),
        texts.get("mode") or "host",
    )


def device_of(machine: str) -> str:
    """Return the device that a machine's name means: "cpu" for what makers call CPUs, else the first GPU."""
    return "cpu" if _CPU_NAME.search(machine) else DEVICE


def note_assumed(path: Path, targets: set[str], options: Options, log: Log) -> None:
    """Note what a table does not say and no option does: of our own tables before they said it, too."""
    if "model" not in targets and not options.model:
        log.assume(path, f"names no model: taken for {MODEL} (--model NAME says which)")
    if "metric" in targets and "device" not in targets:
        log.assume(path, "names no device: cpu where the machine is called as CPUs are, else cuda:0")
