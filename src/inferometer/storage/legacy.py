"""What version 0.1 wrote as sentences, read as the data of today. Nothing else in the package reads its own sentences."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from inferometer.flags import CELL, ENERGY, KINDS
from inferometer.records import Record

_N = r"[\d,.]+"
_SHARE = rf"(?P<share_percent>{_N}) % of the (?P<processors>\d+) processors' time"
# kind and the sentence that told it; a group's name ends in the unit that was printed (`_TO_SI`)
_SENTENCES = tuple(
    (kind, re.compile(sentence))
    for kind, sentence in (
        ("partial-batch", r"last batch of each loop holds (?P<last>\d+) of (?P<full>\d+) images"),
        (
            "warmup-cut",
            rf"warm-up cut at (?P<done>\d+) of (?P<asked>\d+) batches by the budget of (?P<budget_s>{_N}) s",
        ),
        (
            "few-loops",
            rf"(?P<done>\d+) of (?P<asked>\d+) loops within the (?P<limit>budget|energy window) of (?P<limit_s>{_N}) s",
        ),
        ("phases-not-sampled", r"phases not sampled: (?P<error>.*)"),
        ("pipelined-input", r"host-pipelined: input travels as uint8 .*"),
        ("malformed-loops", r"(?P<count>\d+) malformed loops left out"),
        (
            "beside",
            r"measured at once with (?P<device>\S+): (?P<ran>.*?)(; during (?P<loops_share_percent>\d+)% of its loops)?",
        ),
        ("others-computed", rf"other processes had {_SHARE} during the loops"),
        ("crowded", rf"crowded: other processes had {_SHARE} during the loops"),
        ("hypervisor", rf"the hypervisor took {_SHARE} during the loops"),
        ("quota", rf"a quota held the loops back for {_SHARE}"),
        (
            "gpu-neighbour",
            rf"another process \(pid (?P<pid_text>\d+)\) holds (memory|(?P<held_gib>{_N}) GiB) on this GPU",
        ),
        ("gpu-neighbour-computed", r"another process \(pid (?P<pid_text>\d+)\) computed on this GPU"),
        ("gpu-newcomers", r"(?P<count>\d+) processes came to this GPU with the worker, one is expected"),
        ("gpu-busy-before", r"this GPU was (?P<share_percent>\d+) % busy before the run"),
        ("gpu-memory-before", rf"(?P<used_gib>{_N}) GiB were in use on this GPU before the run"),
        (
            "gpu-memory-changed",
            rf"others' memory on this GPU went from (?P<before_gib>{_N}) GiB to (?P<after_gib>{_N}) GiB since the run began",
        ),
        (
            "placement-not-shown",
            rf"placement not shown: .* fell from (?P<before_gib>{_N}) GiB to (?P<after_gib>{_N}) GiB meanwhile",
        ),
        (
            "placement-not-checked",
            r"placement not checked: the driver did not answer \((?P<error>.*)\)",
        ),
        (
            "setting-changed",
            r"(?P<setting>.+) changed from (?P<before_text>.*) to (?P<after_text>.*) inside the cell",
        ),
        ("throttled", rf"throttled: (?P<reason>.+) for (?P<seconds>{_N}) s"),
        ("throttled", r"throttled: (?P<device>\S+[:-]\S+): (?P<reason>.+)"),
        ("throttled", r"throttled: (?P<reason>.+)"),
        (
            "clock-unsteady",
            r"(?P<clock>SM|memory) clock between (?P<low_mhz>\d+) and (?P<high_mhz>\d+) MHz during the loops",
        ),
        ("warmed", r"between (?P<low_c>\d+) and (?P<high_c>\d+) °C during the loops"),
        (
            "nodes-elsewhere",
            r"(?P<strays>\d+) of (?P<total>\d+) nodes run on the CPU: (?P<counts>.*)",
        ),
        ("weights-elsewhere", r"(?P<count>\d+) weights lie on (?P<device>\S+), not on (?P<wanted>\S+)"),
        ("weights-elsewhere", r"(?P<count>\d+) (weights|variables) lie on (the )?(?P<device>\S+)"),
        (
            "other-precision",
            r"(?P<count>\d+) of (?P<total>\d+) convolutions and products give (?P<precision>\S+), not (?P<most>\S+)",
        ),
        ("not-page-locked", r"batches were not sent from page-locked memory: (?P<error>.*)"),
        ("left-to-tensorflow", r"(?P<count>\d+) operations ran in TensorFlow, not in TensorRT"),
        (
            "phase-shifted",
            rf"energy: loops in (?P<trials>\d+) trials, shifted in phase, .* \(every (?P<period_ms>{_N}) ms\)",
        ),
        (
            "aliasing",
            rf"energy: (?P<device>\S+): (?P<pieces>loops|batches) of (?P<piece_ms>{_N}) ms keep step with its updates "
            rf"\((?P<period_ms>{_N}) ms\)",
        ),
    )
)
_TO_SI = {
    "_ms": ("_s", 1e-3),
    "_percent": ("", 1e-2),
    "_gib": ("_bytes", 2.0**30),
    "_mhz": ("_hz", 1e6),
    "_text": ("", None),
}
_NUMBER = re.compile(r"\d[\d,]*(\.\d+)?")
_ABSENCES = {
    "no meter": "no meter",
    "no loop was timed": "not timed",
    "no EMA region": "no region",
}  # how reasons began


def record_of(data: Any) -> Record:
    """Return the record of a decoded line whose flags are sentences; msgspec.ValidationError as `msgspec.convert`."""
    flags = data.get("flags") if isinstance(data, dict) else None
    if isinstance(flags, list):
        data = {**data, "flags": [_flag(found) if isinstance(found, str) else found for found in flags]}
    return msgspec.convert(data, Record)


def with_absence(record: Record) -> Record:
    """Return the record with the reason for no energy in two words, where it has only the sentence."""
    energy = record.energy
    if energy is None or not energy.reason or energy.absence:
        return record
    absence = next((known for start, known in _ABSENCES.items() if energy.reason.startswith(start)), "")
    return msgspec.structs.replace(record, energy=msgspec.structs.replace(energy, absence=absence))


def _flag(sentence: str) -> dict[str, Any]:
    for kind, pattern in _SENTENCES:
        if found := pattern.fullmatch(sentence):
            values = dict(_value(*pair) for pair in found.groupdict().items() if pair[1] is not None)
            if kind == "nodes-elsewhere":
                values["kinds"] = re.sub(r"\d+ ", "", str(values["counts"]))
            return {"kind": kind, "scope": KINDS[kind].scope, "values": values}
    scope = ENERGY if sentence.startswith("energy: ") else CELL
    return {"kind": "text", "scope": scope, "values": {"text": sentence}}


def _value(name: str, text: str) -> tuple[str, float | int | str]:
    """Return a value's name and the value, in SI units."""
    stem, unit = next(
        ((name.removesuffix(end), unit) for end, unit in _TO_SI.items() if name.endswith(end)),
        (name, ("", 1)),
    )
    suffix, factor = unit
    if factor is None or not _NUMBER.fullmatch(text):
        return stem + suffix, text
    plain = text.replace(",", "")
    number = float(plain) if "." in plain else int(plain)
    return stem + suffix, number if factor == 1 else number * factor
