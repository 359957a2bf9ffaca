"""A plan as a table in the terminal (`run --dry-run`)."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from inferometer import units
from inferometer.environments import is_built
from inferometer.estimate import nominal_s
from inferometer.plan import Plan, Row
from inferometer.records import Cell, Protocol


def print_plan(plan: Plan, protocol: Protocol, console: Console | None = None) -> None:
    """Print every cell with its estimate or its skip reason, and the whole run's estimate."""
    console = console or Console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("framework", "precision", "device", "mode", "batch", "plan"):
        table.add_column(title, justify="right" if title == "batch" else "left", overflow="fold")
    for cell in plan.cells:
        seconds = nominal_s(cell, plan.row(cell).choice.framework, protocol)
        _add(table, cell, f"about {units.duration(seconds)} a round")
    for skip in plan.skips:
        _add(table, skip.cell, f"skip: {skip.reason}")
    console.print(table)
    for row in {row.label: row for row in plan.rows.values()}.values():
        console.print(f"{row.label}: {_environment(row)}", markup=False, highlight=False)
    total = (
        sum(nominal_s(cell, plan.row(cell).choice.framework, protocol) for cell in plan.cells)
        * protocol.rounds
    )
    text = (
        f"{len(plan.cells)} cells x {protocol.rounds} rounds, {len(plan.skips)} skipped; about {units.duration(total)}: "
        "a rough guess from MobileNetV3-Large's speed on two CPU cores"
    )
    console.print(text, markup=False, highlight=False)


def _add(table: Table, cell: Cell, text: str) -> None:
    table.add_row(cell.framework, cell.precision, cell.device, cell.mode, str(cell.batch_size), text)


def _environment(row: Row) -> str:
    if row.requirements is None:
        return f"given interpreter {row.python}"
    pins = ", ".join(row.requirements.lines)
    state = "built" if is_built(row.requirements) else f"to build, {row.requirements.download_text()}"
    return f"environment {row.requirements.name} ({pins}): {state}"
