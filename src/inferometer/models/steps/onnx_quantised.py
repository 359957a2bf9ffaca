"""ONNX's quantised operators in torch: what they compute, in float32 where torch has no product of integers.

Sums of products of 8-bit integers are exact in float32 up to 2^24; above, their last bits are rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_LIMITS = {"uint8": (0, 255), "int8": (-128, 127), "int16": (-32768, 32767), "int32": (-(2**31), 2**31 - 1)}


def _along(values: Any, data: Any, axis: int) -> Any:
    """Return scales or zero points of an axis in the shape of ``data``; those of the whole tensor as they are."""
    if values.ndim != 1 or values.shape[0] == 1:
        return values.reshape(()) if values.ndim == 1 else values
    return values.reshape([-1 if place == axis % data.ndim else 1 for place in range(data.ndim)])


def _quantised(torch: Any, data: Any, scale: Any, zero: Any) -> Any:
    name = str(zero.dtype).removeprefix("torch.")
    if name not in _LIMITS:
        raise NotImplementedError(f"QuantizeLinear to {name}")
    low, high = _LIMITS[name]
    return (torch.round(data / scale) + zero.to(data.dtype)).clamp(low, high).to(zero.dtype)


def _quantize_linear(
    torch: Any, attributes: Mapping[str, Any], data: Any, scale: Any, zero: Any = None
) -> Any:
    _refuse_blocks(attributes)
    axis = attributes.get("axis", 1)
    zero = torch.zeros((), dtype=torch.uint8) if zero is None else _along(zero, data, axis)
    return _quantised(torch, data, _along(scale, data, axis), zero)


def _dequantize_linear(
    torch: Any, attributes: Mapping[str, Any], data: Any, scale: Any, zero: Any = None
) -> Any:
    _refuse_blocks(attributes)
    axis = attributes.get("axis", 1)
    values = data.to(scale.dtype)
    if zero is not None:
        values = values - _along(zero, data, axis).to(scale.dtype)
    return values * _along(scale, data, axis)


def _refuse_blocks(attributes: Mapping[str, Any]) -> None:
    if attributes.get("block_size", 0):
        raise NotImplementedError("quantisation in blocks")


def _dynamic_quantize_linear(torch: Any, _: Any, data: Any) -> Any:
    """Return the tensor in uint8, its scale and its zero point: of all its values, so that rows depend on their batch."""
    low, high = data.amin().clamp(max=0.0), data.amax().clamp(min=0.0)
    scale = (high - low) / 255.0
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero = torch.round(-low / scale).clamp(0, 255).to(torch.uint8)
    return _quantised(torch, data, scale, zero), scale, zero


def _centred(data: Any, zero: Any, axis: int) -> Any:
    values = data.float()
    return values if zero is None else values - _along(zero, data, axis).float()


def _matmul_integer(
    torch: Any, _: Any, one: Any, other: Any, one_zero: Any = None, other_zero: Any = None
) -> Any:
    """Multiply; a zero point with entries is of rows on the left, of columns on the right."""
    product = torch.matmul(_centred(one, one_zero, -2), _centred(other, other_zero, -1))
    return product.to(torch.int32)


def _convolved(torch: Any, attributes: Mapping[str, Any], images: Any, kernels: Any, bias: Any = None) -> Any:
    axes = kernels.ndim - 2
    if attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise NotImplementedError(f"a quantised convolution padded as {attributes['auto_pad']}")
    pads = attributes.get("pads", [0] * (2 * axes))
    sides = [pads[place + end * axes] for place in reversed(range(axes)) for end in (0, 1)]
    function = (torch.nn.functional.conv1d, torch.nn.functional.conv2d, torch.nn.functional.conv3d)[axes - 1]
    return function(
        torch.nn.functional.pad(images, sides), kernels, bias, stride=attributes.get("strides", [1] * axes),
        dilation=attributes.get("dilations", [1] * axes), groups=attributes.get("group", 1),
    )  # fmt: skip


def _conv_integer(torch: Any, attributes: Mapping[str, Any], images: Any, kernels: Any, *zeros: Any) -> Any:
    zero, kernels_zero = (*zeros, None, None)[:2]
    found = _convolved(torch, attributes, _centred(images, zero, 1), _centred(kernels, kernels_zero, 0))
    return found.to(torch.int32)


def _qlinear_conv(torch: Any, attributes: Mapping[str, Any], *given: Any) -> Any:
    images, scale, zero, kernels, kernels_scale, kernels_zero, out_scale, out_zero, bias = (*given, None)[:9]
    found = _convolved(torch, attributes, _centred(images, zero, 1), _centred(kernels, kernels_zero, 0))
    if bias is not None:
        found = found + bias.float().reshape(-1, *[1] * (found.ndim - 2))
    factor = scale * _along(kernels_scale, found, 1)
    return _quantised(torch, found * factor, out_scale, out_zero)


def _qlinear_matmul(torch: Any, _: Any, *given: Any) -> Any:
    one, scale, zero, other, other_scale, other_zero, out_scale, out_zero = given
    left = _centred(one, zero, -2) * _along(scale, one, -2)
    right = _centred(other, other_zero, -1) * _along(other_scale, other, -1)
    return _quantised(torch, torch.matmul(left, right), out_scale, out_zero)


RULES: Mapping[str, Callable[..., Any]] = {
    "ConvInteger": _conv_integer,
    "DequantizeLinear": _dequantize_linear,
    "DynamicQuantizeLinear": _dynamic_quantize_linear,
    "MatMulInteger": _matmul_integer,
    "QLinearConv": _qlinear_conv,
    "QLinearMatMul": _qlinear_matmul,
    "QuantizeLinear": _quantize_linear,
}
