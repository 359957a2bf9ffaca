"""One table of what real models reached, from their run directories: which rows were ranked, which were not and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalogue import Model

from inferometer.frameworks.catalogue import parse_choice
from inferometer.results.cells import CellSummary
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import StoredRun, read_run
from inferometer.units import counted

MOST_WORDS = 220  # letters of a reason
NOT_RUN = "not run yet"


@dataclass(frozen=True)
class Row:
    """A framework that was ranked."""

    name: str
    images_per_s: dict[int, float]  # batch size -> throughput
    via: str  # the foreign converters on its way, "" for none

    def told(self) -> str:
        rates = ", ".join(f"{_rate(rate)} at {size}" for size, rate in sorted(self.images_per_s.items()))
        return f"{self.name} {rates}" + (f" (by way of {self.via})" if self.via else "")


def _rate(images_per_s: float) -> str:
    return f"{images_per_s:,.0f}" if images_per_s >= 100 else f"{images_per_s:.3g}"


@dataclass(frozen=True)
class Reached:
    """What one model reached."""

    model: Model
    version: str
    ranked: tuple[Row, ...] = ()  # the fastest first
    others: tuple[tuple[str, tuple[str, ...]], ...] = ()  # reason -> rows
    worst_error: float | None = None  # largest relative error of any ranked row
    failure: str = ""  # why there is no run


def reached(model: Model, version: str, folder: Path) -> Reached:
    """Return what the run in ``folder`` says; its log, beside it, where it did not begin."""
    log = folder.with_name(f"{folder.name}.log")
    if not (folder / "run.json").exists():
        lines = log.read_text().splitlines() if log.exists() else []
        return Reached(model, version, failure=lines[-1] if lines else NOT_RUN)
    run = read_run(folder)
    return Reached(model, version, failure=NOT_RUN) if run.missing else of_run(model, version, run)


def of_run(model: Model, version: str, run: StoredRun) -> Reached:
    """Return what a run says of a model, on the CPU."""
    cells = [summary for summary in summarise([run]).summaries if _of_the_cpu(summary)]
    ranked = [_row(name, cells) for name in dict.fromkeys(s.row for s in cells if s.ranked)]
    names = {row.name for row in ranked}
    errors = [s.parity.max_rel for s in cells if s.ranked and s.parity and s.parity.max_rel is not None]
    return Reached(
        model,
        version,
        tuple(sorted(ranked, key=lambda row: -max(row.images_per_s.values()))),
        tuple(_others([s for s in cells if s.row not in names])),
        max(errors, default=None),
    )


def _of_the_cpu(summary: CellSummary) -> bool:
    return "cpu" in parse_choice(summary.cell.framework).framework.devices


def _row(name: str, cells: Sequence[CellSummary]) -> Row:
    own = [s for s in cells if s.row == name and s.ranked and s.throughput]
    via = {str(flag.values.get("via")) for s in own for flag in s.flags if flag.kind == "converted"}
    rates = {s.cell.batch_size: s.throughput.value for s in own if s.throughput}
    return Row(name, rates, ", ".join(sorted(via)))


def _others(cells: Iterable[CellSummary]) -> list[tuple[str, tuple[str, ...]]]:
    rows: dict[str, dict[str, None]] = {}
    for summary in cells:
        told = summary.cause if summary.status == "skipped" else f"{summary.status}: {summary.cause}"
        rows.setdefault(short(told), {})[summary.row] = None
    return [(reason, tuple(names)) for reason, names in rows.items()]


def short(reason: str) -> str:
    """Return a reason in one line of bounded length, cut between words."""
    words = " ".join(reason.split())
    return words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS].rpartition(' ')[0]} ..."


def markdown(found: Sequence[Reached]) -> str:
    """Return the table, a line a model that was tried."""
    lines = ["| model | kind | ranked | images/s | not ranked | largest error |", "|---|---|--:|---|---|--:|"]
    return "\n".join((*lines, *(_line(item) for item in found if item.failure != NOT_RUN))) + "\n"


def _line(item: Reached) -> str:
    model = item.model
    source = f"`{model.told()}`<br>{model.package} {item.version}"
    if item.failure:
        cells = [source, model.kind, "0", "", short(item.failure), ""]
    else:
        others = "<br>".join(f"{', '.join(names)}: {reason}" for reason, names in item.others)
        rows = "<br>".join(row.told() for row in item.ranked)
        error = "" if item.worst_error is None else f"{item.worst_error:.0e}"
        cells = [source, model.kind, str(len(item.ranked)), rows, others, error]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def conclusion(found: Sequence[Reached]) -> str:
    """Return how many models were measured, and on how many rows."""
    measured = [item for item in found if item.ranked]
    rows = sorted(len(item.ranked) for item in measured)
    if not rows:
        return "No model was measured."
    waiting = [item.model.name for item in found if item.failure == NOT_RUN]
    text = f"{counted(len(measured), 'model')} of {len(found)} measured, on {rows[0]} to {rows[-1]} rows."
    return f"{text} Not run yet: {', '.join(waiting)}." if waiting else text
