"""The user's own data of a run: looked at when it is planned, made into shards before the rounds, evaluated after them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from inferometer.device import Device
from inferometer.models import sources
from inferometer.models.contract import PreparedModel
from inferometer.models.datasets.prepared import prepare_dataset
from inferometer.models.datasets.shards import Shards
from inferometer.models.prepare import step_cache
from inferometer.planning.devices import gpu_of
from inferometer.planning.plan import Plan
from inferometer.planning.request import RunRequest
from inferometer.planning.situation import Situation
from inferometer.precisions import is_stored
from inferometer.records import Cell
from inferometer.running.evaluation import Evaluator
from inferometer.running.ready_environments import ReadyEnvironments
from inferometer.running.runner import Runner
from inferometer.storage.cache import cache_folder
from inferometer.storage.run_directory import StoredRun, read_run
from inferometer.storage.temporary import SHARDS_FOLDER


def look_at(request: RunRequest) -> None:
    """Raise UsageError (one line) for a data set that cannot be used, before anything is built."""
    if request.data:
        request.data.words()


def preprocess_of(request: RunRequest) -> str | None:
    """Return how the images of the data set become inputs, as the user said; None where there are no images."""
    images = request.data is not None and (request.preprocess or request.data.path.suffix.lower() != ".npz")
    return request.preprocess if images else None


def reference_row(request: RunRequest, plan: Plan, situation: Situation) -> Cell | None:
    """Return an fp32 row that others are held against where none was asked for: the first framework's that can be had.

    A file that is measured as it is has none.
    """
    known = (cell.precision == "fp32" or is_stored(cell.precision) for cell in plan.cells)
    if request.data is None or any(known):
        return None
    for cell in plan.cells:
        row = plan.row(cell)
        kind, gpu = Device.parse(cell.device).kind, gpu_of(cell.device, situation.machine)
        exact = msgspec.structs.replace(cell, precision="fp32", mode="host")
        reachable = situation.reachable[form_of(exact, plan, situation)]
        if not isinstance(reachable, str) and not row.choice.unsupported_reason(kind, "fp32", "host", gpu):
            return exact
    return None


def form_of(cell: Cell, plan: Plan, situation: Situation) -> str:
    """Return in which form a row takes the model, also one that was not planned."""
    return situation.form_for(plan.row(cell).choice.framework, cell.precision)


def make_shards(
    request: RunRequest,
    situation: Situation,
    model: PreparedModel,
    ready: ReadyEnvironments,
    *,
    run: Path,
    progress: Callable[[str], None],
) -> Shards | None:
    """Return the run's data set as shards in its folder, None where there is none; UsageError for what does not fit."""
    if request.data is None:
        return None

    def own() -> dict[str, object] | None:
        steps = step_cache(situation.source, ready.run_step, cache_folder("models"), progress)
        return sources.own_preprocessing(situation.source, steps)

    forget_shards(run)
    return prepare_dataset(request.data, model, own, run / SHARDS_FOLDER, progress)


def forget_shards(run: Path) -> None:
    """Remove the shards, which are made anew where a run goes on."""
    shutil.rmtree(run / SHARDS_FOLDER, ignore_errors=True)


def evaluate(
    stored: StoredRun, runner: Runner, shards: Shards, situation: Situation, reference: Cell | None
) -> StoredRun:
    """Evaluate what was measured, and return the run with that."""
    evaluator = Evaluator(
        runner=runner,
        shards=shards,
        form=lambda cell: form_of(cell, runner.plan, situation),
        reference=reference,
    )
    evaluator.run(stored)
    return read_run(stored.path)
