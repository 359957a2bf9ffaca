"""What a comparison says, in words: of each cell, of what else differs, and of what was not compared."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

from inferometer.comparison.changes import NO_INTERVAL, NO_ROUNDS, TO_ZERO, Change, Comparison
from inferometer.flags import DISTURBED, Flag, group, group_key
from inferometer.records import Protocol
from inferometer.results.cells import CellSummary
from inferometer.results.metrics import Metric
from inferometer.results.similar_causes import group_similar
from inferometer.units import counted

MISHAPS = ("broken", "repaired")
_CAUSE = 120  # so many characters of a cause are told; the runs have the whole
_NAMED_CELLS = 8  # so many are named in one line


def word(change: Change, metric: Metric) -> str:
    """Return the verdict in the metric's own words."""
    return {"better": metric.words.better, "worse": metric.words.worse}.get(change.verdict, change.verdict)


def percent(change: Change) -> str:
    """Return the change as a share with its interval: "-3.1 % (-3.9 to -2.3)"."""
    if change.ratio is None:
        return ""
    text = f"{100 * (change.ratio - 1):+.1f} %"
    if change.low is not None and change.high is not None:
        text += f" ({100 * (change.low - 1):+.1f} to {100 * (change.high - 1):+.1f})"
    return text


def sentence(change: Change, metric: Metric) -> str:
    """Return one line that says what became of a cell."""
    if change.ratio is None:
        return f"{change.name}: {change.verdict}: {change.reason}"
    return f"{change.name}: {word(change, metric)}, {metric.name} {percent(change)}, {change.basis}"


def differences(found: Comparison) -> list[str]:
    """Return what else differs between A and B: versions as the frameworks reported them, and how was measured."""
    versions: dict[str, dict[tuple[str, str], dict[str, None]]] = {}  # what: (old, new): in which frameworks
    for change in found.changes:
        if change.first and change.second and change.first.actual and change.second.actual:
            ours, theirs = _versions(change.first), _versions(change.second)
            common = {*ours} & {*theirs} if found.of_two_frameworks else {*ours, *theirs}
            for name in sorted(common):
                pair = (ours.get(name, "none"), theirs.get(name, "none"))
                if pair[0] != pair[1]:
                    whose = versions.setdefault(name, {}).setdefault(pair, {})
                    whose[change.second.cell.framework] = None
    told = []
    for name, pairs in versions.items():
        for (old, new), frameworks in pairs.items():
            whose_text = f" ({', '.join(frameworks)})" if len(pairs) > 1 else ""
            told.append(f"{name}: {old} -> {new}{whose_text}")
    return [*told, *_protocol_differences(*found.protocols), *other_hardware(found), *circumstances(found)]


def other_hardware(found: Comparison) -> list[str]:
    """Return what differs between machines that go by the same names: cards by their UUID, CPUs by their revision."""
    lines: dict[str, None] = {}
    for first, second in found.machines:
        if first.cpu_revision and second.cpu_revision and first.cpu_revision != second.cpu_revision:
            lines[f"another CPU of the same name: {first.cpu_revision} -> {second.cpu_revision}"] = None
        theirs = {gpu.index: gpu for gpu in second.gpus}
        for gpu in first.gpus:
            other = theirs.get(gpu.index)
            if other and other.name == gpu.name and other.uuid and gpu.uuid and other.uuid != gpu.uuid:
                lines[f"another GPU of the same name: {gpu.uuid} -> {other.uuid}"] = None
    return list(lines)


def circumstances(found: Comparison) -> list[str]:
    """Return what was remarked of cells on one side only, and on either side that something else had the machine too."""
    both = [(c, c.first, c.second) for c in found.changes if c.first and c.second]
    pairs = [(short_name(c, found), a, b) for c, a, b in both if a.measured and b.measured]
    sides = {"A": pairs, "B": [(name, b, a) for name, a, b in pairs]}
    return [
        f"{side}: {told.words}: {_some(list(told.whom))}"
        for side, cells in sides.items()
        for told in group(
            (remark, name) for name, ours, theirs in cells for remark in _of_note(ours.flags, theirs.flags)
        )
    ]


def _of_note(ours: Sequence[Flag], theirs: Sequence[Flag]) -> list[Flag]:
    known = {group_key(remark) for remark in theirs}
    return [remark for remark in ours if remark.kind in DISTURBED or group_key(remark) not in known]


_PROTOCOL = {  # field of records.Protocol: what people call it
    "images": "images a loop",
    "loops": "loops",
    "warmup": "warm-up batches",
    "rounds": "rounds",
    "budget_s": "budget [s]",
    "least_loops": "least loops within the budget",
    "energy_window_s": "energy window [s]",
    "least_s": "least time of a cell's loops [s]",
}


def _protocol_differences(first: Sequence[Protocol], second: Sequence[Protocol]) -> list[str]:
    lines = []
    for field, title in _PROTOCOL.items():
        values = [sorted({getattr(protocol, field) for protocol in side}) for side in (first, second)]
        if values[0] != values[1]:
            old, new = (", ".join(_number(value) for value in side) for side in values)
            lines.append(f"{title}: {old} -> {new}")
    return lines


def _number(value: float) -> str:
    return (str(value) if isinstance(value, int) else f"{value:.3g}") if value else "none"


def _versions(summary: CellSummary) -> dict[str, str]:
    assert summary.actual
    name = summary.cell.framework.partition("@")[0]
    own = {name: summary.actual.version} if summary.actual.version else {}
    return own | dict(summary.actual.versions)


def incomparable(found: Comparison) -> list[str]:
    """Return a line a reason why cells were not compared: how many, and which."""
    reasons: dict[str, list[str]] = {}
    for change in found.changes:
        if change.verdict == "not comparable":
            reasons.setdefault(change.reason, []).append(short_name(change, found))
    return [f"not comparable, {reason}: {_some(names)}" for reason, names in reasons.items()]


def unsure(found: Comparison) -> list[str]:
    """Return a line a reason why compared cells have no verdict though they differ."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for change in found.changes:
        if change.verdict in ("unclear", "not judged"):
            reasons.setdefault((change.verdict, change.reason), []).append(short_name(change, found))
    return [f"{word}: {_why(word, reason)}: {_some(names)}" for (word, reason), names in reasons.items()]


def _why(verdict: str, reason: str) -> str:
    if verdict != "not judged" or reason in (NO_INTERVAL, TO_ZERO, NO_ROUNDS):
        return reason
    return (
        f"{reason}, which says nothing of the next process (more rounds tell, or --noise what you know of it)"
    )


def mishaps(found: Comparison) -> list[str]:
    """Return a line a cause why cells broke or were repaired; causes that differ in numbers only are one."""
    broken = [change for change in found.changes if change.verdict in MISHAPS]
    causes = [(shorten(c.reason, _CAUSE, placeholder=" …"), short_name(c, found)) for c in broken]
    return [f"{cause}: {_some(names)}" for cause, names in group_similar(causes)]


def short_name(change: Change, found: Comparison) -> str:
    """Return a cell's name without the model that all have."""
    return change.name.replace(f"{found.model} ", "", 1) if found.model else change.name


def _some(names: list[str]) -> str:
    if len(names) <= _NAMED_CELLS:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED_CELLS - 1])} and {len(names) - _NAMED_CELLS + 1} more"


def not_excluded(found: Comparison, cells: Sequence[Change], limit: float) -> str:
    """Return of how many cells a loss of the share ``limit`` can neither be shown nor excluded, and which."""
    word_ = found.metric.words.worse
    names = _some([short_name(change, found) for change in cells])
    return (
        f"that {len(cells)} of {counted(len(found.compared), 'cell')} got {100 * limit:g} % {word_} is neither shown nor excluded; "
        f"more rounds, or more runs in the history, tell: {names}"
    )


def headline(found: Comparison) -> str:
    """Return the counts in one line."""
    names = [word(change, found.metric) for change in found.changes]
    counts = {name: names.count(name) for name in dict.fromkeys(names)}
    cells = f"{found.model}, " * bool(found.model) + counted(len(found.changes), "cell")
    return f"{cells}: {', '.join(f'{n} {name}' for name, n in counts.items())}"
