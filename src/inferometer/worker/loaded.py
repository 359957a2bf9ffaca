"""What a worker opened: a backend with its artifact, and the rows that it is measured and judged by."""

from __future__ import annotations

import gc
import importlib
import time
from dataclasses import dataclass
from pathlib import Path

from inferometer.worker.backend import Backend, Opening
from inferometer.worker.backend_contract import runtime_of
from inferometer.worker.checks import Judge
from inferometer.worker.data import ImageStack
from inferometer.worker.flags import Flag, flag
from inferometer.worker.modes import MODES
from inferometer.worker.protocol import Open, Opened


@dataclass(frozen=True)
class Loaded:
    """All that cells of one worker have in common."""

    request: Open
    opening: Opening
    backend: Backend
    judge: Judge
    stack: ImageStack
    left_out: tuple[Flag, ...]  # of images that fill no whole batch of a model that takes one size only

    def unseen(self) -> ImageStack | None:
        """Return rows that the backend has not seen, None where there are none."""
        checks = self.request.checks
        rows, reference = checks.get("unseen_inputs"), checks.get("unseen_reference")
        if not rows or not reference:
            return None
        return _stack(self.request, self.opening, self.backend, (rows, reference), images=0)


def load(request: Open) -> tuple[Loaded, Opened]:
    """Load framework, artifact and input data, and tell how long that took."""
    opening = _opening(request)
    start = time.monotonic()
    module = importlib.import_module(f"inferometer.worker.backends.{request.backend}")
    backend = runtime_of(module)(opening)
    loaded = time.monotonic()
    judge = Judge.of(request)
    images, left_out = _whole_batches(request)
    stack = _stack(request, opening, backend, (request.inputs, request.reference), images)
    gc.freeze()  # a framework's hundred thousand objects need no search at each later collection
    stack = stack.hold()
    times = Opened(load_s=loaded - start, data_s=time.monotonic() - loaded)
    return Loaded(request, opening, backend, judge, stack, left_out), times


def _stack(
    request: Open, opening: Opening, backend: Backend, files: tuple[str, str], images: int
) -> ImageStack:
    """Return rows and their reference as a backend takes them."""
    inputs, reference = map(Path, files)
    stack = ImageStack.load(
        inputs,
        reference,
        request.source_layout,
        opening.layout,
        images=images,
        memory_layout=backend.memory_layout,
        ragged=request.ragged,
    )
    return stack.as_pixels() if MODES[opening.mode].wants_pixels else stack


def _whole_batches(request: Open) -> tuple[int, tuple[Flag, ...]]:
    """Return how many images fill whole batches of a model that takes one size only, and a flag of those left out."""
    fixed = request.artifact.fixed_batch
    images = max(request.images - request.images % fixed, fixed) if fixed else request.images
    if fixed is None or images >= request.images:
        return images, ()
    left = request.images - images
    return images, (flag("last-batch-left-out", left=left, asked=request.images, fixed=fixed),)


def _opening(request: Open) -> Opening:
    artifact = request.artifact
    return Opening(
        form=artifact.form,
        path=Path(artifact.path),
        layout=artifact.layout,
        input_names=tuple(artifact.inputs),
        output_names=tuple(artifact.outputs),
        precision=request.precision,
        device=request.device,
        threads=request.threads,
        options=request.options,
        cache=Path(request.cache),
        stored=request.checks.get("stored", ""),
        mode=request.mode,
    )
