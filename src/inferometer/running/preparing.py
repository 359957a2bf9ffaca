"""The model of a request, prepared: the same whether a run asks for it, an export, or what converts ahead of a run elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from inferometer.models.contract import PreparedModel, StepRunner
from inferometer.models.prepare import prepare
from inferometer.models.sources import Source
from inferometer.planning.request import RunRequest
from inferometer.precisions import Stored
from inferometer.running import dataset


def prepare_model(
    request: RunRequest,
    source: Source,
    forms: set[str],
    run_step: StepRunner,
    cache: Path,
    *,
    progress: Callable[[str], None],
    weight_bits: int,
    if_stored: Callable[[Stored], set[str]] | None = None,
) -> PreparedModel:
    """Return what `models.prepare.prepare` makes of a request's model, photos that calibrate it treated as its data set's images are."""
    return prepare(
        request.model, source, forms, run_step, cache, progress=progress, weight_bits=weight_bits, if_stored=if_stored,
        preprocess=dataset.preprocess_of(request),
    )  # fmt: skip
