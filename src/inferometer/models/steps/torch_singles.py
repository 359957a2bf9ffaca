"""Modules of half or double precision computed in fp32: weights, constants, and casts inside graphs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inferometer.models.steps import refusals
from inferometer.models.steps.torch_modules import Built

_NARROWED = "its weights are float64: they and its float64 inputs were narrowed to float32"


def single(torch: Any, module: Any, others: tuple[Any, ...] = ()) -> Any:
    """Return ``module`` with fp16, bf16 and ``others`` turned to fp32 in place; other types stay."""
    turned = (torch.float16, torch.bfloat16, *others)

    def widened(value: Any) -> Any:
        return value.float() if isinstance(value, torch.Tensor) and value.dtype in turned else value

    def retyped(value: Any) -> Any:
        return torch.float32 if value in turned else value

    module._apply(widened)
    for part in module.modules():
        for name, value in list(vars(part).items()):
            if isinstance(value, torch.Tensor):
                setattr(part, name, widened(value))
        if isinstance(part, torch.fx.GraphModule):
            for node in part.graph.nodes:
                node.args = torch.fx.node.map_aggregate(node.args, retyped)
                node.kwargs = torch.fx.node.map_aggregate(node.kwargs, retyped)
            part.recompile()
    return module


def narrowed(torch: Any, model: Built) -> Built:
    """Return a model whose weights are all float64 in fp32, which rows of fp32 are of, with a note; any other as it is.

    A script stays, too: it is converted by rows of its own types.
    """
    kinds = {value.dtype for value in weights(torch, model.module) if value.is_floating_point()}
    if kinds != {torch.float64} or model.original is not None:
        return model
    torch.set_default_dtype(torch.float32)  # of what the model makes as it runs
    found = replace(
        model,
        module=single(torch, model.module, (torch.float64,)),
        specs=[
            {**spec, "dtype": "float32" if spec["dtype"] == "float64" else spec["dtype"]}
            for spec in model.specs
        ],
        examples=tuple(each.float() if each.dtype == torch.float64 else each for each in model.examples),
        notes=(*model.notes, _NARROWED),
    )
    _try(torch, found)
    return found


def _try(torch: Any, model: Built) -> None:
    """Raise ValueError (one line) where code of a model's own asks for float64, which a program's graph would not."""
    if not model.examples:
        return
    rows = [each.clone() for each in model.examples]
    by_name = dict(zip(model.keywords, rows))
    try:
        with torch.no_grad():
            model.module(*(() if by_name else rows), **by_name)
    except RuntimeError as error:
        raise ValueError(
            f"its weights are float64, and narrowed to float32 it fails ({refusals.line(error)}): give it in float32, "
            "or as a .pt2 of torch.export"
        ) from error


def weights(torch: Any, module: Any) -> list[Any]:
    """Return the tensors that were learned: parameters, or floating constants where a program has no parameters left."""
    if parameters := list(module.parameters()):
        return parameters
    constants = [value for part in module.modules() for value in vars(part).values()]
    found = [*module.buffers(), *(value for value in constants if isinstance(value, torch.Tensor))]
    return [value for value in found if value.is_floating_point() and value.ndim]
