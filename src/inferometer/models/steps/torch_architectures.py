"""PyTorch modules by architecture: timm:NAME, torchvision:NAME, hf:NAME, hf:FOLDER, FILE.py:FACTORY. Environment `torch-models`."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

from inferometer.models.steps import torch_modules, torch_transformers, torch_vision

_HUB_S = 8  # that a hub may take to answer


def build(torch: Any, request: dict[str, Any]) -> torch_modules.Built:
    """Return the module of request["architecture"]; ValueError (one line) for what cannot be built."""
    kind, _, name = request["architecture"].partition(":")
    pretrained, shapes = request["weights"] == "pretrained", request["shapes"]
    if kind == "hf":
        name = request.get("folder") or name
    _no_hanging()
    if (pretrained and kind == "timm") or (kind == "hf" and not Path(name).is_dir()):
        _ask_hub()
    if kind == "timm":
        built = torch_vision.of_timm(name, pretrained, shapes)
    elif kind == "torchvision":
        built = torch_vision.of_torchvision(torch, name, pretrained, shapes)
    elif kind == "hf":
        built = torch_transformers.build(name, pretrained, shapes, request["trust"])
    else:
        return torch_modules.factory(torch, Path(request["code"]), name)
    return replace(built, untrained=request["weights"] == "random")


def _no_hanging() -> None:
    """Bound how long a hub is waited for: it answers soon, or not at all."""
    for name in ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"):
        os.environ.setdefault(name, str(_HUB_S))
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    socket.setdefaulttimeout(_HUB_S)  # for downloads that have no limit of their own


def _ask_hub() -> None:
    """Find out whether the hub answers at all; where it does not, use what is cached, since its client tries for minutes."""
    from huggingface_hub import constants

    try:
        with urllib.request.urlopen(constants.ENDPOINT, timeout=_HUB_S):
            return
    except urllib.error.HTTPError:
        return  # an answer
    except (OSError, ValueError):
        os.environ["HF_HUB_OFFLINE"] = "1"
        constants.HF_HUB_OFFLINE = True
