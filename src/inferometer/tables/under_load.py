"""Results under load as a table: texts for people, and rows of data."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from inferometer import units
from inferometer.flags import Flag, group
from inferometer.results.estimates import Estimate
from inferometer.results.under_load import NOT_MLPERF, LoadSummary, joules_a_request, watts
from inferometer.tables.data import text_cells
from inferometer.tables.markup import markdown_table, markdown_text

Text = Callable[[LoadSummary], str]


def _spread(estimate: Estimate | None) -> str:
    if estimate is None or estimate.half_width is None:
        return ""
    return f" ±{units.significant(100 * estimate.half_width, 2)} %"


def _rate(summary: LoadSummary) -> str:
    if summary.rate is None:
        return "none" if summary.rounds else summary.results[-1].status
    return f"{units.significant(summary.rate.value)}{_spread(summary.rate)}"


def _latency(summary: LoadSummary) -> str:
    return units.duration(summary.latency.value) if summary.latency else ""


def _promise(summary: LoadSummary) -> str:
    if summary.scenario == "offline":
        return ""
    bound = f" ≤ {units.duration(summary.bound_s)}" if summary.bound_s else ""
    return f"p{summary.percentile:g}{bound}"


def _verdict(summary: LoadSummary) -> str:
    if not summary.rounds:
        return ""
    if summary.valid == summary.rounds:
        return "VALID"
    return "INVALID" if not summary.valid else f"VALID {summary.valid}/{summary.rounds}"


def _quantity(estimate: Estimate | None, scale: float, unit: str) -> str:
    return f"{units.significant(estimate.value / scale)} {unit}" if estimate else ""


COLUMNS: tuple[tuple[str, str, Text], ...] = (  # title, side, text
    ("scenario", "l", lambda s: s.scenario),
    ("framework", "l", lambda s: s.row),
    ("batching", "l", lambda s: s.batching.words),
    ("promise", "l", _promise),
    ("rate /s", "r", _rate),
    ("latency", "r", _latency),
    ("LoadGen", "l", _verdict),
    ("mJ/request", "r", lambda s: _quantity(s.energy_request, 1e-3, "")),
    ("W", "r", lambda s: _quantity(s.power, 1.0, "")),
    ("rounds", "r", lambda s: str(s.rounds)),
)
TITLE = "Under load (MLPerf's LoadGen)"
_ALWAYS = ("scenario", "framework", "rate /s", "LoadGen")


def ordered(summaries: Sequence[LoadSummary]) -> list[LoadSummary]:
    """Return the rows: scenario by scenario, the highest rate first."""
    scenarios = list(dict.fromkeys(s.scenario for s in summaries))

    def place(summary: LoadSummary) -> tuple[Any, ...]:
        rate = summary.rate.value if summary.rate else 0.0
        return (
            summary.machine,
            summary.model,
            scenarios.index(summary.scenario),
            summary.bound_s or 0.0,
            -rate,
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
    for summary in ordered(summaries):
        told = "; ".join(filter(None, (*summary.problems, summary.audit, _switching(summary))))
        if told:
            lines.append(f"{summary.row}, {summary.scenario}, {summary.batching.words}: {told}")
    found = ((flag, summary.row) for summary in summaries for flag in flags_of(summary))
    return [*lines, *(f"{one.words}: {units.listed(one.whom)}" for one in group(found))]


def flags_of(summary: LoadSummary) -> list[Flag]:
    """Return what a reader must know of the tests that count."""
    return [flag for result in summary.results if result.result for flag in result.result.flags]


def _switching(summary: LoadSummary) -> str:
    """Return that a row's batches should have one size, where a change of it costs more than the longest batch."""
    dear = [result.switch_s for result in summary.results if result.switches_dearly]
    if summary.scenario != "server" or not dear:
        return ""
    return f"a batch of another size than the one before takes {units.duration(max(dear))} longer: try --padding one"


def load_markdown(summaries: Sequence[LoadSummary]) -> str:
    """Return the table as Markdown, with its notes; "" where nothing was run under load."""
    if not summaries:
        return ""
    columns = shown_columns(summaries)
    rows = [[markdown_text(text(s).strip()) for _, _, text in columns] for s in ordered(summaries)]
    sides = "".join(side for _, side, _ in columns)
    table = markdown_table([title for title, _, _ in columns], rows, sides)
    notes = [f"{markdown_text(line)}  " for line in load_notes(summaries)]
    return "\n".join([f"**{TITLE}**", "", *table, "", *notes]).rstrip() + "\n"


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
            "energy_request_j": joules_a_request(test), "power_w": watts(test), "folder": test.folder,
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
    writer.writerows(text_cells(row) for row in rows)
    return out.getvalue()
