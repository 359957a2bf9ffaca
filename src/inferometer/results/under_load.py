"""What rows did under load: one summary a row, scenario, batching and promise, pooled over rounds and runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inferometer.records import (
    STILL_MISSING,
    Batching,
    Cell,
    DeviceEnergy,
    Energy,
    LoadTest,
    ScenarioName,
    ScenarioResult,
)
from inferometer.records.scenario import why_invalid
from inferometer.results.cells import CellSummary, Results
from inferometer.results.estimates import Estimate, Key, round_series
from inferometer.results.estimates.energy import meter_name
from inferometer.storage.scenarios import mark_of

NOT_MLPERF = "not a valid MLPerf length"


@dataclass(frozen=True)
class LoadSummary:
    """One row in one scenario by one policy; estimates are over rounds, fresh processes."""

    cell: Cell
    row: str
    machine: str
    model: str
    scenario: ScenarioName
    batching: Batching
    percentile: float
    bound_s: float | None
    preset: str
    is_mlperf_length: bool
    rounds: int  # that ended well
    valid: int  # of them with a result that LoadGen calls VALID
    results: tuple[ScenarioResult, ...]
    rate: Estimate | None = None  # requests/s of a server (the highest valid), samples/s answered otherwise
    latency: Estimate | None = None  # s, of the percentile; None for offline
    p90: Estimate | None = None  # s; None for offline
    p99: Estimate | None = None
    energy_request: Estimate | None = None  # J, at that rate
    power: Estimate | None = None  # W, of the device that did the work
    idle_power: float | None = None  # W, with the model in memory
    meter: str = ""  # whose energy and power that is; joules of two meters have no mean
    other_meters: int = 0  # rounds by another one, which are not in them

    @property
    def failed(self) -> bool:
        """Return whether a round failed by itself: wrong answers, a crash, no memory."""
        return any(result.status not in ("ok", *STILL_MISSING) for result in self.results)

    @property
    def problems(self) -> tuple[str, ...]:
        """Return why rounds have no valid result, each once."""
        told = []
        for result in self.results:
            if result.status != "ok":
                told.append(f"{result.status}: {result.cause}")
            elif result.result is None:
                told.append(result.cause)
            elif not result.result.valid:
                told.append(f"INVALID: {why_invalid(result.result)}")
        return tuple(dict.fromkeys(told))

    @property
    def audit(self) -> str:
        """Return what the audit found, "" where there was none."""
        told = [words for result in self.results if (words := audit_words(result))]
        return next((words for words in told if words != AUDIT_PASSED), told[0] if told else "")

    def levels(self) -> list[tuple[float, LoadTest]]:
        """Return the tests at shares of the rate, ascending, 1.0 being the rate itself, of the first round that has them."""
        for result in self.results:
            found = [(test.share, test) for test in result.tests if test.share is not None]
            if found and result.result:
                return sorted([*found, (1.0, result.result)], key=lambda pair: pair[0])
        return [(1.0, r.result) for r in self.results if r.result][:1]


AUDIT_PASSED = "audit passed"
_CACHED = 1.1  # times as fast with one input only: MLPerf's TEST04 allows so much


def audit_words(result: ScenarioResult) -> str:
    """Return what an audit says of a result: responses of a performance run compared, and no gain from one input only."""
    audits = {test.audit: test for test in result.tests if test.purpose == "audit"}
    if not audits or result.result is None:
        return ""
    same, usual = audits.get("same"), result.result
    if same is None:
        return AUDIT_PASSED
    if not same.rate or not usual.rate:
        return "audit not judged: a rate is not known"
    if same.rate > _CACHED * usual.rate:
        return f"audit: {same.rate / usual.rate:.2g} times as fast with one input only: answers may be cached"
    return AUDIT_PASSED


_Group = tuple[str, str, str, Cell, ScenarioName, Batching, float, float | None, str]


def summarise_load(results: Results) -> tuple[LoadSummary, ...]:
    """Return a summary of everything that the runs did under load, in order of appearance; what is in two runs counts once."""
    groups: dict[_Group, list[tuple[Key, ScenarioResult]]] = {}
    first: dict[tuple[object, ...], int] = {}
    rows = _rows(results)
    for number, run in enumerate(results.runs):
        for result in _last_words(run.scenarios):
            if first.setdefault(mark_of(result), number) != number:
                continue
            cell = result.cell
            summary = rows.get((run.path, cell.framework, cell.precision, cell.device))
            place = _place(summary, cell)
            group = (
                *place, cell, result.scenario, result.batching, result.percentile, result.bound_s, result.preset
            )  # fmt: skip
            groups.setdefault(group, []).append(((number, result.round), result))
    return tuple(_summary(group, found) for group, found in groups.items())


def _rows(results: Results) -> dict[tuple[Path, str, str, str], CellSummary]:
    """Return the cells in closed loops that name what a run put under load, those of mode host before others."""
    loaded = {run.path for run in results.runs if run.scenarios}
    found: dict[tuple[Path, str, str, str], CellSummary] = {}
    for summary in results.summaries if loaded else ():
        cell = summary.cell
        for path in summary.paths:
            key = path, cell.framework, cell.precision, cell.device
            if path in loaded and (cell.mode == "host" or key not in found):
                found[key] = summary
    return found


def by_place(summaries: Iterable[LoadSummary]) -> dict[tuple[str, str], list[LoadSummary]]:
    """Return the summaries of each machine and model, in order of appearance."""
    found: dict[tuple[str, str], list[LoadSummary]] = {}
    for summary in summaries:
        found.setdefault((summary.machine, summary.model), []).append(summary)
    return found


def _last_words(results: Sequence[ScenarioResult]) -> list[ScenarioResult]:
    """Return one result a round: the last, since one that was stopped from outside is run again."""
    found = {(r.cell, r.round, r.scenario, r.batching, r.percentile, r.bound_s, r.preset): r for r in results}
    return list(found.values())


def _place(summary: CellSummary | None, cell: Cell) -> tuple[str, str, str]:
    if summary is None:
        return "", cell.model, cell.framework
    return summary.machine, summary.model, summary.row


def _summary(group: _Group, found: list[tuple[Key, ScenarioResult]]) -> LoadSummary:
    machine, model, row, cell, scenario, batching, percentile, bound_s, preset = group
    good = [(key, result.result) for key, result in found if result.status == "ok" and result.result]
    tests = [(key, test) for key, test in good if test is not None]

    def over_rounds(value: Callable[[LoadTest], float | None], unit: str) -> Estimate | None:
        values = [(key, value(test) or 0.0) for key, test in tests]
        series = round_series(values)
        return series.estimate(unit, "rounds") if series.keys else None

    def latency(name: str) -> Estimate | None:
        return None if scenario == "offline" else over_rounds(lambda test: test.latency_s.get(name), "s")

    meters = Counter(meter for _, test in tests if (meter := meter_of(test)))
    most = next(iter(meters.most_common(1)), ("", 0))[0]

    def metered(value: Callable[[LoadTest], float | None], unit: str) -> Estimate | None:
        return over_rounds(lambda test: value(test) if meter_of(test) == most else None, unit)

    rest = [energy.idle_w for _, test in tests if (energy := test.energy) and energy.idle_w]
    return LoadSummary(
        cell, row, machine, model, scenario, batching, percentile, bound_s, preset,
        is_mlperf_length=all(result.is_mlperf_length for _, result in found),
        rounds=sum(result.status == "ok" for _, result in found),
        valid=sum(test.valid for _, test in tests),
        results=tuple(result for _, result in found),
        rate=over_rounds(lambda test: test.target_rate if scenario == "server" else test.rate, "1/s"),
        latency=latency(f"{percentile:g}"),
        p90=latency("90"),
        p99=latency("99"),
        energy_request=metered(joules_a_request, "J"),
        power=metered(watts, "W"),
        meter=most,
        other_meters=sum(meters.values()) - meters[most],
        idle_power=next((w.get("before", w.get("loaded")) for w in rest), None),
    )  # fmt: skip


def _primary(energy: Energy | None) -> DeviceEnergy | None:
    """Return the device that did the work, None where its joules are not known."""
    if energy is None:
        return None
    own = (device for device in energy.devices if device.device_uid == energy.primary)
    return next((device for device in own if device.energy_j is not None and device.seconds), None)


def meter_of(test: LoadTest) -> str:
    """Return the meter of the device that did the work, as closed loops name it; "" where its energy is not known."""
    found = _primary(test.energy)
    return meter_name(found.device_uid, found.device_type, found.meter) if found else ""


def joules_a_request(test: LoadTest) -> float | None:
    """Return the energy of the device that did the work, idle in it, for each request that was answered."""
    found = _primary(test.energy)
    return (found.energy_j or 0.0) / test.rows if found and test.rows else None


def watts(test: LoadTest) -> float | None:
    """Return the mean power of the device that did the work over a test, idle in it."""
    found = _primary(test.energy)
    return (found.energy_j or 0.0) / found.seconds if found else None
