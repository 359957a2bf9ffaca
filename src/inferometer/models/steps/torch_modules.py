"""PyTorch modules by architecture: what builds each, what it takes, and in which range. Runs in environment `torch-models`."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import tensors

TOKENS = 128  # of a text, where --shape says nothing
SAMPLES = 16000  # of audio: one second
FRAMES = 16  # of a video
_WEIGHTS = ("", "pretrained weights")
_OFFLINE_S = "10"  # how long a hub may take to answer


@dataclass(frozen=True)
class Built:
    """A module in eval mode, and its inputs in order."""

    module: Any
    specs: list[tensors.Spec]
    keywords: tuple[str, ...] = ()  # the inputs' names, where it takes them by name
    ranges: Mapping[str, Sequence[float]] = field(default_factory=dict)
    examples: tuple[Any, ...] = ()  # tensors, where the user gave them


def build(torch: Any, request: dict[str, Any]) -> Built:
    """Return the module of request["architecture"]; ValueError (one line) for what cannot be built."""
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", _OFFLINE_S)
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", _OFFLINE_S)
    kind, _, name = request["architecture"].partition(":")
    pretrained = request["weights"] == "pretrained"
    builders = {"timm": _timm, "torchvision": _torchvision, "hf": _transformers}
    if kind in builders:
        return builders[kind](name, pretrained, request["shapes"])
    return _factory(torch, Path(request["code"]), name)


def _fetching(name: str, fetched: str, make: Any) -> Any:
    """Return what ``make`` builds; ValueError where the hub cannot be reached that has what is ``fetched`` ("" for nothing)."""
    try:
        return make()
    except Exception as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if fetched:
            remedy = "--weights FILE" if "weights" in fetched else "hf:FOLDER"
            raise ValueError(
                f"cannot fetch the {fetched} of {name} (no network?): {told}; download it elsewhere and give {remedy}"
            ) from error
        raise ValueError(f"cannot build {name}: {told}") from error


def _timm(name: str, pretrained: bool, shapes: Mapping[str, int]) -> Built:
    import timm

    if name.partition(".")[0] not in timm.list_models():
        raise ValueError(_unknown("timm", name, timm.list_models()))
    model = _fetching(
        f"timm:{name}", _WEIGHTS[pretrained], lambda: timm.create_model(name, pretrained=pretrained)
    )
    size = timm.data.resolve_model_data_config(model)["input_size"]
    return Built(model.eval(), tensors.bind([_spec("image")], [["batch", *size]], shapes))


def _torchvision(name: str, pretrained: bool, shapes: Mapping[str, int]) -> Built:
    from torchvision import models

    if name not in models.list_models():
        raise ValueError(_unknown("torchvision", name, models.list_models()))
    if name in models.list_models(models.detection):
        raise ValueError(
            f"torchvision:{name} gives every image a list of its own length, which cannot be compared row by row; "
            "give FILE.py:FACTORY with its backbone and heads"
        )
    best = models.get_model_weights(name).DEFAULT
    chosen: dict[str, Any] = {"weights": best if pretrained else None}
    if name in models.list_models(models.segmentation):
        chosen["weights_backbone"] = None
    model = _fetching(f"torchvision:{name}", _WEIGHTS[pretrained], lambda: models.get_model(name, **chosen))
    crop = getattr(best.transforms(), "crop_size", None) or [
        getattr(best.transforms(), "resize_size", [224])[0]
    ]
    size = [3, *(crop if len(crop) == 2 else crop * 2)]
    if name in models.list_models(models.video):
        size.insert(1, FRAMES)
    return Built(model.eval(), tensors.bind([_spec("image")], [["batch", *size]], shapes))


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    import difflib

    near = [item for item in known if item.startswith(name)][:3] or difflib.get_close_matches(
        name, known, n=3
    )
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{kind} has no model '{name}'{hint}"


def _transformers(name: str, pretrained: bool, shapes: Mapping[str, int]) -> Built:
    import transformers

    transformers.logging.set_verbosity_error()
    config = _fetching(
        f"hf:{name}",
        "" if Path(name).is_dir() else "configuration",
        lambda: transformers.AutoConfig.from_pretrained(name),
    )
    config.use_cache = False
    model = _fetching(
        f"hf:{name}",
        _WEIGHTS[pretrained],
        lambda: (
            transformers.AutoModel.from_pretrained(name, config=config)
            if pretrained
            else transformers.AutoModel.from_config(config)
        ),
    )
    dimensions = _transformer_inputs(config, model.main_input_name, name)
    specs = [_spec(key, dtype) for key, (dtype, _) in dimensions.items()]
    axes = [["batch", *axes] for _, axes in dimensions.values()]
    sizes = {"sequence": TOKENS, **shapes}
    used = {axis for found in axes for axis in found if isinstance(axis, str)}
    bound = tensors.bind(
        specs, axes, {key: size for key, size in sizes.items() if key in used or key in shapes}
    )
    ranges = {key: (0, config.vocab_size) for key in dimensions if key.endswith("input_ids")}
    return Built(model.eval(), bound, tuple(dimensions), ranges)


def _transformer_inputs(config: Any, main: str, name: str) -> dict[str, tuple[str, list[int | str]]]:
    """Return an architecture's inputs: dtype, and what follows the batch; ValueError for kinds that are not known."""
    if main == "input_ids":
        ids: dict[str, tuple[str, list[int | str]]] = {
            key: ("int64", ["sequence"]) for key in ("input_ids", "attention_mask")
        }
        return {**ids, "decoder_input_ids": ids["input_ids"]} if config.is_encoder_decoder else ids
    if main == "pixel_values":
        size = getattr(config, "image_size", 224)
        height, width = size if isinstance(size, (list, tuple)) else (size, size)
        return {main: ("float32", [getattr(config, "num_channels", 3), height, width])}
    if main == "input_values":
        return {main: ("float32", [SAMPLES])}
    raise ValueError(f"hf:{name} takes '{main}', whose shape inferometer does not know; give FILE.py:FACTORY")


def _spec(name: str, dtype: str = "float32") -> tensors.Spec:
    return {"name": name, "dtype": dtype}


def _factory(torch: Any, file: Path, name: str) -> Built:
    """Return what the user's own FACTORY() gives: (module, example inputs)."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))  # beside which its own modules lie
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
        factory = getattr(module, name, None)
        if factory is None:
            raise ValueError(f"it has no {name}")
        answer = factory()
    except Exception as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ValueError(f"{file.name}:{name} failed: {told}") from error
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
