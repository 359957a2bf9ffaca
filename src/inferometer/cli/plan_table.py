"""A plan as a table in the terminal (`run --dry-run`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from inferometer import units
from inferometer.cli.common import console
from inferometer.frameworks.environments import is_built
from inferometer.models.contract import ModelSize
from inferometer.models.inspection import Inspection
from inferometer.planning.plan import Plan, PlanRow
from inferometer.precisions import for_any
from inferometer.records import Cell, Protocol
from inferometer.results.resolution import AIM
from inferometer.running.parallel import at_once_text
from inferometer.running.progress.time_left import nominal_times

_NONE: Mapping[str, str] = {}


def print_plan(
    plan: Plan,
    protocol: Protocol,
    screen: Console | None = None,
    *,
    at_once: tuple[str, ...] = (),
    ways: Mapping[str, str] = _NONE,
    model: Inspection | str = "not opened",
) -> None:
    """Print every cell with its estimate or its skip reason, and the whole run's estimate.

    ``at_once``: which devices; ``ways``: how the model comes to each form; ``model``: what its file says, or why it was
    not opened.
    """
    screen = screen or console()
    size = ModelSize() if isinstance(model, str) else model.size
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("framework", "precision", "device", "mode", "batch sizes", "plan"):
        table.add_column(title, overflow="fold")
    times = nominal_times(plan.cells, plan.framework, protocol, size)
    for key, cells in _by_row(plan.cells).items():
        seconds = ", ".join(units.duration(times[cell]) for cell in cells)
        table.add_row(*key, _sizes(cells), f"about {seconds} a round")
    for fields in _skipped({skip.cell: skip.reason for skip in plan.skips}):
        table.add_row(*fields)
    screen.print(table)
    for name, text in {f"{row.label}": _environment(row) for row in plan.rows.values()}.items():
        screen.print(f"{name}: {text}", markup=False, highlight=False, soft_wrap=True)
    for line in (f"model: {_model(model)}", *_ways(plan, ways)):
        screen.print(line, markup=False, highlight=False, soft_wrap=True)
    if at_once:
        screen.print(at_once_text(at_once, protocol.threads), markup=False, highlight=False, soft_wrap=True)
    total_s = _whole_s(times, at_once) * protocol.rounds
    if protocol.time_limit_s:  # of which the first round is measured whatever it takes
        total_s = min(total_s, max(protocol.time_limit_s, _whole_s(times, at_once)))
    text = (
        f"{units.counted(len(plan.cells), 'cell')} x {units.counted(protocol.rounds, 'round')}{_growth(protocol)}, {len(plan.skips)} skipped; about "
        f"{units.duration(total_s)}, a rough guess from MobileNetV3-Large's speed on two CPU cores{_scaled_by(size)}"
    )
    screen.print(text, markup=False, highlight=False, soft_wrap=True)


def _model(model: Inspection | str) -> str:
    """Return what the model takes, and how large it is."""
    if isinstance(model, str):
        return model
    inputs = ", ".join(
        f"{spec['name']} {spec['dtype']} [{', '.join('batch' if size is None else str(size) for size in spec['shape'])}]"
        for spec in model.inputs
    )
    parameters, macs = (
        "unknown" if count is None else units.scaled(count)
        for count in (model.size.parameters, model.size.macs)
    )
    rows = f"; inputs: {model.rows_note}" if model.rows_note else ""
    held = f"; measured as it is, {model.stored.label}: {model.stored.words}" if model.stored else ""
    return f"takes {inputs}; parameters: {parameters}, multiply-accumulates a row: {macs}{held}{rows}"


def _scaled_by(size: ModelSize) -> str:
    told = [
        name
        for name, count in (("parameters", size.parameters), ("multiply-accumulates", size.macs))
        if count
    ]
    return (
        f", scaled by the model's {units.listed(told)}" if told else "; how large the model is, is not known"
    )


def _ways(plan: Plan, ways: Mapping[str, str]) -> list[str]:
    """Return for each form that is made by conversions how, and for which frameworks."""
    rows = units.grouped((form, cell.framework) for cell, form in plan.forms.items())
    return [f"model of {', '.join(names)}: {ways[form]}" for form, names in rows.items() if ways.get(form)]


def _growth(protocol: Protocol) -> str:
    if protocol.most_rounds <= protocol.rounds:
        return ""
    return f" (more if these are too noisy to tell cells {100 * AIM:g} % apart)"


def _whole_s(times: Mapping[Cell, float], at_once: tuple[str, ...]) -> float:
    """Return the seconds of a round: of the slowest device where they are measured at once."""
    if not at_once:
        return sum(times.values())
    return max(sum(s for cell, s in times.items() if cell.device == device) for device in at_once)


def _by_row(cells: Iterable[Cell]) -> dict[tuple[str, str, str, str], list[Cell]]:
    groups: dict[tuple[str, str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.framework, cell.precision, cell.device, cell.mode), []).append(cell)
    return groups


def _skipped(reasons: Mapping[Cell, str]) -> Iterator[tuple[str, ...]]:
    """Yield the fields of a line for all precisions of a row that are skipped alike."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for (framework, precision, device, mode), cells in _by_row(reasons).items():
        own = dict.fromkeys(for_any(reasons[cell], precision) for cell in cells)
        key = (framework, device, mode, _sizes(cells), f"skip: {'; '.join(own)}")
        alike.setdefault(key, []).append(precision)
    for (framework, *others), precisions in alike.items():
        yield (framework, ", ".join(precisions), *others)


def _sizes(cells: Iterable[Cell]) -> str:
    return ", ".join(str(cell.batch_size) for cell in cells)


def _environment(row: PlanRow) -> str:
    if row.requirements is None:
        return f"given interpreter {row.python}"
    pins = ", ".join(row.requirements.lines)
    state = "built" if is_built(row.requirements) else f"to build, {row.requirements.download_text()}"
    return f"environment {row.requirements.name} for {row.requirements.accelerator} ({pins}): {state}"
