"""Files of PyTorch weights: read without running what is in them, and put into a module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inferometer.models.steps import refusals, torch_pickles

_WRAPPED = ("state_dict", "model_state_dict", "model", "module", "ema", "state_dict_ema", "net")
_PREFIXES = ("module.", "model.", "_orig_mod.", "backbone.", "net.")


def load(torch: Any, path: Path, trust: bool) -> dict[str, Any]:
    """Return the tensors of a file by name; ValueError (one line) where it holds code, or no weights."""
    if path.suffix.lower() == ".safetensors":
        return _safetensors(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=not trust)
    except Exception as error:
        if wanted := torch_pickles.told(torch, path, error):
            raise ValueError(
                f"{path.name} is a pickle that would run {wanted}; give --trust-model if you trust it, "
                "or save its state_dict()"
            ) from error
        raise ValueError(f"{path.name} holds no PyTorch weights: {refusals.line(error)}") from error
    if isinstance(found, torch.nn.Module):
        found = found.state_dict()
    return _tensors(torch, path, found)


def _safetensors(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except Exception as error:
        raise ValueError(f"{path.name} is no safetensors file: {refusals.text_of(error)}") from error


def _tensors(torch: Any, path: Path, found: Any) -> dict[str, Any]:
    for _ in range(3):
        if isinstance(found, Mapping) and not any(isinstance(v, torch.Tensor) for v in found.values()):
            found = next((found[key] for key in _WRAPPED if isinstance(found.get(key), Mapping)), found)
    if not isinstance(found, Mapping):
        raise ValueError(f"{path.name} holds a {type(found).__name__}, no weights by name (a state_dict)")
    kept = {str(key): value for key, value in found.items() if isinstance(value, torch.Tensor)}
    if not kept:
        raise ValueError(
            f"{path.name} holds no weights: no tensor among {', '.join(map(str, list(found)[:5]))}"
        )
    return kept


def apply(module: Any, weights: dict[str, Any], source: str) -> None:
    """Put weights into a module; ValueError (one line) naming the first that are missing, unknown or of another shape."""
    wanted = module.state_dict()
    weights = _without_prefix(weights, set(wanted))
    odd = [key for key in weights if key in wanted and weights[key].shape != wanted[key].shape]
    absent = [key for key in wanted if key not in weights and not key.endswith("num_batches_tracked")]
    extra = [key for key in weights if key not in wanted]
    told = [
        f"{what} {', '.join(keys[:3])}{f' and {len(keys) - 3} more' if len(keys) > 3 else ''}"
        for what, keys in (("lacks", absent), ("has another shape of", odd), ("has unknown", extra))
        if keys
    ]
    if told:
        raise ValueError(f"the weights of {source} do not fit the architecture: it {', '.join(told)}")
    module.load_state_dict(weights, strict=False)


def _without_prefix(weights: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
    """Return the weights by the module's own names, without what wrappers put before them."""
    for _ in _PREFIXES:
        if wanted & set(weights):
            return weights
        prefix = next((p for p in _PREFIXES if all(key.startswith(p) for key in weights)), "")
        weights = {key[len(prefix) :]: value for key, value in weights.items()}
    return weights
