"""Models of transformers by configuration: tokens with a mask, pixels, or sound, as large as the configuration says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inferometer.models.steps import dimensions
from inferometer.models.steps.torch_modules import Built, fetching

_TOKENS = 128  # of a text, where --shape says nothing and the model has places for so many
_SAMPLES = 16000  # of audio: one second
_Axes = dict[str, tuple[str, list[int | str]]]  # input -> dtype, and what follows the batch


def build(name: str, pretrained: bool, shapes: Mapping[str, int], trust: bool) -> Built:
    """Return AutoModel's model of a folder's or the hub's configuration; ValueError (one line) for what cannot be built.

    Code beside a configuration runs only with ``trust``.
    """
    import transformers

    transformers.logging.set_verbosity_error()
    _check_own_code(Path(name), trust)
    config = fetching(
        f"hf:{name}",
        "" if Path(name).is_dir() else "configuration",
        lambda: transformers.AutoConfig.from_pretrained(name, trust_remote_code=trust),
    )
    config.use_cache = False
    model = fetching(
        f"hf:{name}",
        "pretrained weights" if pretrained else "",
        lambda: (
            transformers.AutoModel.from_pretrained(name, config=config, trust_remote_code=trust)
            if pretrained
            else transformers.AutoModel.from_config(config, trust_remote_code=trust)
        ),
    )
    inputs = _inputs(config, model.main_input_name, name)
    text = config.get_text_config()
    specs = [{"name": key, "dtype": dtype} for key, (dtype, _) in inputs.items()]
    axes = [["batch", *found] for _, found in inputs.values()]
    sizes = {"sequence": _tokens(text)} if any("sequence" in found for found in axes) else {}
    ranges = {key: (0, text.vocab_size) for key in inputs if key.endswith("input_ids")}
    versions = {"transformers": transformers.__version__}
    bound = dimensions.bind(specs, axes, {**sizes, **shapes})
    return Built(model.eval(), bound, tuple(inputs), ranges, versions=versions)


def _check_own_code(folder: Path, trust: bool) -> None:
    """Raise ValueError (one line) for a folder whose configuration names code beside it."""
    try:
        text = (folder / "config.json").read_text("utf-8")
        code = json.loads(text).get("auto_map") if not trust else None
    except (OSError, ValueError, AttributeError, RecursionError):
        return  # transformers says what is wrong
    if isinstance(code, dict) and code:
        files = sorted({str(target).rpartition(".")[0] for target in code.values()})
        raise ValueError(
            f"hf:{folder.name} would run code beside its configuration ({', '.join(files)[:80]}); give --trust-model if you "
            "trust it"
        )


def _tokens(config: Any) -> int:
    """Return how many tokens to feed; some models keep two of their places for themselves."""
    places = getattr(config, "max_position_embeddings", None) or getattr(config, "max_target_positions", None)
    return min(_TOKENS, max(1, int(places) - 2)) if places and int(places) > 0 else _TOKENS


def _inputs(config: Any, main: str, name: str) -> _Axes:
    """Return an architecture's inputs; ValueError for kinds that are not known."""
    ids: _Axes = {key: ("int64", ["sequence"]) for key in ("input_ids", "attention_mask")}
    decoder: _Axes = {"decoder_input_ids": ids["input_ids"]} if config.is_encoder_decoder else {}
    if getattr(config, "vision_config", None) is not None:
        raise ValueError(
            f"hf:{name} ({config.model_type}) joins texts and images, so that its rows are not the batch's; give "
            "FILE.py:FACTORY with one of its halves"
        )
    if main == "input_ids":
        return {**ids, **decoder}
    if main == "pixel_values":
        return {main: _pixels(config)}
    if main == "input_values":
        return {main: ("float32", [_SAMPLES])}
    if (
        main == "input_features"
        and hasattr(config, "num_mel_bins")
        and hasattr(config, "max_source_positions")
    ):
        return {main: ("float32", [config.num_mel_bins, 2 * config.max_source_positions]), **decoder}
    raise ValueError(f"hf:{name} takes '{main}', whose shape inferometer does not know; give FILE.py:FACTORY")


def _pixels(config: Any) -> tuple[str, list[int | str]]:
    size = getattr(config, "image_size", 224)
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    return "float32", [getattr(config, "num_channels", 3), height, width]
