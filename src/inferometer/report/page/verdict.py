"""What a report says first of each machine: the fastest, the least energy, and what to deploy, as `recommendation` decided.

The deployment is `recommend`'s own, without limits, so that the page, Markdown, workbook, terminal and Python never differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inferometer.recommendation import render, wording
from inferometer.recommendation.decision import Decision, Grade
from inferometer.recommendation.recommend import recommend
from inferometer.results.cells import CellSummary, Results
from inferometer.results.estimates import Estimate
from inferometer.results.judging import Judge, lead
from inferometer.results.metrics import ENERGY, THROUGHPUT, Metric
from inferometer.results.ranking import of_one_meter


@dataclass(frozen=True)
class Win:
    """The best cell at one metric on one machine, and the sentence that puts it in proportion."""

    summary: CellSummary
    value: str  # "1,580 images/s (1,570 to 1,590)"
    why: str

    @property
    def head(self) -> str:
        """Return the winner in words."""
        return self.summary.name


@dataclass(frozen=True)
class Deploy:
    """What to deploy, in words, and the decision behind them."""

    decision: Decision
    head: str
    value: str
    why: str
    grade: str
    remedies: tuple[str, ...]

    @property
    def key(self) -> Grade:
        """Return the grade as one word."""
        return self.decision.grade


@dataclass(frozen=True)
class Verdict:
    """What one machine's cells of one section say; a None has its reason."""

    machine: str
    fastest: Win | None
    efficient: Win | None
    deploy: Deploy
    no_fastest: str = ""
    no_efficient: str = ""


def verdicts(
    results: Results, model: str, mode: str, decisions: Sequence[Decision] | None = None
) -> tuple[Verdict, ...]:
    """Return a verdict for every machine of a section. ``decisions``: those of `recommend`, where they are known."""
    selected = results.select(model=model, mode=mode)
    # of all cells, as the tables: what is known of the noise comes from every mode
    judges = tuple(Judge.of(results, metric) for metric in (THROUGHPUT, ENERGY))
    return tuple(
        _verdict(decision, [s for s in selected if s.machine == decision.machine], *judges)
        for decision in (recommend(results) if decisions is None else decisions)
        if (decision.model, decision.mode) == (model, mode)
    )


def _verdict(decision: Decision, cells: Sequence[CellSummary], speeds: Judge, energies: Judge) -> Verdict:
    deploy = _deploy(decision)
    measured = [cell for cell in cells if cell.measured]
    if not measured:
        none = f"None of {len(cells)} cells ended well; see Failed cells."
        return Verdict(decision.machine, None, None, deploy, no_fastest=none)
    fastest = _win(measured, speeds, decision.grade)
    efficient = _win(measured, energies, decision.grade)
    reasons = dict.fromkeys(cell.energy_reason for cell in measured if cell.energy_reason)
    return Verdict(
        decision.machine,
        fastest,
        efficient,
        deploy,
        no_fastest="" if fastest else "Not known: no throughput was measured",
        no_efficient="" if efficient else f"Not known: {next(iter(reasons), 'energy was not metered')}",
    )


def _deploy(decision: Decision) -> Deploy:
    return Deploy(
        decision,
        wording.headline(decision),
        render.figures(decision.choice) if decision.choice else "",
        wording.why(decision),
        wording.grade_sentence(decision),
        wording.remedies(decision),
    )


def _win(cells: Sequence[CellSummary], judge: Judge, grade: Grade) -> Win | None:
    ranked = judge.ranked(of_one_meter(cells, judge.metric))
    if not ranked:
        return None
    estimate = judge.metric.of(ranked[0])
    assert estimate
    return Win(
        ranked[0],
        reading(estimate, judge.metric),
        wording.standing(lead(ranked, judge), judge.metric, grade),
    )


def reading(estimate: Estimate, metric: Metric) -> str:
    """Return an estimate with its unit and interval."""
    scale = metric.scale_for([estimate.value])
    text = f"{scale.show(estimate.value)} {scale.unit} {metric.per}".rstrip()
    if estimate.low is None or estimate.high is None:
        return text
    process = " in a single process" if estimate.within_one_process else ""
    return f"{text} ({scale.show(estimate.low)} to {scale.show(estimate.high)}{process})"
