"""How far a decision can be trusted, why no farther, and what would firm it up (pure)."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from inferometer.flags import DISTURBED, group, words
from inferometer.recommendation.choosing import too_wide
from inferometer.recommendation.decision import GRADES, Grade, Reason
from inferometer.recommendation.objectives import Objective
from inferometer.recommendation.options import Option
from inferometer.results.cells import CellSummary
from inferometer.results.completeness import Gap, resume_command
from inferometer.results.judging import Lead, processes
from inferometer.results.metrics import Metric
from inferometer.storage.run_directory import StoredRun
from inferometer.units import counted, listed

FEWEST_BATCHES = 10  # timed in all
_UNSOUND = frozenset({"loops-held-up", "two-kinds-of-rounds", "not-checked-after"})
_ROUNDS = "run it again with --rounds 5, each a fresh process"
_NAMED = 3  # cells that wait to be measured, of how many at most each is named


def grade_of(reasons: Iterable[Reason]) -> Grade:
    """Return the gravest grade among the reasons; firm where there is none."""
    return min((r.grade for r in reasons), key=GRADES.index, default="firm")


def by_gravity(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the reasons, the gravest first."""
    return tuple(sorted(reasons, key=lambda r: GRADES.index(r.grade)))


def of_the_cells(
    cells: Sequence[CellSummary], gaps: Sequence[Gap], runs: Sequence[StoredRun]
) -> list[Reason]:
    """Return what the cells of a machine, model and mode leave open, whatever is chosen."""
    return [*_failed(cells, runs), *_alone(cells), *map(_missing, gaps)]


def _failed(cells: Sequence[CellSummary], runs: Sequence[StoredRun]) -> list[Reason]:
    tried = {cell.row for cell in cells if cell.status not in ("skipped", "interrupted")}
    failed = tried - {cell.row for cell in cells if cell.measured}
    if len(failed) * 2 <= len(tried):
        return []
    paths = dict.fromkeys(path for cell in cells for path in cell.paths)
    show = " ".join(shlex.quote(str(run.path)) for run in runs if run.path in paths)
    said = f"{len(failed)} of {counted(len(tried), 'framework')} gave no result"
    return [Reason("none", said, f"mend what failed: inferometer show {show} gives the causes")]


def _alone(cells: Sequence[CellSummary]) -> list[Reason]:
    measured = [cell for cell in cells if cell.measured]
    rows = {cell.row for cell in measured}
    tried = {cell.row for cell in cells if cell.status != "skipped"}
    if len(measured) > 1 and (len(rows) > 1 or len(tried) == 1):
        return []
    said = "nothing was measured" if not measured else "no rival was measured"
    return [
        Reason("none", said, "measure more frameworks, or batch sizes, of this machine: --frameworks all")
    ]


def nothing_to_choose(cells: Sequence[CellSummary], *, met_nothing: bool) -> list[Reason]:
    """Return why no cell can be chosen, beyond that nothing was measured."""
    if met_nothing:
        return [Reason("none", "no cell meets what is asked", "ask for less, or measure more")]
    if any(cell.measured for cell in cells):
        return [Reason("none", "no throughput is known", "a choice takes throughputs: measure them")]
    return []


def without_figure(reasons: Counter[str]) -> list[Reason]:
    """Return what is open since cells that break no limit have no figure of the objective; ``reasons``: why, and how many."""
    count = reasons.total()
    if not count:
        return []
    said = (
        f"{counted(count, 'cell')} {'has' if count == 1 else 'have'} no such figure ({listed(list(reasons))})"
    )
    return [Reason("weak", said, "measure what is missing, or choose by another objective")]


def _missing(gap: Gap) -> Reason:
    said = gap.words
    names = list(
        dict.fromkeys(f"{c.framework} {c.precision} at batch size {c.batch_size}" for c in gap.unmeasured)
    )
    if names and gap.missing < gap.planned:
        more = [f"{len(names) - _NAMED} more cells"] if len(names) > _NAMED + 1 else names[_NAMED:]
        said += f", among them all of {listed([*names[:_NAMED], *more])}"
    go_on = f"{resume_command(gap.run)} goes on" if gap.run.info.request else "measure the rest"
    return Reason("preliminary", said, f"{go_on} (or wait, where the run is still going)")


def of_the_choice(
    choice: Option,
    leader: Option,
    lead: Lead | None,
    ties: Sequence[Option],
    metric: Metric,
    *,
    by_latency: bool,
) -> list[Reason]:
    """Return what the choice itself leaves open; ``by_latency``: its latency is judged or limited."""
    pair = {o.summary.key: o.summary for o in (choice, leader)}.values()
    others = (*(o.summary for o in ties), *([lead.rival] if lead else []))
    cells = list({cell.key: cell for cell in (*pair, *others)}.values())
    return [
        *_wide(pair, metric),
        *_one_process(pair, lead, metric),
        *_flagged(cells, DISTURBED, "not measured in quiet: ", "measure again while nothing else runs"),
        *_flagged(cells, _UNSOUND, "", "measure again: --rounds 5 or more tell what is usual"),
        *_few_batches(choice.summary, by_latency=by_latency),
        *_tied(ties),
    ]


def _wide(cells: Iterable[CellSummary], metric: Metric) -> list[Reason]:
    for cell in cells:
        found = metric.of(cell)
        if too_wide(cell, metric) and found and found.low is not None and found.high is not None:
            scale = metric.scale_for([found.value])
            span = f"{scale.show(found.low)} to {scale.show(found.high)} {scale.unit}".rstrip()
            said = f"the {metric.noun} of {cell.name} is known to {span} only"
            return [Reason("none", said, "run it again with more rounds (--rounds 10) on a quiet machine")]
    return []


def _one_process(cells: Iterable[CellSummary], lead: Lead | None, metric: Metric) -> list[Reason]:
    alone = [cell for cell in cells if processes(cell, metric) < 2]
    if any(processes(cell, metric) == 0 and not cell.loops for cell in alone):
        return [
            Reason(
                "weak",
                "only means are known, not the rounds behind them",
                "measure it: inferometer run --rounds 5",
            )
        ]
    if alone:
        said = "one process only: how far another one would differ is not known"
        return [Reason("weak", said, _ROUNDS)]
    if lead and lead.judgement.standing == "not judged":
        return [Reason("weak", f"one process only of {lead.rival.name}", _ROUNDS)]
    return []


def _flagged(cells: Sequence[CellSummary], kinds: frozenset[str], head: str, remedy: str) -> list[Reason]:
    told = group((flag, cell.key) for cell in cells for flag in cell.flags if flag.kind in kinds)
    said = listed(list(dict.fromkeys(one.words.partition(";")[0] for one in told)))
    return [Reason("weak", f"{head}{said}", remedy)] if said else []


def is_disturbed(cell: CellSummary) -> bool:
    """Return whether a flag of the cell says that it was not measured in quiet, or that its rounds are unsound."""
    return any(flag.kind in DISTURBED or flag.kind in _UNSOUND for flag in cell.flags)


def few_batches(choice: CellSummary, *, by_latency: bool) -> bool:
    """Return whether too few batches stand behind a cell; ``by_latency``: it is chosen or limited by its latency."""
    return bool(_few_batches(choice, by_latency=by_latency))


def _few_batches(choice: CellSummary, *, by_latency: bool) -> list[Reason]:
    remark = choice.p99.remark if choice.p99 and by_latency else None
    if remark:
        return [Reason("weak", words(remark).partition(";")[0], "more loops or rounds (--loops, --rounds)")]
    batches, told = choice.batches, choice.batches_worth
    if not choice.loops or min(batches, told or batches) >= FEWEST_BATCHES:
        return []
    said = f"few batches: {counted(batches, 'batch')} timed in all"
    if told and batches >= FEWEST_BATCHES:
        said += f", so alike in a row that they tell as much as {told:.0f}"
    return [Reason("weak", said, "more loops or rounds (--loops, --rounds)")]


def _tied(ties: Sequence[Option]) -> list[Reason]:
    if not ties:
        return []
    said = f"the data cannot tell it from {listed(grouped_names(o.summary for o in ties))}"
    return [Reason("tie", said, "more rounds (--rounds) may tell them apart; if not, any of them will do")]


def grouped_names(cells: Iterable[CellSummary]) -> list[str]:
    """Return cells in words, those of one row together: "a at batch sizes 8 and 16"."""
    sizes: dict[str, list[int]] = {}
    for cell in cells:
        sizes.setdefault(cell.row, []).append(cell.cell.batch_size)
    return [
        f"{row} at batch size{'s' if len(found) > 1 else ''} {listed([str(n) for n in sorted(found)])}"
        for row, found in sizes.items()
    ]


def choice_by_latency(objective: Objective, limit_s: float | None) -> bool:
    """Return whether a choice rests on its latency."""
    return objective == "latency" or limit_s is not None
