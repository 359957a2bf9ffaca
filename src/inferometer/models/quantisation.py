"""What quantising a model cost: how far its outputs are from those of the source, in numbers that are shown and never judged.

Every quantising step leaves beside its product what the product answers when it is computed plainly (reference.npz,
unseen_reference.npz, ambiguity.npz), which is what a framework's kernels are held against. The difference between that
and the source is the price of int8, not a fault of a framework.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from inferometer.errors import ModelError
from inferometer.models.step_cache import read_arrays
from inferometer.worker.parity import SpreadError, agreement, check_judgeable
from inferometer.worker.parity.arrays import is_float, numbers, smallest_cosine
from inferometer.worker.parity.slices import deviations


def loss_of(folder: Path, source: Path) -> dict[str, Any]:
    """Return what the quantised model in ``folder`` differs by from the source in ``source``, over all rows of both.

    ``error``: rms difference over the rms by which the source's values differ between inputs, of the output where it is
    largest; ``cosine``: the smallest of any row; ``agree_k`` of ``agree_n`` inputs with the same top class, or ``agreement``:
    why that does not apply. ModelError where nothing of the model is left: the same answer for every input.
    """
    quantised, original = _answers(folder), _answers(source)
    try:
        check_judgeable(quantised, "int8")
    except SpreadError as error:
        raise ModelError(
            f"quantised, the model tells its inputs apart no more: {error}; give more rows (--calibration)"
        ) from error
    pairs = [(numbers(q), numbers(o)) for q, o in zip(quantised, original, strict=True) if is_float(o)]
    facts: dict[str, Any] = {"rows": len(original[0])}
    if pairs:
        facts["error"] = float(f"{max(_error(q, o) for q, o in pairs):.3g}")
        facts["cosine"] = float(f"{min(smallest_cosine(q, o) for q, o in pairs):.4g}")
    return {**facts, **agreement.of(quantised, original)}


def _answers(folder: Path) -> list[Any]:
    """Return what a model answered to the rows of its loops and to those for checks only."""
    timed = read_arrays(folder / "reference.npz")
    unseen = folder / "unseen_reference.npz"
    more = read_arrays(unseen) if unseen.exists() else [array[:0] for array in timed]
    return [np.concatenate(pair) for pair in zip(timed, more, strict=True)]


def _error(quantised: Any, original: Any) -> float:
    spread = float(np.sqrt(np.mean(deviations(original))))
    return float(np.sqrt(np.mean((quantised - original) ** 2))) / max(spread, 1e-30)
