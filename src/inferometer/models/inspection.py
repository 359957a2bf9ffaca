"""A model's file opened for a plan: what it takes, how large it is, and whether what it is to be fed fits it.

Nothing is computed with its weights, and no reference is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.models import images, photo_inputs, sources
from inferometer.models.contract import ModelRequest, ModelSize, StepRunner
from inferometer.models.prepare import step_cache, stored_in
from inferometer.models.sources import Source
from inferometer.models.sources.source import rows_left_out
from inferometer.models.steps import tensors
from inferometer.precisions import Stored


@dataclass(frozen=True)
class Inspection:
    """What a model's file says."""

    inputs: tuple[dict[str, Any], ...]  # specs (`models.steps.tensors`)
    size: ModelSize
    stored: Stored | None = None  # what it is measured as, where it is no fp32 model
    rows_note: str = ""  # which of the user's own rows are left out

    @property
    def fixed_batch(self) -> int | None:
        """Return the only batch size that it takes, None where any will do."""
        return tensors.batch_of(self.inputs)


def inspect(
    request: ModelRequest,
    source: Source,
    run_step: StepRunner,
    cache: Path,
    *,
    progress: Callable[[str], None],
) -> Inspection:
    """Return what the file of ``source`` says; InputError or UsageError (one line) where it, or its inputs, will not do."""
    steps = step_cache(source, run_step, cache, progress)
    found = sources.inspect(request, source, steps)
    specs = found["inputs"]
    if request.images and not source.application:
        photo_inputs.check(images.find(request.images), specs)
    size = ModelSize(found["parameters"], found["macs"])
    return Inspection(tuple(specs), size, stored_in(found), rows_left_out(request, specs))
