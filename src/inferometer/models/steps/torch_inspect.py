"""Environment `torch-models`: what a PyTorch model takes, and how large it is. Request as of `torch_source`, without `more`."""

from __future__ import annotations

from typing import Any

from inferometer.models.steps import checks, torch_quantised, torch_source


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the input specs, `parameters`, `macs` and what a quantised program holds."""
    torch = torch_source.start(request)
    model = torch_source.built(torch, request)
    specs = torch_source.widened(model.specs)
    asked = {**request, "ranges": {**model.ranges, **request["ranges"]}}
    checks.rows_of(asked, specs, {})  # which raises where they do not fit
    return {
        "inputs": specs,
        **torch_source.size(torch, model),
        **torch_quantised.stored(torch, model.module),
    }
