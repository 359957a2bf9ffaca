"""A statement as Markdown, for a report's appendix, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from inferometer.flags import group, words
from inferometer.results.carbon import FORMULA, CarbonFactors, Factor
from inferometer.results.estimates import Estimate
from inferometer.statement.boundary import Part
from inferometer.statement.statement import MLPERF_LEAST_S, Line, Scoped, Statement
from inferometer.tables.markup import markdown_table, markdown_text
from inferometer.units import counted, duration, listed, significant

STANDARD = "ISO/IEC 21031:2024, Software Carbon Intensity (SCI)"
_OUTSIDE = (
    "Not in it: loading and compiling the model, warm-up, parity checks; the machine at rest between requests; whatever is not "
    "listed as included above (network, storage, power supplies and fans as far as no meter sees them); training; the end of "
    "the hardware's life."
)
_INTERVALS = (
    "Intervals are 95 %. They hold what the meters and the rounds leave open; not in them: a meter's own calibration (cards of "
    "one kind differ by up to about 11 %, arXiv 2312.02741), and how sure the factors are, which are taken as exact."
)


def to_markdown(found: Statement) -> str:
    """Return the statement as Markdown."""
    lines = ["# Energy and carbon of inference", "", *_terms(found)]
    for scope in found.scopes:
        lines += ["", *_scope(scope, found)]
    return "\n".join([*lines, "", "## What the figures leave out", "", _OUTSIDE, "", _INTERVALS]) + "\n"


def _terms(found: Statement) -> Iterator[str]:
    terms, factors = found.terms, found.terms.factors
    yield f"After {STANDARD}: SCI = {FORMULA}, with"
    yield ""
    yield f"- R: {counted(terms.unit, 'inference')};"
    yield f"- E: {_E[terms.boundary]}, times the PUE {factors.pue.value:g} ({_from(factors.pue)});"
    yield f"- I: {factors.intensity.value:g} g CO2e/kWh ({_from(factors.intensity)}); a kWh has 3,600,000 J;"
    yield f"- M: {_embodied(factors)}."
    if terms.least_s:
        named = " (MLPerf Power's least)" if terms.least_s == MLPERF_LEAST_S else ""
        yield ""
        yield f"Only what was metered for at least {terms.least_s:g} s in every round is stated{named}."


_E = {
    "device": "energy of the device that did the work, metered over the timed loops",
    "metered": "energy of the device that did the work and of the host's processors and memory as far as metered, over the timed loops",
}


def _from(factor: Factor) -> str:
    return f"{markdown_text(factor.source)}, {factor.date}"


def _embodied(factors: CarbonFactors) -> str:
    made = factors.embodied
    if made is None:
        return "not given, so left out: the figure is of operation alone and no whole SCI"
    return (
        f"{made.total_kg.value:g} kg CO2e ({_from(made.total_kg)}) over {made.life_years:g} years of use at full load, "
        f"{100 * made.share:g} % of it for this work, by the time that it takes"
    )


def _scope(scope: Scoped, found: Statement) -> Iterator[str]:
    yield f"## {markdown_text(f'{scope.machine}: {scope.model}, {scope.mode} mode')}"
    yield ""
    if scope.lines:
        yield from _table(scope, found)
        yield ""
        if remarks := _remarks(scope):
            yield from (*remarks, "")
    yield from _boundary(scope)
    if scope.unstated:
        yield ""
        yield "Not stated:"
        yield ""
        reasons: dict[str, list[str]] = {}
        for one in scope.unstated:
            told = f" ({one.figure})" if one.figure else ""
            reasons.setdefault(one.reason, []).append(f"{one.cell.name}{told}")
        yield from (f"- {markdown_text(f'{reason}: {listed(names)}')}" for reason, names in reasons.items())


def _table(scope: Scoped, found: Statement) -> list[str]:
    per = counted(found.terms.unit, "inference")
    whole = found.terms.factors.embodied is not None
    titles = ["cell", "metered a round", "rounds", f"J per {per}, before PUE", f"g CO2e per {per}"]
    titles += ["of it E x I", "of it M"] if whole else []
    rows = []
    for line in scope.lines:
        figures = [line.energy, line.carbon]
        figures += [line.operational, line.embodied] if line.embodied else []
        head = [markdown_text(line.cell.name), duration(line.metered_s), str(line.rounds)]
        rows.append([*head, *map(_figure, figures)])
    return markdown_table(titles, rows, "l" + "r" * (len(titles) - 1))


def _remarks(scope: Scoped) -> list[str]:
    """Return what a reader must know of stated figures, such as an interval too wide to be compared."""
    found = group((line.energy.remark, line.cell.name) for line in scope.lines if line.energy.remark)
    return [f"- {markdown_text(f'{one.words}: {listed(one.whom)}')}" for one in found]


def _figure(estimate: Estimate) -> str:
    text = significant(estimate.value, 4)
    if estimate.low is None or estimate.high is None:
        return f"{text} (interval not known)"
    process = ", a single process" if estimate.within_one_process else ""
    return f"{text} ({significant(estimate.low, 4)} to {significant(estimate.high, 4)}{process})"


def _boundary(scope: Scoped) -> Iterator[str]:
    parts = [part for line in scope.lines for part in line.parts]
    yield "Boundary:"
    yield ""
    for device, source, included in dict.fromkeys((p.words, p.source, p.included) for p in parts):
        how = "estimated" if source == "estimated" else "metered"
        word = "included" if included else f"{how}, but not included"
        yield f"- {word}: {markdown_text(device)}, {source}"
    if not parts:
        yield "- nothing: no figure is stated"
    yield from (f"- no meter: {markdown_text(line)}" for line in scope.absences)
    yield from (f"- measured in {markdown_text(job)}" for job in scope.jobs)


def to_json(found: Statement) -> str:
    """Return the statement as JSON: the terms, then an object a machine, model and mode."""
    terms, factors = found.terms, found.terms.factors
    made = factors.embodied
    data = {
        "standard": STANDARD,
        "formula": FORMULA,
        "functional_unit_inferences": terms.unit,
        "boundary": terms.boundary,
        "not_included": _OUTSIDE,
        "intervals": _INTERVALS,
        "least_seconds": terms.least_s,
        "intensity_g_per_kwh": _given(factors.intensity),
        "pue": _given(factors.pue),
        "embodied": made
        and {
            "total_kg": _given(made.total_kg),
            "life_years": made.life_years,
            "share": made.share,
            "g_per_s": made.grams_a_second,
        },
        "scopes": [_object(scope) for scope in found.scopes],
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _given(factor: Factor) -> dict[str, Any]:
    return {"value": factor.value, "source": factor.source, "date": factor.date}


def _object(scope: Scoped) -> dict[str, Any]:
    return {
        "machine": scope.machine,
        "model": scope.model,
        "mode": scope.mode,
        "cells": [_line(line) for line in scope.lines],
        "not_stated": [
            {**_cell(one.cell.cell), "reason": ": ".join(filter(None, (one.reason, one.figure)))}
            for one in scope.unstated
        ],
        "no_meter": list(scope.absences),
        "jobs": list(scope.jobs),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        **_cell(line.cell.cell),
        "metered_s_a_round": line.metered_s,
        "rounds": line.rounds,
        "single_process": line.energy.within_one_process,
        "energy_j": _ends(line.energy),
        "remark": words(line.energy.remark) if line.energy.remark else "",
        "operational_g": _ends(line.operational),
        "embodied_g": line.embodied and _ends(line.embodied),
        "carbon_g": _ends(line.carbon),
        "devices": [_part(part) for part in line.parts],
    }


def _cell(cell: Any) -> dict[str, Any]:
    return {
        "framework": cell.framework,
        "precision": cell.precision,
        "batch_size": cell.batch_size,
        "device": cell.device,
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "uid": part.uid,
        "name": part.name,
        "type": part.type,
        "meter": part.meter,
        "source": part.source,
        "included": part.included,
        "j_an_inference": part.energy and _ends(part.energy),
    }


def _ends(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
