"""Results under load as a table: texts for people, and rows of data."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from inferometer import units
from inferometer.escapes import text_row
from inferometer.flags import Flag, group
from inferometer.records import STILL_MISSING
from inferometer.results.estimates import Estimate
from inferometer.results.under_load import (
    NOT_MLPERF,
    LoadSummary,
    by_place,
    joules_a_request,
    meter_of,
    watts,
)
from inferometer.tables.markup import markdown_table, markdown_text

Text = Callable[[LoadSummary], str]


def _spread(estimate: Estimate | None) -> str:
    if estimate is None or estimate.half_width is None:
        return ""
    return f" ±{units.significant(100 * estimate.half_width, 2)} %"


def _rate(summary: LoadSummary) -> str:
    if not summary.rounds:
        return summary.results[-1].status
    if summary.rate is None:
        return "none" if summary.scenario == "server" else ""
    return f"{units.significant(summary.rate.value)}{_spread(summary.rate)}"


def _duration(estimate: Estimate | None) -> str:
    return units.duration(estimate.value) if estimate else ""


def _latency(summary: LoadSummary) -> str:
    """Return the promised percentile where it has no column of its own."""
    return "" if summary.percentile in (90.0, 99.0) else _duration(summary.latency)


def _scenario(summary: LoadSummary) -> str:
    """Return the scenario, of a server with its promise."""
    if summary.bound_s is None:
        return summary.scenario
    return f"{summary.scenario} p{summary.percentile:g} ≤ {units.duration(summary.bound_s)}"


def _verdict(summary: LoadSummary) -> str:
    if not summary.rounds:
        return ""
    if summary.valid == summary.rounds:
        return "VALID"
    return "INVALID" if not summary.valid else f"VALID {summary.valid}/{summary.rounds}"


def _quantity(estimate: Estimate | None, scale: float, unit: str) -> str:
    return f"{units.significant(estimate.value / scale)} {unit}" if estimate else ""


COLUMNS: tuple[tuple[str, str, Text], ...] = (  # title, side, text
    ("scenario", "l", _scenario),
    ("framework", "l", lambda s: s.row),
    ("batching", "l", lambda s: s.batching.words),
    ("rate /s", "r", _rate),
    ("latency", "r", _latency),
    ("p90", "r", lambda s: _duration(s.p90)),
    ("p99", "r", lambda s: _duration(s.p99)),
    ("LoadGen", "l", _verdict),
    ("mJ/request", "r", lambda s: _quantity(s.energy_request, 1e-3, "")),
    ("W", "r", lambda s: _quantity(s.power, 1.0, "")),
    ("rounds", "r", lambda s: str(s.rounds)),
)
TITLE = "Under load (MLPerf's LoadGen)"


def headed(title: str) -> str:
    """Return the heading of a table of `load_parts`."""
    return f"{TITLE}: {title}" if title else TITLE


_ALWAYS = ("scenario", "framework", "rate /s", "LoadGen")


def ordered(summaries: Sequence[LoadSummary]) -> list[LoadSummary]:
    """Return the rows: scenario by scenario, the highest rate first, or the shortest latency where there is none."""
    scenarios = list(dict.fromkeys(s.scenario for s in summaries))

    def place(summary: LoadSummary) -> tuple[Any, ...]:
        rate = summary.rate.value if summary.rate else 0.0
        return (
            summary.machine,
            summary.model,
            scenarios.index(summary.scenario),
            summary.bound_s or 0.0,
            -rate,
            summary.latency.value if summary.latency else 0.0,
        )

    return sorted(summaries, key=place)


def shown_columns(summaries: Sequence[LoadSummary]) -> list[tuple[str, str, Text]]:
    """Return the columns that have any text."""
    return [c for c in COLUMNS if c[0] in _ALWAYS or any(c[2](s).strip() for s in summaries)]


def load_notes(summaries: Sequence[LoadSummary]) -> list[str]:
    """Return what a reader must know: the length of tests, and why rows have no valid result."""
    lines = []
    short = sorted({s.preset for s in summaries if not s.is_mlperf_length})
    if short:
        lines.append(
            f"{NOT_MLPERF}: tests of the preset {units.listed(short)} are shortened; --scenario-preset mlperf is not"
        )
    if any(s.scenario == "server" for s in summaries):
        lines.append(
            "the server's rate is the highest of Poisson arrivals that LoadGen called VALID in each round"
        )
    if any(s.scenario != "server" and s.valid < s.rounds for s in summaries):
        lines.append("figures of streams and offline are of INVALID tests too")
    for summary in ordered(summaries):
        told = "; ".join(
            filter(
                None,
                (*summary.problems, _partly(summary), _metered(summary), summary.audit, _switching(summary)),
            )
        )
        if told:
            lines.append(f"{summary.row}, {_scenario(summary)}, {summary.batching.words}: {told}")
    found = ((flag, summary.row) for summary in summaries for flag in flags_of(summary))
    return [*lines, *(f"{one.words}: {units.listed(one.whom)}" for one in group(found))]


def flags_of(summary: LoadSummary) -> list[Flag]:
    """Return what a reader must know of the tests that count."""
    return [flag for result in summary.results if result.result for flag in result.result.flags]


def _partly(summary: LoadSummary) -> str:
    """Return of how many rounds a row's figures are, where others ended without any."""
    ended = [result for result in summary.results if result.status not in STILL_MISSING]
    counted = sum(result.status == "ok" and result.result is not None for result in ended)
    return f"its figures are of {counted} of {len(ended)} rounds" if 0 < counted < len(ended) else ""


def _metered(summary: LoadSummary) -> str:
    """Return how many rounds another meter than most has the energy of, which are left out of the mean."""
    if not summary.other_meters:
        return ""
    return f"energy by {summary.meter}, without {summary.other_meters} of {summary.rounds} rounds by another meter"


def _switching(summary: LoadSummary) -> str:
    """Return that a row's batches should have one size, where a change of it costs more than the longest batch."""
    dear = [result.switch_s for result in summary.results if result.switches_dearly]
    if summary.scenario != "server" or summary.batching.padding == "one" or not dear:
        return ""
    return f"a batch of another size than the one before takes {units.duration(max(dear))} longer: try --padding one"


def load_parts(summaries: Sequence[LoadSummary]) -> list[tuple[str, list[LoadSummary]]]:
    """Return the rows of each machine and model, which share a table, with its title: "" where there is one only."""
    places = by_place(summaries)
    return [
        (": ".join(filter(None, place)) if len(places) > 1 else "", found) for place, found in places.items()
    ]


def load_markdown(summaries: Sequence[LoadSummary]) -> str:
    """Return a table a machine and model as Markdown, with its notes; "" where nothing was run under load."""
    return "\n".join(_markdown(title, found) for title, found in load_parts(summaries))


def _markdown(title: str, summaries: Sequence[LoadSummary]) -> str:
    columns = shown_columns(summaries)
    rows = [[markdown_text(text(s).strip()) for _, _, text in columns] for s in ordered(summaries)]
    sides = "".join(side for _, side, _ in columns)
    table = markdown_table([title for title, _, _ in columns], rows, sides)
    notes = [f"{markdown_text(line)}  " for line in load_notes(summaries)]
    return "\n".join([f"**{markdown_text(headed(title))}**", "", *table, "", *notes]).rstrip() + "\n"


def load_rows(summaries: Sequence[LoadSummary]) -> list[dict[str, Any]]:
    """Return a dict a test, SI units, floats exact: what was tried is data too."""
    return [
        {
            "machine": s.machine, "model": s.model, "framework": s.cell.framework, "precision": s.cell.precision,
            "device": s.cell.device, "scenario": s.scenario, "max_batch": s.batching.max_batch,
            "max_wait_s": s.batching.max_wait_s, "padding": s.batching.padding, "instances": s.batching.instances, "percentile": s.percentile,
            "bound_s": s.bound_s, "preset": s.preset, "mlperf_length": s.is_mlperf_length, "round": result.round,
            "status": result.status, "purpose": test.purpose, "chosen": place == result.chosen, "valid": test.valid,
            "ended_early": test.ended_early, "target_rate": test.target_rate, "rate": test.rate,
            "queries": test.queries, "overlatency": test.overlatency,
            **{f"latency_p{name}_s" if name != "mean" else "latency_mean_s": test.latency_s.get(name) for name in _LATENCIES},
            "padded": test.padded, "busy_s": test.busy_s, "elapsed_s": test.elapsed_s,
            "energy_request_j": joules_a_request(test), "power_w": watts(test), "meter": meter_of(test), "folder": test.folder,
        }
        for s in ordered(summaries)
        for result in s.results
        for place, test in enumerate(result.tests)
    ]  # fmt: skip


_LATENCIES = ("mean", "50", "90", "95", "99", "99.9")


def load_csv(summaries: Sequence[LoadSummary]) -> str:
    """Return `load_rows` as CSV."""
    rows = load_rows(summaries)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(text_row(row) for row in rows)
    return out.getvalue()
