"""Environment `litert`: what a LiteRT flatbuffer takes, and how large it is. Request as of `litert_source`."""

from __future__ import annotations

from typing import Any

from inferometer.models.steps import checks, litert_source, tensors


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the input specs, `parameters`, `macs` and the file's own precision."""
    plain, specs = litert_source.opened(request["file"], request["shapes"])
    checks.rows_of(request, specs, {})  # which raises where they do not fit
    return {"inputs": specs, **litert_source.facts(request["file"], plain, tensors.batch_of(specs))}
