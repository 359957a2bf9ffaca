"""All that a decision under limits depends on, as plain data: for the page, whose `rule.js` is the same rule in its language.

What the data say of two cells does not depend on the limits, so it is computed here, pair by pair; only the choosing is done there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from inferometer.recommendation.choosing import too_wide
from inferometer.recommendation.constraints import peak_bytes
from inferometer.recommendation.grading import few_batches, grade_of, is_disturbed, of_the_cells
from inferometer.recommendation.objectives import MEAN_LATENCY, USUAL_PRICES, Objective, Prices, metric_of
from inferometer.recommendation.options import Option
from inferometer.recommendation.recommend import options_of
from inferometer.recommendation.told import Told, leading
from inferometer.results.cells import CellSummary, Results, Scope
from inferometer.results.completeness import gaps
from inferometer.results.judging import Judge, processes
from inferometer.results.metrics import LOSS
from inferometer.results.stats import Floats
from inferometer.results.tie_test import Standing

OBJECTIVES: tuple[Objective, ...] = ("throughput", "energy")
# Every pair of so many options is judged; of more, those alone whose first can be the best under limits on figures.
MOST_OPTIONS = 100
_LIMITED = ("latency", "power", "energy", "peak", "loss", "cost")  # figures that a limit holds down
_CODES = {"told": ".", "tie": "o", "unclear": "o"}
Data = dict[str, Any]


def portable(
    results: Results,
    objectives: Sequence[Objective] = OBJECTIVES,
    more: Callable[[Option], Data] = lambda option: {},
    prices: Prices = USUAL_PRICES,
) -> list[Data]:
    """Return the options of every machine, model and mode, in the order of `recommend`, and what is known of their pairs.

    ``more`` returns what an option is to hold besides.
    """
    judges = {name: Judge.of(results, metric_of(name, prices)) for name in OBJECTIVES}
    judges["latency"] = Judge.of(results, MEAN_LATENCY)
    groups = [_group(scope, results, judges, objectives, prices) for scope in results.scopes]
    for options, group in groups:
        for option, data in zip(options, group["options"], strict=True):
            data.update(more(option))
    return [group for _, group in groups]


def _group(
    scope: Scope,
    results: Results,
    judges: dict[Any, Judge],
    objectives: Sequence[Objective],
    prices: Prices,
) -> tuple[list[Option], Data]:
    cells = results.scopes[scope]
    options = options_of(cells, prices)
    machine, model, mode = scope
    shown = [_option(found, judges) for found in options]
    whole = len(options) <= MOST_OPTIONS
    orders = {name: _order(options, name) for name in objectives}
    figures = _figures(shown)
    leaders = {name: set(order) if whole else set(leading(order, figures)) for name, order in orders.items()}
    pairs = {name: _pairs(orders[name], options, leaders[name], judges[name]) for name in objectives}
    ties = {tie for name in objectives for tie in _ties(orders[name], pairs[name])}
    told = Told(options, judges["energy"], judges["latency"])
    for tie in ties:
        told.ask(tie, None if whole else figures)
    lacking = gaps(results, cells)
    planned = sum(gap.planned for gap in lacking)
    return options, {
        "machine": machine,
        "model": model,
        "mode": mode,
        "open": grade_of(of_the_cells(cells, lacking, results.runs)),
        "measured": [planned - sum(gap.missing for gap in lacking), planned],  # where some is still missing
        "options": shown,
        "whole": whole,  # else frameworks cannot be left out of a decision
        "order": orders,
        "pairs": pairs,
        "energy_told": told.energy.data(),
        "latency_told": told.latency.data(),
    }


def _figures(shown: Sequence[Data]) -> Floats:
    """Return a row an option: what limits hold down, infinity where that is not known, and whether its figures are too wide to decide."""
    rows = [
        [math.inf if option[name] is None else option[name] for name in _LIMITED]
        + [float(option["wide"][name]) for name in OBJECTIVES]
        for option in shown
    ]
    return np.array(rows, dtype=np.float64).reshape(len(shown), len(_LIMITED) + len(OBJECTIVES))


def _option(found: Option, judges: dict[Any, Judge]) -> Data:
    cell = found.summary
    loss = LOSS.of(cell)
    return {
        "key": cell.key,
        "row": cell.row,
        "framework": cell.cell.framework,
        "size": cell.cell.batch_size,
        "throughput": found.throughput,
        "energy": found.energy_j,
        "power": found.power_w,
        "cost": found.cost,
        "latency": found.latency_to_limit_s,
        "latency_kind": found.to_limit_kind,
        "mean_latency": judges["latency"].value(cell),
        "memory": cell.memory.value if cell.memory else None,
        "memory_source": cell.memory.source if cell.memory else "",
        "peak": peak_bytes(cell),
        "loss": None if loss is None else loss.value if loss.high is None else loss.high,
        "meter": cell.meter,
        "wide": {name: too_wide(cell, judges[name].metric) for name in OBJECTIVES},
        "alone": {name: processes(cell, judges[name].metric) < 2 for name in OBJECTIVES},
        "disturbed": is_disturbed(cell),
        "few": {str(by).lower(): few_batches(cell, by_latency=by) for by in (False, True)},
    }


def _order(options: Sequence[Option], objective: Objective) -> list[int]:
    """Return the options that an objective can judge, the best first."""
    known = [(i, o.figure(objective)) for i, o in enumerate(options)]
    ranked = [(i, value) for i, value in known if value is not None]
    return [i for i, _ in sorted(ranked, key=lambda p: p[1], reverse=objective == "throughput")]


def _pairs(order: Sequence[int], options: Sequence[Option], leaders: set[int], judge: Judge) -> list[str]:
    """Return of each option a letter for every one behind it, "" of one that leads under no limits.

    ".": told apart; "o": the data leave it open; "n" and "f": not judged, near and far.
    """
    ranked = [options[i].summary for i in order]
    among = judge.among(ranked)
    return [
        _codes(
            ranked[place], ranked[place + 1 :], judge, among.standings(place, range(place + 1, len(ranked)))
        )
        if i in leaders
        else ""
        for place, i in enumerate(order)
    ]


def _codes(
    best: CellSummary, others: Sequence[CellSummary], judge: Judge, standings: Sequence[Standing]
) -> str:
    return "".join(
        [
            _CODES.get(standing) or ("n" if judge.as_good(best, other) else "f")
            for other, standing in zip(others, standings, strict=True)
        ]
    )


def _ties(order: Sequence[int], pairs: Sequence[str]) -> Iterator[tuple[int, ...]]:
    """Yield the options that may be left together when one is chosen of those as good as the best."""
    for place, codes in enumerate(pairs):
        if codes:
            as_good = [order[place + 1 + i] for i, code in enumerate(codes) if code in "on"]
            yield tuple(sorted((order[place], *as_good)))
