"""In which floating type a Keras model computes: every layer's dtype policy rewritten, and read back."""

from __future__ import annotations

from typing import Any

POLICIES = {"fp32": "float32", "tf32": "float32", "fp16": "float16", "bf16": "bfloat16"}


def lowered(config: Any, policy: str) -> Any:
    """Return a model's config, as its file has it, with every float policy replaced; integer inputs and lookups keep theirs.

    The policies are `float16` and `bfloat16`, so weights are stored in the type too; normalising layers get the mixed
    policy, which leaves their statistics in float32 (in bfloat16 these alone double the error of a deep network).
    """
    if policy == "float32":
        return config
    if isinstance(config, list):
        return [lowered(value, policy) for value in config]
    if not isinstance(config, dict):
        return config
    changed: dict[str, Any] = {
        key: policy if key == "dtype" and _is_float_policy(value) else lowered(value, policy)
        for key, value in config.items()
    }
    if "Normalization" in str(config.get("class_name")) and _is_float_policy(
        config.get("config", {}).get("dtype")
    ):
        changed["config"]["dtype"] = f"mixed_{policy}"
    return changed


def _is_float_policy(value: Any) -> bool:
    name = value.get("config", {}).get("name") if isinstance(value, dict) else value
    return name in ("float32", "mixed_float16", "mixed_bfloat16")


def computed_in(model: Any) -> dict[str, int]:
    """Return how many layers compute in each type, by their policies."""
    counts: dict[str, int] = {}
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if layer.weights:
            counts[layer.compute_dtype] = counts.get(layer.compute_dtype, 0) + 1
    return counts


def precision_of(model: Any, tf32: bool) -> str:
    """Return the precision that all layers with weights compute in, or a list of types where they differ."""
    types = sorted(computed_in(model))
    if types == ["float32"]:
        return "tf32" if tf32 else "fp32"
    return (
        {"float16": "fp16", "bfloat16": "bf16"}.get(types[0], types[0])
        if len(types) == 1
        else "+".join(types)
    )
