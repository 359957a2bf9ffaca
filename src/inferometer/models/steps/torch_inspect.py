"""Environment `torch-models`: what a PyTorch model takes. Request as of `torch_source`, without data."""

from __future__ import annotations

from typing import Any

from inferometer.models.steps import torch_source


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the input specs."""
    torch = torch_source.start(request)
    return {"inputs": torch_source.widened(torch_source.built(torch, request).specs)}
