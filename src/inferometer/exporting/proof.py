"""proof.json: what was measured of the exported row, on what, and what of it the folder can show again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from inferometer.exporting.located import Located
from inferometer.exporting.settings import Row
from inferometer.flags import group
from inferometer.models.artifact_cache import hash_file
from inferometer.records import DatasetInfo, Record
from inferometer.results.cells import CellSummary
from inferometer.results.metrics import METRICS, THROUGHPUT
from inferometer.storage.run_directory import StoredRun
from inferometer.units import counted
from inferometer.version import __version__

FORMAT = 1


def proof(
    row: Row, summary: CellSummary, run: StoredRun, located: Located, check: dict[str, Any]
) -> dict[str, Any]:
    """Return proof.json without the hashes of files, which come last (`hashes`)."""
    info, cell = run.info, row.cell
    machine = msgspec.to_builtins(info.machine)
    machine.pop("hostname")
    actual = summary.actual
    return {
        "format": FORMAT,
        "inferometer": {"measured": info.tool, "exported": __version__},
        "row": {
            **msgspec.to_builtins(cell),
            "threads": row.threads,
            "options": dict(row.options),
            "layout": row.artifact.layout,
            "inputs": [_spec(spec) for spec in row.artifact.inputs],
            "outputs": [_spec(spec) for spec in row.artifact.outputs],
        },
        "measured": told(summary),
        "figures": figures(summary),
        "energy": {"meter": summary.meter, "reason": summary.energy_reason},
        "parity": msgspec.to_builtins(summary.parity),
        "flags": [each.words for each in group((flag, "") for flag in summary.flags)],
        "check": check,
        "protocol": protocol(_last(summary), run),
        "model": {
            **{name: getattr(info.model, name) for name in ("name", "source", "weights", "hash", "data", "reference")},
            "form": row.artifact.form,
            "via": row.artifact.via,
            "parity": row.artifact.parity,
            "loss": dict(row.artifact.own.loss) if row.artifact.own else None,
            "made_again": located.made_again,
        },
        "dataset": dataset(info.dataset),
        "machine": machine,
        "versions": actual.versions if actual else {},
        "environment": environment(run, row),
        "command": info.command,
        "created_at": info.created_at,
    }  # fmt: skip


def dataset(known: DatasetInfo | None) -> dict[str, Any] | None:
    """Return the user's own data that the row answered: how images became inputs, and the classes' names; None where there were none."""
    if known is None:
        return None
    return {**msgspec.to_builtins(known), "path": Path(known.path).name}


def figures(summary: CellSummary) -> dict[str, Any]:
    """Return every metric that is known of a cell: value, 95 % interval, SI unit, what the interval comes from."""
    found = {name: metric.of(summary) for name, metric in METRICS.items()}
    return {
        name: {
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "unit": estimate.unit,
            "source": estimate.source,
            "n": estimate.n,
        }
        for name, estimate in found.items()
        if estimate
    }


def told(summary: CellSummary) -> str:
    """Return the measured throughput in words, as `infer.py --bench` shows it beside its own."""
    found = THROUGHPUT.of(summary)
    assert found is not None
    known = found.low is not None and found.high is not None
    span = f"95 % interval {found.low:.1f} to {found.high:.1f}, " if known else ""
    rounds = counted(summary.rounds, "round")
    return f"{found.value:.1f} images/s ({span}{rounds}) on {summary.machine}"


def protocol(record: Record, run: StoredRun) -> dict[str, Any]:
    """Return how a cell's loops were measured, as `infer.py --bench` measures; limits of 0 s are none."""
    asked = run.info.protocol
    window_s = max(asked.energy_window_s, asked.clock_window_s)
    return {
        "images": record.images,
        "loops": asked.loops,
        "least": min(asked.loops, asked.least_loops),
        "warmup": asked.warmup,
        "warmup_s": asked.budget_s / 3,
        "window_s": window_s,
        "most_s": max(asked.budget_s, window_s) if asked.budget_s else 0.0,
    }


def environment(run: StoredRun, row: Row) -> dict[str, Any]:
    """Return the pins of a row's environment; of a user's own interpreter the versions that it told."""
    facts = run.info.environments.get(f"{row.cell.framework} on {row.cell.device}", {})
    return {
        "interpreter": "unknown",
        **facts,
        "pins": facts.get("pins", []),
        "python": run.info.machine.python,
    }


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in files}


def _last(summary: CellSummary) -> Record:
    return next(record for record in reversed(summary.records) if record.status == "ok")


def _spec(spec: Any) -> dict[str, Any]:
    return {"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype}
