"""Environment `tf`: what a SavedModel takes, and how large it is. Request as of `savedmodel_source`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from inferometer.models.steps import checks, savedmodel_source, tf_size


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the input specs, `parameters` and `macs`."""
    tf = savedmodel_source.start()
    with tempfile.TemporaryDirectory() as scratch:
        _, call, specs = savedmodel_source.opened(tf, request, Path(scratch))
        checks.rows_of(request, specs, {})  # which raises where they do not fit
        return {"inputs": specs, **tf_size.size(tf, call, specs)}
