"""Recommendations for people and for other programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from inferometer.recommendation import wording
from inferometer.recommendation.across import across_machines
from inferometer.recommendation.decision import Decision
from inferometer.recommendation.objectives import Prices
from inferometer.recommendation.options import Option
from inferometer.results.carbon import CarbonFactors
from inferometer.results.metrics import ENERGY, POWER, THROUGHPUT
from inferometer.tables.markup import markdown_table, markdown_text
from inferometer.units import counted, duration, listed, significant


def figures(found: Option) -> str:
    """Return an option's figures in one line."""
    parts = [
        f"{significant(found.throughput, 4)} images/s",
        f"{duration(found.latency_s)} ({found.latency_kind})",
    ]
    if found.power_w is not None:
        parts.append(f"{significant(found.power_w, 3)} W")
    if found.energy_j is not None:
        parts.append(f"{ENERGY.show(found.energy_j)} {ENERGY.per}")
    if found.cost is not None:
        parts.append(f"{significant(found.cost, 3)} {found.currency} a million images")
    if found.carbon is not None:
        parts.append(f"{significant(found.carbon, 3)} g CO2e a million images")
    return ", ".join(parts)


def lines(decision: Decision) -> list[tuple[str, str]]:
    """Return (kind, sentence) of everything to say about one machine."""
    found = [
        (
            "head",
            f"{decision.machine}: {decision.model}, {decision.mode} mode, objective {decision.objective}",
        )
    ]
    if decision.choice is None:
        near = f"nothing meets the constraints; nearest: {decision.nearest}"
        said = near if decision.nearest else "nothing to choose from"
        found.append(("none", f"{wording.headline(decision)}: {said}"))
    else:
        found.append(("choice", f"{wording.headline(decision)}: {figures(decision.choice)}"))
        found.append(("why", wording.why(decision)))
    found.append(("grade", f"verdict {wording.grade_sentence(decision)}"))
    found += [("remedy", f"to firm it up: {remedy}") for remedy in wording.remedies(decision)]
    if decision.runner_up:
        word = "may be as good" if decision.runner_up in decision.ties else "runner-up"
        found.append(("runner-up", f"{word}: {wording.runner_up(decision)}"))
    found += [("doubt", doubt) for doubt in decision.doubts]
    if len(decision.front) > 1:
        found.append(("front", _FRONT.format(latency=_kinds(decision.front))))
    if decision.refused:
        why = (f"{counted(count, 'cell')} ({reason})" for reason, count in decision.refused)
        found.append(("refused", f"left out: {', '.join(why)}"))
    return found


_FRONT = (
    "no other has better figures of throughput, batch latency ({latency}) and energy at once, noise aside:"
)


def front(decision: Decision) -> list[tuple[str, ...]]:
    """Return the Pareto front as a table: a row of titles, then a row an option; columns without any value left out."""
    energy = ENERGY.figure_scale
    titles = (
        "framework",
        "batch",
        THROUGHPUT.unit,
        "latency",
        POWER.unit,
        f"{energy.unit} {ENERGY.per}",
        f"{decision.prices.currency} a million",
        "g CO2e a million",
    )
    rows = [
        (
            o.summary.row,
            str(o.summary.cell.batch_size),
            significant(o.throughput, 4),
            duration(o.latency_s),
            "" if o.power_w is None else significant(o.power_w, 3),
            "" if o.energy_j is None else significant(o.energy_j / energy.factor, 3),
            "" if o.cost is None else significant(o.cost, 3),
            "" if o.carbon is None else significant(o.carbon, 3),
        )
        for o in decision.front
    ]
    kept = [index for index in range(len(titles)) if any(row[index] for row in rows)]
    return [tuple(row[index] for index in kept) for row in (titles, *rows)]


def _kinds(options: Sequence[Option]) -> str:
    return " or ".join(dict.fromkeys(o.latency_kind for o in options))


def cost_notes(found: Sequence[Decision]) -> list[str]:
    """Return what cost and carbon of a million images are made of, for each set of prices that a choice has them by."""
    chosen = [(d.choice, d.prices) for d in found if d.choice]
    costs: dict[Prices, dict[str, None]] = {}  # and whose they are
    for decision in found:
        if decision.choice and decision.choice.cost is not None:
            costs.setdefault(decision.prices, {})[decision.machine] = None
    carbons = dict.fromkeys(prices.carbon for choice, prices in chosen if choice.carbon is not None)
    told = [
        _cost_note(prices) + (f" ({listed([*machines])})" if len(costs) > 1 else "")
        for prices, machines in costs.items()
    ]
    return [*told, *(_carbon_note(one) for one in carbons if one)]


def _carbon_note(factors: CarbonFactors) -> str:
    made, intensity, pue = factors.embodied, factors.intensity, factors.pue
    operation = (
        f"energy of the metered device x PUE {pue.value:g} ({pue.source}, {pue.date}) "
        f"x {intensity.value:g} g/kWh ({intensity.source}, {intensity.date})"
    )
    left_out = "embodied emissions left out, since they were not given"
    if made is None:
        return f"carbon: {operation}; {left_out}"
    total = made.total_kg
    return f"carbon: {operation} + {made.share:g} of {total.value:g} kg over {made.life_years:g} years ({total.source}, {total.date})"


def _cost_note(prices: Prices) -> str:
    electricity = f"energy of the metered device at {prices.per_kwh:g} {prices.currency} a kWh"
    rent = f"{prices.per_hour:g} {prices.currency} an hour for the machine"
    parts = ((electricity, prices.per_kwh), (rent, prices.per_hour))
    return "cost: " + " and ".join(text for text, paid in parts if paid)


_STYLES = {
    "head": "bold",
    "choice": "green",
    "none": "red",
    "grade": "yellow",
    "doubt": "yellow",
    "refused": "dim",
}


def to_text(found: Sequence[Decision]) -> Iterator[RenderableType]:
    """Return the decision for every machine, line by line, for the terminal."""
    for decision in found:
        for kind, text in lines(decision):
            sentence = Text(text, style=_STYLES.get(kind, ""))
            yield sentence if kind == "head" else Padding(sentence, (0, 0, 0, 2), expand=False)
            if kind == "front":
                yield Padding(_grid(front(decision)), (0, 0, 0, 2), expand=False)
    for comparison in across_machines(found):
        yield Text(comparison, style="bold")
    for note in cost_notes(found):
        yield Text(note, style="dim")


def _grid(rows: Sequence[tuple[str, ...]]) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index, title in enumerate(rows[0]):
        words = Text(_NARROW.sub(r" \1\n", title))
        if index:
            grid.add_column(words, justify="right", no_wrap=True)
        else:
            grid.add_column(words, overflow="fold")
    for row in rows[1:]:
        grid.add_row(*map(Text, row))
    return grid


_NARROW = re.compile(" (an?) ")  # "EUR a million" on two lines, so that all columns fit 60 characters


def to_markdown(found: Sequence[Decision]) -> str:
    """Return the decision as Markdown."""
    out = []
    for decision in found:
        for kind, text in lines(decision):
            flat = markdown_text(text)
            out.append(f"\n**{flat}**\n" if kind == "head" else f"- {flat}")
            if kind == "front":
                titles, *rows = ([markdown_text(text) for text in row] for row in front(decision))
                table = markdown_table(titles, rows, "l" + "r" * (len(titles) - 1))
                out += ["", *(f"  {line}" for line in table), ""]  # indented: it belongs to the item above
    across = (f"**{markdown_text(sentence)}**\n" for sentence in across_machines(found))
    return "\n".join([*out, "", *across, *cost_notes(found)]).strip() + "\n"


def to_json(found: Sequence[Decision]) -> str:
    """Return the decision as JSON: a list of objects, one a machine, model and mode."""
    return json.dumps(data(found), indent=1, ensure_ascii=False) + "\n"


def data(found: Sequence[Decision]) -> list[dict[str, Any]]:
    """Return the decisions as what JSON has."""
    return [
        {
            "machine": a.machine,
            "model": a.model,
            "mode": a.mode,
            "objective": a.objective,
            "choice": a.choice and _object(a.choice),
            "runner_up": a.runner_up and _object(a.runner_up),
            "grade": a.grade,
            "why": wording.why(a),
            "reasons": [{"grade": r.grade, "reason": r.words, "remedy": r.remedy} for r in a.reasons],
            "tie": a.tie,
            "ties": [_object(o) for o in a.ties],
            "pareto": [_object(o) for o in a.front],
            "left_out": dict(a.refused),
            "nearest": a.nearest,
            "doubts": list(a.doubts),
            "price_per_kwh": a.prices.per_kwh,
            "price_per_hour": a.prices.per_hour,
            "currency": a.prices.currency,
            "carbon": a.prices.carbon and asdict(a.prices.carbon),
        }
        for a in found
    ]


def _object(found: Option) -> dict[str, Any]:
    cell = found.summary.cell
    return {
        "framework": cell.framework,
        "precision": cell.precision,
        "batch_size": cell.batch_size,
        "device": cell.device,
        "throughput_images_per_s": found.throughput,
        "latency_s": found.latency_s,
        "latency_kind": found.latency_kind,
        "power_w": found.power_w,
        "energy_j": found.energy_j,
        "cost_per_million_images": found.cost,
        "carbon_g_per_million_images": found.carbon,
    }
