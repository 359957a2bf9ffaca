"""PyTorch modules with what they take: the user's own by example, and what all kinds share. Needs torch only."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import refusals, tensors


@dataclass(frozen=True)
class Built:
    """A module in eval mode, and its inputs in order."""

    module: Any
    specs: list[tensors.Spec]
    keywords: tuple[str, ...] = ()  # the inputs' names, where it takes them by name
    ranges: Mapping[str, Sequence[float]] = field(default_factory=dict)
    examples: tuple[Any, ...] = ()  # tensors, where the user gave them
    original: Any = None  # what was converted to the module, where it was
    most: int | None = None  # rows that it takes at once, where it has a limit
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)  # of the package that it was built by
    untrained: bool = False


def fetching(name: str, fetched: str, make: Any) -> Any:
    """Return what ``make`` builds; ValueError where the hub cannot be reached that has what is ``fetched`` ("" for nothing)."""
    try:
        return make()
    except Exception as error:
        told = refusals.line(error)
        if fetched:
            remedy = "--weights FILE" if "weights" in fetched else "hf:FOLDER"
            raise ValueError(
                f"cannot fetch the {fetched} of {name} (no network?): {told}; download it elsewhere and give {remedy}"
            ) from error
        raise ValueError(f"cannot build {name}: {told}") from error


def factory(torch: Any, file: Path, name: str) -> Built:
    """Return what the user's own FACTORY() gives: (module, example inputs)."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))  # beside which its own modules lie
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
        make = getattr(module, name, None)
        if make is None:
            raise ValueError(f"it has no {name}")
        answer = make()
    except Exception as error:
        raise ValueError(f"{file.name}:{name} failed: {refusals.line(error)}") from error
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], torch.nn.Module)):
        raise ValueError(f"{file.name}:{name}() must return (module, example inputs)")
    return with_examples(torch, answer[0], answer[1])


def with_examples(torch: Any, module: Any, examples: Any) -> Built:
    """Return a module with its inputs as examples show them: a tensor, a sequence of tensors, or a dictionary by name."""
    by_name = isinstance(examples, Mapping)
    found = list(examples.items()) if by_name else _numbered(torch, module, examples)
    wrong = next((key for key, value in found if not isinstance(value, torch.Tensor) or not value.ndim), None)
    if wrong or not found:
        raise ValueError(f"example input '{wrong or 'x'}' is no tensor with the batch as its first dimension")
    specs = [
        {"name": key, "shape": [None, *value.shape[1:]], "dtype": str(value.dtype).removeprefix("torch.")}
        for key, value in found
    ]
    keywords = tuple(key for key, _ in found) if by_name else ()
    return Built(module.eval(), specs, keywords, examples=tuple(value for _, value in found))


def _numbered(torch: Any, module: Any, examples: Any) -> list[tuple[str, Any]]:
    import inspect

    values = [examples] if isinstance(examples, torch.Tensor) else list(examples)
    names = list(inspect.signature(module.forward).parameters)
    return [(names[i] if len(names) >= len(values) else f"input_{i}", v) for i, v in enumerate(values)]


def recalibrate(torch: Any, module: Any, call: Any, arrays: Sequence[Any]) -> None:
    """Set every batch norm's statistics to those of ``arrays``, in one pass, as `keras_source.recalibrate` does."""
    kinds = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)
    norms = [layer for layer in module.modules() if isinstance(layer, kinds) and layer.track_running_stats]
    if not norms:
        return
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.train()
        layer.momentum = 1.0
    with torch.no_grad():
        call(*(torch.from_numpy(np.array(array)) for array in arrays))
    for layer, momentum in zip(norms, momenta):
        layer.eval()
        layer.momentum = momentum
