"""Operators that onnx2torch lacks, registered with it: a function of tensors each, in the words of ONNX.

Weights of recurrent layers are in `onnx_recurrent`, quantised operators in `onnx_quantised`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from inferometer.models.steps import onnx_quantised, onnx_recurrent

OPSET = 17  # that models are lowered to: operators of newer opsets are looked for by it
# operators whose newer or older form takes other types only
_SAME: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "GreaterOrEqual": (12, (16,)),
    "LessOrEqual": (12, (16,)),
    "IsNaN": (13, (9,)),
    "NonZero": (13, (9,)),
}
_PLACES = tuple(f"input_{place}" for place in range(9))  # of an operator, QLinearConv has most
Rule = Callable[..., Any]  # torch, attributes, one tensor (or None) an input -> a tensor, or a tuple of them


def _global_max_pool(torch: Any, _: Any, images: Any) -> Any:
    return images.amax(tuple(range(2, images.ndim)), keepdim=True)


def _gelu(torch: Any, attributes: Mapping[str, Any], data: Any) -> Any:
    return torch.nn.functional.gelu(data, approximate=attributes.get("approximate", "none"))


def _space_to_depth(torch: Any, attributes: Mapping[str, Any], images: Any) -> Any:
    """Move blocks into channels; unlike torch's pixel_unshuffle, a block's place comes before its channel."""
    size = attributes["blocksize"]
    rows, channels, height, width = images.shape
    blocks = images.reshape(rows, channels, height // size, size, width // size, size)
    return blocks.permute(0, 3, 5, 1, 2, 4).reshape(
        rows, channels * size * size, height // size, width // size
    )


def _trilu(torch: Any, attributes: Mapping[str, Any], data: Any, diagonal: Any = None) -> Any:
    cut = torch.triu if attributes.get("upper", 1) else torch.tril
    return cut(data, 0 if diagonal is None else _number(diagonal))


def _one_hot(torch: Any, attributes: Mapping[str, Any], places: Any, depth: Any, values: Any) -> Any:
    count, axis = _number(depth), attributes.get("axis", -1)
    kind = getattr(torch, str(values.dtype).removeprefix("torch."))
    off, on = (torch.tensor(value, dtype=kind) for value in values.tolist())
    counted = torch.where(places < 0, places + count, places)  # from the end
    return torch.where(counted.unsqueeze(-1) == torch.arange(count), on, off).movedim(-1, axis)


def _number(value: Any) -> int:
    """Return the only entry of what `onnx_traceable` hands over of an operand whose values are read."""
    return int(value if isinstance(value, int) else np.ravel(value.tolist())[0])


def _scatter_elements(torch: Any, attributes: Mapping[str, Any], data: Any, places: Any, updates: Any) -> Any:
    axis, how = attributes.get("axis", 0), attributes.get("reduction", "none")
    found = torch.where(places < 0, places + data.shape[axis], places).long()
    if how == "none":
        return data.scatter(axis, found, updates)
    kinds = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}
    return data.scatter_reduce(axis, found, updates, kinds[how])


def _lp_normalization(torch: Any, attributes: Mapping[str, Any], data: Any) -> Any:
    norm = data.norm(attributes.get("p", 2), attributes.get("axis", -1), keepdim=True)
    return data / norm


def _group_normalization(torch: Any, attributes: Mapping[str, Any], data: Any, scale: Any, shift: Any) -> Any:
    """Normalise as opset 21 does: scale and shift by channel."""
    epsilon = attributes.get("epsilon", 1e-5)
    return torch.nn.functional.group_norm(data, attributes["num_groups"], scale, shift, epsilon)


def _rms_normalization(torch: Any, attributes: Mapping[str, Any], data: Any, scale: Any) -> Any:
    axes = tuple(range(attributes.get("axis", -1) % data.ndim, data.ndim))
    mean = data.square().mean(axes, keepdim=True)
    return data / torch.sqrt(mean + attributes.get("epsilon", 1e-5)) * scale


_RULES: Mapping[str, Rule] = {
    "Acosh": lambda torch, _, data: torch.acosh(data),
    "Asinh": lambda torch, _, data: torch.asinh(data),
    "Atanh": lambda torch, _, data: torch.atanh(data),
    "BitwiseAnd": lambda torch, _, one, other: torch.bitwise_and(one, other),
    "BitwiseNot": lambda torch, _, data: torch.bitwise_not(data),
    "BitwiseOr": lambda torch, _, one, other: torch.bitwise_or(one, other),
    "BitwiseXor": lambda torch, _, one, other: torch.bitwise_xor(one, other),
    "CastLike": lambda torch, _, data, like: data.to(like.dtype),
    "Cosh": lambda torch, _, data: torch.cosh(data),
    "Gelu": _gelu,
    "GlobalMaxPool": _global_max_pool,
    "GroupNormalization": _group_normalization,
    "LpNormalization": _lp_normalization,
    "Mish": lambda torch, _, data: torch.nn.functional.mish(data),
    "OneHot": _one_hot,
    "RMSNormalization": _rms_normalization,
    "ScatterElements": _scatter_elements,
    "Sinh": lambda torch, _, data: torch.sinh(data),
    "Size": lambda torch, _, data: torch.scalar_tensor(data.numel(), dtype=torch.int64),
    "SpaceToDepth": _space_to_depth,
    "Swish": lambda torch, attributes, data: data * torch.sigmoid(attributes.get("alpha", 1.0) * data),
    "ThresholdedRelu": lambda torch, attributes, data: torch.where(
        data > attributes.get("alpha", 1.0), data, 0.0
    ),
    "Trilu": _trilu,
    **onnx_quantised.RULES,
}


@functools.cache  # the registry takes each once
def register(torch: Any) -> None:
    """Let onnx2torch convert the operators of this file and of those named above."""
    from onnx2torch.node_converters.registry import add_converter, get_converter
    from onnx2torch.utils.common import OperationConverterResult, onnx_mapping_from_node

    def converting(rule: Rule) -> Callable[..., Any]:
        def convert(node: Any, graph: Any) -> Any:
            return OperationConverterResult(
                torch_module=_module(torch, rule, node), onnx_mapping=onnx_mapping_from_node(node=node)
            )

        return convert

    for kind, rule in _RULES.items():
        for version in _versions(kind):
            add_converter(operation_type=kind, version=version)(converting(rule))
    for kind, (known, others) in _SAME.items():
        for version in others:
            add_converter(operation_type=kind, version=version)(get_converter(kind, known))
    onnx_recurrent.register(torch, _versions)


def _versions(kind: str) -> list[int]:
    """Return the opsets of which an operator has a form, as far as models have them when they are converted."""
    from onnx import defs

    known = {item.since_version for item in defs.get_all_schemas_with_history() if item.name == kind}
    return sorted(version for version in known if version <= OPSET) or [OPSET]


def _module(torch: Any, rule: Rule, node: Any) -> Any:
    """Return a module that computes a node; onnx2torch hands absent inputs over by the names of its parameters."""
    attributes = {
        name: value.to_torch() if hasattr(value, "to_torch") else value
        for name, value in node.attributes.items()
    }

    class Operator(torch.nn.Module):  # type: ignore[misc]
        def forward(self, *given: Any, **named: Any) -> Any:
            values = dict(zip(_PLACES, given)) | named
            return rule(torch, attributes, *(values.get(name) for name in _PLACES[: len(node.input_values)]))

    names = ("self", *_PLACES)  # by which absent inputs are told apart
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(name, kind, default=None) for name in names])
    Operator.forward.__signature__ = signature  # type: ignore[attr-defined]
    return Operator()
