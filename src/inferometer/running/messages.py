"""What is said to workers (`worker/protocol.py`): requests made from a run's request and a cell, answers checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from inferometer.device import Device
from inferometer.energy.view import MeterNeeds
from inferometer.errors import ProtocolError
from inferometer.frameworks.catalogue import FrameworkChoice
from inferometer.models.contract import Artifact, Checks, PreparedModel
from inferometer.planning.request import RunRequest
from inferometer.records import Cell
from inferometer.worker.protocol import (
    EVENTS,
    ArtifactFile,
    Evaluated,
    Failed,
    Measure,
    Measured,
    Open,
    Opened,
    Phase,
    Rehearsed,
    Served,
    Value,
)

Awaited = TypeVar("Awaited", Value, Opened, Measured, Evaluated, Rehearsed, Served)


def open_message(
    cell: Cell,
    choice: FrameworkChoice,
    artifact: Artifact,
    *,
    request: RunRequest,
    model: PreparedModel,
    cache: Path,
) -> Open:
    """Return the request that loads a cell's framework and artifact."""
    own = artifact.own
    reference, checks = (own.reference, own.checks) if own else (model.reference, model.checks)
    return Open(
        backend=choice.framework.backend,
        options={**choice.options, "trust": request.model.trust_model},
        artifact=ArtifactFile(
            form=artifact.form,
            path=str(artifact.path),
            layout=artifact.layout,
            inputs=[spec.name for spec in artifact.inputs],
            outputs=[spec.name for spec in artifact.outputs],
            fixed_batch=artifact.fixed_batch,
        ),
        precision=choice.framework.opened_at(cell.precision, Device.parse(cell.device).kind),
        mode=cell.mode,
        device=Device.parse(cell.device).kind,
        threads=request.protocol.threads,
        inputs=str(model.inputs),
        reference=str(reference),
        source_layout=model.layout,
        checks=_checks(checks),
        ragged=list(checks.ragged),
        tolerance=request.tolerance,
        images=request.protocol.images,
        cache=str(cache),
    )


def _checks(checks: Checks) -> dict[str, str]:
    paths = {name: getattr(checks, name) for name in ("ambiguity", "unseen_inputs", "unseen_reference")}
    return {"stored": checks.stored, **{name: str(path) for name, path in paths.items() if path}}


def measure_message(cell: Cell, request: RunRequest, needs: MeterNeeds) -> Measure:
    """Return the request that measures a cell."""
    protocol = request.protocol
    return Measure(
        batch_size=cell.batch_size,
        loops=protocol.loops,
        warmup=protocol.warmup,
        window_s=max(needs.window_s, protocol.clock_window_s),
        updates_s=list(needs.updates_s),
        budget_s=protocol.budget_s,
        least_loops=protocol.least_loops,
    )


def read_answer(message: dict[str, Any], awaited: type[Awaited]) -> Awaited | Phase | Failed:
    """Return what a worker sent where an answer of the type ``awaited`` is due; ProtocolError if it cannot be one."""
    event = message.pop("event", None)
    kinds: tuple[type[Awaited | Phase | Failed], ...] = (awaited, Phase, Failed)
    for kind in kinds:
        if EVENTS[kind] == event:
            try:
                return msgspec.convert(message, kind)
            except msgspec.ValidationError as error:
                raise ProtocolError(f"the worker's answer is malformed: {error}") from error
    raise ProtocolError(f"worker sent an unknown event {event!r}")
