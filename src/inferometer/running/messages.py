"""The requests that workers understand (`worker/serve.py`), made from a run's request and a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.energy.session import MeterNeeds
from inferometer.frameworks.catalogue import FrameworkChoice
from inferometer.models.contract import PreparedModel
from inferometer.planning.request import RunRequest
from inferometer.records import Cell


def open_message(
    cell: Cell, choice: FrameworkChoice, request: RunRequest, model: PreparedModel, cache: Path
) -> dict[str, Any]:
    """Return the request that loads a cell's framework and artifact."""
    artifact = model.artifacts[choice.framework.form_at(cell.precision)]
    return {
        "op": "open",
        "backend": choice.framework.backend,
        "options": {**choice.options, "trust": request.model.trust_model},
        "artifact": {
            "form": artifact.form,
            "path": str(artifact.path),
            "layout": artifact.layout,
            "inputs": [spec.name for spec in artifact.inputs],
            "outputs": [spec.name for spec in artifact.outputs],
        },
        "precision": cell.precision,
        "mode": cell.mode,
        "device": cell.device.partition(":")[0],
        "threads": request.protocol.threads,
        "inputs": str(model.inputs),
        "reference": str(model.reference),
        "source_layout": "NHWC",
        "checks": _checks(model),
        "tolerance": request.tolerance,
        "images": request.protocol.images,
        "cache": str(cache),
    }


def _checks(model: PreparedModel) -> dict[str, str]:
    checks = model.checks
    paths = {name: getattr(checks, name) for name in ("ambiguity", "unseen_inputs", "unseen_reference")}
    return {"stored": checks.stored, **{name: str(path) for name, path in paths.items() if path}}


def measure_message(cell: Cell, request: RunRequest, needs: MeterNeeds) -> dict[str, Any]:
    """Return the request that measures a cell."""
    protocol = request.protocol
    return {
        "op": "measure",
        "batch_size": cell.batch_size,
        "loops": protocol.loops,
        "warmup": protocol.warmup,
        "window_s": needs.window_s,
        "updates_s": list(needs.updates_s),
        "budget_s": protocol.budget_s,
        "least_loops": protocol.least_loops,
    }
