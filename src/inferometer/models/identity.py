"""What makes two measurements those of one model: its content, the shapes it is given, and the rows it is fed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.artifact_cache import key_of
from inferometer.models.step_cache import read_arrays


def identity(content: Any, inputs: Sequence[dict[str, Any]], rows: Path) -> str:
    """Return `records.ModelInfo.hash`.

    ``content``: JSON values that stand for architecture and weights; ``inputs``: specs with every dimension but the batch
    known (a longer sequence is other work); ``rows``: the .npz of distinct rows (branches and lookups follow the data).
    """
    shapes = [[spec["name"], list(spec["shape"]), spec["dtype"]] for spec in inputs]
    return key_of({"content": content, "inputs": shapes, "rows": _rows_hash(rows)})


def _rows_hash(rows: Path) -> str:
    digest = hashlib.sha256()
    for array in read_arrays(rows):
        digest.update(f"{array.dtype.str}|{array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
