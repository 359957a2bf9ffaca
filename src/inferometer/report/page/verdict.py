"""Who wins on each machine, by how much, or that it is a tie: the first thing a report says.

A winner is compared with every cell of the other frameworks, whatever its batch size and precision; `ranking`
decides what the data can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inferometer.report.figures.colours import framework_label
from inferometer.results.cells import CellSummary, Results
from inferometer.results.estimates import Estimate
from inferometer.results.metrics import ENERGY, THROUGHPUT, Metric
from inferometer.results.ranking import TieTest, of_one_meter
from inferometer.units import counted, duration, significant

NEARLY = 0.95  # share of the highest throughput that is nearly as good
_REPORTED_TIES = 4


@dataclass(frozen=True)
class Win:
    """The best cell at one metric on one machine, and the sentence that puts it in proportion."""

    summary: CellSummary
    value: str  # "1,580 images/s (1,570 to 1,590)"
    why: str

    @property
    def head(self) -> str:
        """Return the winner in words."""
        return cell_in_words(self.summary)


@dataclass(frozen=True)
class Verdict:
    """What one machine's cells of one section say; a None has its reason."""

    machine: str
    fastest: Win | None
    efficient: Win | None
    deploy: Win | None = None
    no_fastest: str = ""
    no_efficient: str = ""


def verdicts(results: Results, model: str, mode: str) -> tuple[Verdict, ...]:
    """Return a verdict for every machine of a section."""
    selected = results.select(model=model, mode=mode)
    machines = dict.fromkeys(s.machine for s in selected)
    # of all cells, as the tables: what is known of the noise comes from every mode
    rules = tuple(TieTest(results.summaries, metric) for metric in (THROUGHPUT, ENERGY))
    return tuple(
        _verdict(machine, [s for s in selected if s.machine == machine], *rules) for machine in machines
    )


def _verdict(machine: str, cells: Sequence[CellSummary], speeds: TieTest, energies: TieTest) -> Verdict:
    measured = [cell for cell in cells if cell.measured]
    if not measured:
        return Verdict(
            machine, None, None, no_fastest=f"None of {len(cells)} cells ended well; see Failed cells."
        )
    fastest = _win(measured, speeds)
    efficient = _win(measured, energies)
    reasons = dict.fromkeys(cell.energy_reason for cell in measured if cell.energy_reason)
    return Verdict(
        machine,
        fastest,
        efficient,
        _deploy([cell for cell in measured if cell.ranked]) if fastest else None,
        no_fastest="" if fastest else "Not known: no throughput was measured",
        no_efficient="" if efficient else f"Not known: {next(iter(reasons), 'energy was not metered')}",
    )


def _deploy(ranked: Sequence[CellSummary]) -> Win | None:
    """Return what to deploy where nothing but these results is known.

    Of the cells within 5 % of the machine's highest throughput: the one with the least energy per image where all
    of them were metered, else the one whose batches return soonest.
    """
    speeds = {cell.key: cell.throughput.value for cell in ranked if cell.throughput}
    top = max(speeds.values())
    near = [cell for cell in ranked if speeds[cell.key] >= NEARLY * top]
    energies = {cell.key: cell.energy_image.value for cell in near if cell.energy_image}
    metered = len(energies) == len(near) and len({cell.meter for cell in near}) == 1
    best = min(
        near, key=lambda cell: energies[cell.key] if metered else _batch_latency(cell, speeds[cell.key])
    )
    share = "the highest throughput"
    if speeds[best.key] < top:
        share = f"{100 * speeds[best.key] / top:.1f} % of {share}"
    parts = [
        share,
        f"{duration(_batch_latency(best, speeds[best.key]))} a batch ({_kind(best)})",
    ]
    if best.energy_image:
        parts.append(f"{ENERGY.show(best.energy_image.value)} {ENERGY.per}")
    if len(near) == 1:
        why = "No other cell comes within 5 % of it."
    else:
        rule = "needs the least energy" if metered else "returns its batches soonest"
        why = f"Of the {len(near)} cells within 5 % of the highest throughput, this one {rule}."
    return Win(best, ", ".join(parts), why)


def _kind(cell: CellSummary) -> str:
    if cell.p99:
        few = cell.p99.remark
        return f"rough p99, from {counted(int(few.values['batches']), 'batch')}" if few else "p99"
    return "mean"


def _batch_latency(cell: CellSummary, speed: float) -> float:
    """Return seconds from a batch handed in to its results: p99 where single batches were timed, else the mean."""
    found = cell.p99 or cell.latency_batch
    return found.value if found else cell.cell.batch_size / speed


def _win(cells: Sequence[CellSummary], everyone: TieTest) -> Win | None:
    metric = everyone.metric
    cells = of_one_meter(cells, metric)
    known = [(cell, estimate) for cell in cells if (estimate := metric.of(cell))]
    known.sort(key=lambda pair: pair[1].value, reverse=metric.higher_is_better)
    if not known:
        return None
    best, estimate = known[0]
    rivals = [cell for cell, _ in known if framework_label(cell) != framework_label(best)]
    return Win(best, reading(estimate, metric), _proportion(best, rivals, everyone))


def _proportion(best: CellSummary, rivals: Sequence[CellSummary], everyone: TieTest) -> str:
    metric = everyone.metric
    if not rivals:
        return "No other framework was measured here."
    tied = everyone.ties(best, rivals, framework_label)
    if tied:
        names = ", ".join(cell_in_words(cell) for cell in tied[:_REPORTED_TIES])
        more = f" and {len(tied) - _REPORTED_TIES} more" if len(tied) > _REPORTED_TIES else ""
        return f"A tie with {names}{more}: the difference is within the noise."
    ours, theirs = metric.of(best), metric.of(rivals[0])
    assert ours and theirs
    rival = f"than the next framework, {cell_in_words(rivals[0])}"
    if not everyone.judged(best, rivals[0]):
        rival += " (not judged, for lack of a second process)"
    ratio = ours.value / theirs.value
    amount = _margin(ratio) if metric.higher_is_better else f"{significant(100 * (1 - ratio), 2)} %"
    return f"{amount} {metric.words.better} {rival}."


def _margin(ratio: float) -> str:
    return f"{significant(ratio, 2)} times" if ratio >= 2 else f"{significant(100 * (ratio - 1), 2)} %"


def cell_in_words(cell: CellSummary) -> str:
    """Return a cell in words: framework, precision, batch size."""
    return f"{framework_label(cell)} {cell.cell.precision} at batch size {cell.cell.batch_size}"


def reading(estimate: Estimate, metric: Metric) -> str:
    """Return an estimate with its unit and interval."""
    scale = metric.scale_for([estimate.value])
    text = f"{scale.show(estimate.value)} {scale.unit} {metric.per}".rstrip()
    if estimate.low is None or estimate.high is None:
        return text
    process = " in a single process" if estimate.within_one_process else ""
    return f"{text} ({scale.show(estimate.low)} to {scale.show(estimate.high)}{process})"
