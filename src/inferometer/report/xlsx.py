"""The tables as a workbook with the colours of the report's own: a sheet a metric, one with the verdicts, one of all cells, one with the findings."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inferometer.errors import UsageError
from inferometer.escapes import for_spreadsheets
from inferometer.findings import findings
from inferometer.recommendation import wording
from inferometer.recommendation.recommend import recommend
from inferometer.report.writing import writing
from inferometer.results.cells import CellSummary, Results
from inferometer.results.metrics import METRICS, Metric, Place, metrics_in
from inferometer.tables import Table, TableCell, build, colour
from inferometer.tables.text import MARKS, footnotes, legend, mark_of


def write_workbook(
    results: Results,
    path: Path,
    *,
    metrics: Sequence[str] | None = None,
    palette: str = "study",
    reference: str | None = None,
) -> None:
    """Write ``path``; metrics that no cell has get no sheet. Default: those that name the workbook as their place.

    Numbers are numbers, unrounded, in the shown unit. ``reference``: the machine that an asterisk means beating; default: the one with most wins of each metric.
    """
    try:
        from openpyxl import Workbook
    except ImportError:
        raise UsageError("--xlsx needs openpyxl: pip install 'inferometer[xlsx]'") from None
    book = Workbook()
    book.remove(book.active)
    chosen = metrics_in(Place.WORKBOOK) if metrics is None else [METRICS[name] for name in metrics]
    for metric in chosen:
        for table in build(results, metric, reference):
            if not table.is_empty:
                _sheet(book, table, palette)
    _verdicts(book, results)
    _cells(book, results)
    _findings(book, results)
    with writing(path):
        book.save(path)


def _sheet(book: Any, table: Table, palette: str) -> None:
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(_name(table, book.sheetnames))
    sheet.append([_safe(table.title)])
    sheet.append(["Batch size", "Framework", *(_safe(m) for m in table.machines)])
    for cell in (*sheet[1], *sheet[2]):
        cell.font = Font(bold=True)
    for row in table.rows:
        sheet.append([row.batch_size, _safe(row.label)])
        for column, found in enumerate(row.cells, 3):
            if found is not None:
                _fill(sheet.cell(sheet.max_row, column), found, table, palette)
    notes = [*legend(table, MARKS, False), *footnotes(table)]
    for line in ["", *notes]:
        sheet.append([_safe(line)])
    sheet.freeze_panes = "C3"
    widths = [12, 18, *(max(14, len(machine) + 2) for machine in table.machines)]
    for number, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet["A1"].alignment = Alignment(wrap_text=False)


def _fill(target: Any, found: TableCell, table: Table, palette: str) -> None:
    """Put a number with its colour, weight and marks; the marks are in the number's format, so it stays a number."""
    from openpyxl.styles import Alignment, Font, PatternFill

    note = f" [{found.note}]" if found.note else ""
    target.alignment = Alignment(horizontal="right")
    if found.estimate is None:
        target.value = _safe(found.text + note)
        target.font = Font(italic=True)
        return
    target.value = found.estimate.value / table.scale.factor
    decimals = len(found.text.partition(".")[2])
    number = "#,##0" + ("." + "0" * decimals if decimals else "")
    star = '"*"' if found.beats_reference else ""
    tail = f"{note} {mark_of(found, MARKS)}".rstrip("\u00a0 ")
    target.number_format = star + number + (f'"{tail}"' if tail else "")
    if found.shade is None:
        return
    shade = colour(found.shade, palette)
    target.fill = PatternFill("solid", fgColor=shade.background_hex[1:].upper())
    target.font = Font(bold=found.best_overall, color=shade.text_hex[1:].upper())


def _verdicts(book: Any, results: Results) -> None:
    from openpyxl.styles import Alignment, Font

    sheet = book.create_sheet("Verdict")
    sheet.append(
        ["Machine", "Model", "Mode", "Verdict", "Grade", "Why", "Cannot be told from it", "To firm it up"]
    )
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for one in recommend(results):
        ties = "; ".join(wording.tied_names(one))
        texts = [one.machine, one.model, one.mode, wording.headline(one), wording.grade_sentence(one)]
        texts += [wording.why(one), ties, "; ".join(wording.remedies(one))]
        sheet.append([_safe(text) for text in texts])
        for cell in sheet[sheet.max_row]:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    for letter, width in zip("ABCDEFGH", (28, 22, 10, 36, 60, 48, 36, 48), strict=True):
        sheet.column_dimensions[letter].width = width


_WHO = ("Machine", "Model", "Framework", "Precision", "Mode", "Batch size", "Status")


def _cells(book: Any, results: Results) -> None:
    """Write every cell as a row, with a filter: values and ends of intervals as numbers, in the unit of the heading."""
    from openpyxl.styles import Font

    sheet = book.create_sheet("Cells")
    metrics = [m for m in METRICS.values() if any(m.of(s) for s in results.summaries if s.measured)]
    titles = [f"{m.title} [{m.figure_scale.unit}]" if m.figure_scale.unit else m.title for m in metrics]
    sheet.append([*_WHO, *(name for title in titles for name in (title, "low", "high")), "Cause"])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for summary in results.summaries:
        one = summary.cell
        who = [summary.machine, summary.model, one.framework, one.precision, one.mode]
        values = [value for metric in metrics for value in _ends(summary, metric)]
        row = [*map(_safe, who), one.batch_size, summary.status, *values, _safe(summary.cause)]
        sheet.append(row)
    sheet.freeze_panes = "G2"
    sheet.auto_filter.ref = sheet.dimensions


def _ends(summary: CellSummary, metric: Metric) -> list[float | None]:
    found = metric.of(summary) if summary.measured else None
    ends = (None, None, None) if found is None else metric.figure_scale.ends(found)
    return [end if end is not None and math.isfinite(end) else None for end in ends]


def _findings(book: Any, results: Results) -> None:
    from openpyxl.styles import Alignment

    sheet = book.create_sheet("Findings")
    sheet.column_dimensions["A"].width = 16
    sheet.column_dimensions["B"].width = 120
    for finding in findings(results):
        sheet.append([finding.kind, _safe(finding.text)])
        sheet.cell(sheet.max_row, 2).alignment = Alignment(wrap_text=True, vertical="top")


def _name(table: Table, taken: Sequence[str]) -> str:
    """Return a sheet name: at most 31 characters, none of Excel's forbidden ones, unique."""
    text = (
        table.metric.name
        if not taken or table.metric.name not in taken
        else f"{table.metric.name} {table.mode}"
    )
    text = re.sub(r"[\[\]:*?/\\']", " ", text)[:31]
    number = 2
    unique = text
    while unique in taken:
        unique = f"{text[:27]} {number}"
        number += 1
    return unique


def _safe(text: str) -> str:
    """Return text that a spreadsheet takes as text: no formula, no control characters."""
    clean = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", text)
    return for_spreadsheets(clean)
