"""What a reader of a cell must know besides its numbers: flags as data, and the one place that puts them into words.

A flag has a kind and values; `KINDS` says how each kind is told. Flags of one kind are told as one: numbers that differ as
a span ("cut at 7 to 37 of 50 batches"), while another text (a device's name, a cause) makes another flag. A value that
only a kind's details name differs from round to round, or matters to few: it stays out of tables.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Generic, TypeVar

import msgspec

from inferometer.units import counted, duration

Value = float | int | str
Who = TypeVar("Who", bound=Hashable)

CELL = "cell"  # concerns every figure of a cell
ENERGY = "energy"  # concerns joules and watts only
INTERVAL = "interval"  # concerns the interval of the very figure


class Flag(msgspec.Struct, frozen=True):
    """One thing to know: a kind of `KINDS` (or of a newer version's), what it concerns, and its values in SI units."""

    kind: str
    scope: str = CELL
    values: dict[str, Value] = {}

    def __hash__(self) -> int:
        return hash((self.kind, self.scope, tuple(sorted(self.values.items()))))


@dataclass(frozen=True)
class Kind:
    """How flags of a kind are told; of each tuple those parts whose values are all known."""

    words: tuple[str, ...]  # joined as they are
    details: tuple[str, ...] = ()  # a sentence each, of the values that tables leave out
    scope: str = CELL


def _kind(*words: str, details: Sequence[str] = (), scope: str = CELL) -> Kind:
    return Kind(words, tuple(details), scope)


_ACCOUNTS = "by the kernel's count of each processor's time (/proc/stat)"
_OF_PROCESSORS = "{share:percent} % of the {processors} processors' time"

# in braces a value and how it is shown: a format of Python's or one of `_SHOWN`
KINDS: Mapping[str, Kind] = {
    # how the cell was measured
    "partial-batch": _kind(
        "the last batch of each loop is smaller: {last} of {full} images",
        details=("it counts in images/s; latencies are of full batches",),
    ),
    "warmup-cut": _kind(
        "short warm-up: the time budget of {budget_s:g} s ended it after {done} of {asked} batches; the first loops may be slow",
        details=("--budget ends a slow warm-up at a third of it, and the loops at the whole",),
    ),
    "few-loops": _kind(
        "fewer loops: {done} of {asked} fitted the {limit} of {limit_s:g} s",
        details=("fewer loops know the speed less well; --budget sets when the loops of a slow cell end",),
    ),
    "phases-not-sampled": _kind(
        "no phases of a batch: sampling them failed ({error}); other figures are not affected"
    ),
    "pipelined-input": _kind(
        "host-pipelined: several batches are under way at once, sent as uint8 and converted on the device; "
        "latency counts from handing a batch in to getting its results"
    ),
    "tolerance": _kind("outputs were allowed to differ by {limit:g} from the reference (--tolerance)"),
    "not-checked-after": _kind("outputs were not checked after the loops: {error}"),
    "malformed-loops": _kind("{count:of malformed loop} left out"),
    "rounds-failed": _kind("{bad} of {ended} rounds left out, {status}: {cause}"),
    # who else was there
    "beside": _kind(
        "{device} was measuring too: sharing the host may have slowed both",
        details=(
            "{framework} ran there for {seconds:duration}",
            "{ran}",
            "during {loops_share:percent} % of the loops",
            "--at-once measures devices together; without it they take turns",
        ),
    ),
    "others-computed": _kind(f"other programs took {_OF_PROCESSORS} during the loops", details=(_ACCOUNTS,)),
    "crowded": _kind(
        f"disturbed: other programs took {_OF_PROCESSORS} during the loops; measure again on a quiet machine",
        details=(_ACCOUNTS,),
    ),
    "hypervisor": _kind(
        f"the machine's host gave {_OF_PROCESSORS} to other virtual machines during the loops",
        details=(_ACCOUNTS,),
    ),
    "quota": _kind(
        f"a CPU limit (of the container or service) held the loops back for {_OF_PROCESSORS}",
        details=("by the cgroup's own count of throttled time",),
    ),
    "gpu-neighbour": _kind(
        "another program was on this GPU",
        " (holding {held_bytes:gib} GiB)",
        " and may have slowed it",
        details=("process {pid}, by the driver's list",),
    ),
    "gpu-neighbour-computed": _kind(
        "another program computed on this GPU meanwhile and may have slowed it",
        details=("process {pid}, by the driver's list",),
    ),
    "gpu-newcomers": _kind(
        "{count} processes came to this GPU where one was expected: another program may have slowed it"
    ),
    "gpu-busy-before": _kind(
        "this GPU was {share:percent} % busy before the run began: another program may have slowed it"
    ),
    "gpu-memory-before": _kind(
        "{used_bytes:gib} GiB of this GPU were in use before the run began: another program may have slowed it"
    ),
    "gpu-memory-changed": _kind(
        "other programs' memory on this GPU went from {before_bytes:gib} to {after_bytes:gib} GiB since the run began"
    ),
    # what the device did
    "placement-not-shown": _kind(
        "not confirmed that the work ran on this GPU: other programs freed memory at the same time",
        details=("memory in use went from {before_bytes:gib} to {after_bytes:gib} GiB",),
    ),
    "placement-not-checked": _kind(
        "not confirmed that the work ran on this GPU: its driver did not answer ({error})"
    ),
    "setting-changed": _kind("{setting} changed from {before} to {after} while the cell was measured"),
    "throttled": _kind(
        "throttled: the device held its clocks down ({reason})",
        " for {seconds:.2g} s",
        details=("told by {device} during the loops",),
    ),
    "clock-unsteady": _kind("{clock} clock between {low_hz:mhz} and {high_hz:mhz} MHz during the loops"),
    "warmed": _kind("the device was between {low_c:.0f} and {high_c:.0f} °C during the loops"),
    # what the framework did
    "nodes-elsewhere": _kind(
        "{strays} of {total} operations ran on the CPU instead",
        " ({kinds})",
        details=("{counts}",),
    ),
    "weights-elsewhere": _kind("{count:of weight} on {device}", " instead of {wanted}"),
    "other-precision": _kind(
        "{count} of {total} convolutions and matrix products gave {precision}, not {most} as the others"
    ),
    "not-page-locked": _kind(
        "batches went to the device from ordinary memory, not page-locked, which may be slower: {error}"
    ),
    "left-to-tensorflow": _kind("{count:of operation} ran in TensorFlow, not in TensorRT"),
    # joules
    "phase-shifted": _kind(
        "short pauses between loops keep the power meter from always seeing the same part of the work; no loop's time includes them",
        details=(
            "{trials} groups of loops, each begun at another moment of the meter's updates (every {period_s:ms} ms)",
        ),
        scope=ENERGY,
    ),
    "aliasing": _kind(
        "energy may be off: the {pieces} keep time with the power meter, so that it may see one part of them too often; "
        "try another batch size or more loops",
        details=("{pieces} of {piece_s:ms} ms; updates every {period_s:ms} ms of the meter of {device}",),
        scope=ENERGY,
    ),
    "one-meter": _kind("energy is of the rounds metered by {meter} alone; left out: {others}", scope=ENERGY),
    "meter": _kind("energy by {meter}: compared with cells of the same meter only", scope=ENERGY),
    # intervals and percentiles
    "few-batches": _kind(
        "rough p{level}: {batches:of batch} timed where {needed:,} are needed; more loops or rounds firm it up",
        details=("of so few, fewer than ten lie beyond the percentile",),
        scope=INTERVAL,
    ),
    "one-process": _kind(
        "± is from a single process: another one may differ by more; add rounds to know",
        details=(
            "loops of one process are alike; fresh processes, one a round, show how far apart they can be",
        ),
        scope=INTERVAL,
    ),
    # a sentence of version 0.1 that is none of the above
    "text": _kind("{text}"),
}


def flag(kind: str, **values: Value) -> Flag:
    """Return a flag of a known kind."""
    return Flag(kind, KINDS[kind].scope, values)


@dataclass(frozen=True)
class Told(Generic[Who]):
    """Flags that are told as one: in words, what is behind them, and whom they concern."""

    words: str
    details: tuple[str, ...]
    whom: tuple[Who, ...]


def group(flags: Iterable[tuple[Flag, Who]]) -> list[Told[Who]]:
    """Return (flag, whom it concerns) as they are told, in the order in which each first came."""
    groups: dict[Hashable, list[tuple[Flag, Who]]] = {}
    for found, who in flags:
        groups.setdefault(group_key(found), []).append((found, who))
    return [
        Told(words(*alike), details(*alike), tuple(dict.fromkeys(who for _, who in pairs)))
        for pairs in groups.values()
        if (alike := [found for found, _ in pairs])
    ]


def group_key(found: Flag) -> Hashable:
    """Return what flags have in common that are told as one: kind, scope, and the texts among the values shown."""
    shown = [name for part in _parts(found, _told_as(found).words) for name in _names(part)]
    return (
        found.kind,
        found.scope,
        *((n, v if isinstance(v := found.values[n], str) else None) for n in shown),
    )


def words(*alike: Flag) -> str:
    """Return flags of one `group_key` in words."""
    return "".join(_filled(alike, _told_as(alike[0]).words))


def details(*alike: Flag) -> tuple[str, ...]:
    """Return what is behind flags of one `group_key`, a sentence each."""
    return tuple(_filled(alike, _told_as(alike[0]).details))


def _told_as(found: Flag) -> Kind:
    """Return how a flag is told; of a kind unknown here, or without a value that its kind names, by its values."""
    known = KINDS.get(found.kind)
    if known and _parts(found, known.words[:1]):
        return known
    names = (f"{name} {{{name}}}" for name in found.values if name.isidentifier())
    return Kind((": ".join(filter(None, (found.kind.replace("-", " "), ", ".join(names)))),))


def _parts(found: Flag, parts: Sequence[str]) -> list[str]:
    return [part for part in parts if _names(part) <= found.values.keys()]


def _filled(alike: Sequence[Flag], parts: Sequence[str]) -> list[str]:
    filled = []
    for part in parts:
        able = [found for found in alike if _names(part) <= found.values.keys()]
        if able:
            spans = {name: _Span([found.values[name] for found in able]) for name in _names(part)}
            filled.append(part.format(**spans))
    return filled


@functools.cache
def _names(part: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(part) if name)


_SHOWN = {
    "percent": lambda value: f"{100 * value:.0f}",
    "ms": lambda value: f"{1e3 * value:.4g}",
    "mhz": lambda value: f"{value / 1e6:.0f}",
    "gib": lambda value: f"{value / 2**30:.1f}",
    "duration": duration,
}


class _Span:
    """One value of several flags: a number by its span, texts one after the other."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = values

    def __format__(self, how: str) -> str:
        numbers = [value for value in self._values if not isinstance(value, str)]
        if len(numbers) < len(self._values):
            return ", ".join(dict.fromkeys(map(str, self._values)))
        low, high = min(numbers), max(numbers)
        if how.startswith("of "):
            return f"{low} to {counted(int(high), how[3:])}" if low < high else counted(int(high), how[3:])
        show = _SHOWN.get(how) or (lambda value: format(value, how))
        first, last = show(low), show(high)
        return first if first == last else f"{first} to {last}"
