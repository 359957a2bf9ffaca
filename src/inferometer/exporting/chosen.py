"""Which cell is exported: the one that is named, or the recommended one."""

from __future__ import annotations

from collections.abc import Sequence

from inferometer.errors import UsageError, unknown
from inferometer.recommendation import wording
from inferometer.recommendation.recommend import recommend
from inferometer.results.cells import CellSummary, Results

_FIELDS = ("framework", "precision", "batch_size", "device", "mode")


def named(text: str, results: Results) -> CellSummary:
    """Return the cell that ``text`` names, as FRAMEWORK/PRECISION/BATCH or with parts of Cell.key left out at either end.

    UsageError for one that is not there (with the nearest), that is not the only one, or that did not end well.
    """
    short = {_short(s): s for s in results.summaries}
    asked = tuple(part for part in text.strip().split("/") if part)
    found = [s for s in results.summaries if text.strip() == s.cell.key or _begins(asked, s)]
    if not found:
        raise unknown("cell", text, short)
    if len(found) > 1:
        found = [s for s in found if s.cell.mode == "host"] or found
    if len(found) > 1:
        raise UsageError(f"cell '{text}' is {_listed(found)}; give more of its name, or fewer runs")
    if not found[0].measured:
        raise UsageError(
            f"cell '{text}' ended as {found[0].status}: {found[0].cause or 'it was not measured'}"
        )
    if not found[0].records:
        raise UsageError(
            f"cell '{text}' holds published figures only; nothing was measured that could be exported"
        )
    return found[0]


def recommended(results: Results) -> CellSummary:
    """Return the one choice of mode host; UsageError where the data carry none, or where there is more than one."""
    found = [decision for decision in recommend(results) if decision.mode == "host"]
    if not found:
        raise UsageError("no cell of mode host was measured, and infer.py takes numpy and gives numpy")
    if len(found) > 1:
        of = "; ".join(f"{decision.model} on {decision.machine}" for decision in found)
        raise UsageError(f"there are {len(found)} recommendations ({of}); give one run, or name a cell")
    decision = found[0]
    if decision.choice is None or decision.grade == "none":
        best = f"; the best figure is of {_short(decision.choice.summary)}" if decision.choice else ""
        raise UsageError(
            f"nothing is recommended, verdict {wording.grade_sentence(decision)}{best}; name a cell to export it all the same"
        )
    return decision.choice.summary


def _short(summary: CellSummary) -> str:
    cell = summary.cell
    return f"{cell.framework}/{cell.precision}/{cell.batch_size}"


def _begins(asked: Sequence[str], summary: CellSummary) -> bool:
    """Return whether the parts of a cell's name begin with those asked for."""
    parts = [str(getattr(summary.cell, field)).lower() for field in _FIELDS]
    return bool(asked) and parts[: len(asked)] == [part.lower() for part in asked]


def _listed(found: Sequence[CellSummary]) -> str:
    names = [f"{s.cell.key} on {s.machine}" for s in found]
    more = f" and {len(names) - 4} others" if len(names) > 4 else ""
    return f"{' or '.join(names[:4])}{more}"
