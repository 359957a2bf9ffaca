"""Torch modules as exported programs that take their tensors one by one. Needs torch only, which is handed in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from inferometer.models.steps import refusals, tensors, torch_graph


def flat(torch: Any, module: Any, names: Sequence[str] | None = None) -> Any:
    """Return a module that takes tensors one by one, by keyword to ``module`` where ``names`` are given.

    It gives one tensor, or a tuple of them.
    """

    class Flat(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, *inputs: Any) -> Any:
            answer = self.model(**dict(zip(names, inputs))) if names else self.model(*inputs)
            outputs = list(leaves(torch, answer))
            return outputs[0] if len(outputs) == 1 else tuple(outputs)

    wrapped = Flat()
    wrapped.training = False  # not eval(), which an exported program refuses
    return wrapped


def leaves(torch: Any, answer: Any) -> Any:
    """Yield the tensors of an answer in order: of tuples, lists, mappings and dataclasses such as ModelOutput."""
    if isinstance(answer, torch.Tensor):
        yield answer
    elif isinstance(answer, Mapping):
        for value in answer.values():
            yield from leaves(torch, value)
    elif isinstance(answer, (tuple, list)):
        for value in answer:
            yield from leaves(torch, value)


def export(
    torch: Any,
    module: Any,
    arrays: Sequence[Any],
    fixed: int | None,
    *,
    tidy: bool = False,
    most: int | None = None,
) -> Any:
    """Return a module's exported program, its batch free unless ``fixed``; ValueError (one line) if torch.export refuses.

    ``arrays``: rows of every input, or tensors of them, of which as many are used as the trace needs. ``tidy``: what a converter left in
    between is removed (`torch_graph`), where that can be. ``most``: rows that a free batch may have, None for any number.
    """
    sample = tuple(_tensor(torch, array, fixed or 2) for array in arrays)
    free = None if fixed else ({0: torch.export.Dim("batch", min=1, max=most)},) * len(sample)
    tries: list[Callable[[], Any]] = [
        lambda: _exported(torch, module, sample, free, strict=False),
        lambda: _exported(torch, module, sample, free, strict=True),
    ]
    if tidy:
        tries.insert(0, lambda: _tidied(torch, module, sample, free))
    causes = []
    for attempt in tries:
        try:
            with torch.no_grad():
                return attempt()
        except Exception as error:
            causes.append(refusals.line(error))
    plain = causes[-2]  # the strict trace's would be of Dynamo, which is tried for what the plain one misses
    raise ValueError(f"torch.export refuses the model: {plain}")


def _tensor(torch: Any, given: Any, count: int) -> Any:
    """Return ``count`` rows, those given in turn; of a tensor without numpy, which has no bfloat16."""
    if isinstance(given, torch.Tensor):
        return given[[place % len(given) for place in range(count)]]
    return torch.from_numpy(rows(given, count))


def _exported(torch: Any, module: Any, sample: Any, free: Any, *, strict: bool) -> Any:
    shapes = None if free is None else (free,)  # of *inputs
    return torch.export.export(module, sample, dynamic_shapes=shapes, strict=strict)


def _tidied(torch: Any, module: Any, sample: Any, free: Any) -> Any:
    traced = torch_graph.tidy(torch, _exported(torch, module, sample, free, strict=False))
    return torch.export.export(traced, sample, dynamic_shapes=free)


def run(torch: Any, program: Any, arrays: Sequence[Any], batch: int | None) -> list[Any]:
    """Return the outputs of all rows, ``batch`` at a time."""
    return computing(torch, program.module(), batch)(arrays, None)


def computing(torch: Any, module: Any, batch: int | None) -> Callable[[Sequence[Any], int | None], list[Any]]:
    """Return how a module computes rows: arrays, and how many rows at once where the batch is free -> outputs."""

    def call(given: list[Any]) -> list[Any]:
        with torch.no_grad():
            answer = module(*(torch.from_numpy(np.array(array)) for array in given))
        return [output.numpy() for output in leaves(torch, answer)]

    return lambda arrays, chunk: tensors.run_in_chunks(call, arrays, batch or chunk)


def sparing(torch: Any, module: Any, arrays: Sequence[Any], batch: int | None) -> Any:
    """Return a module that leaves its inputs as they were: the given one, or one that gives it copies of what it changes in place.

    A framework may feed its own memory, where the next call would find what this one left.
    """
    given = [torch.from_numpy(rows(array, batch or 2)) for array in arrays]
    with contextlib.suppress(Exception), torch.no_grad():  # told where it is exported and computed
        module(*given)
    if all(
        value.numpy().tobytes() == rows(array, batch or 2).tobytes() for value, array in zip(given, arrays)
    ):
        return module

    class Sparing(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, *inputs: Any) -> Any:
            return self.model(*(value.clone() for value in inputs))

    wrapped = Sparing()
    wrapped.training = False  # not eval(), which an exported program refuses
    return wrapped


def check_rows(torch: Any, module: Any, arrays: Sequence[Any]) -> None:
    """Raise ValueError (one line) if an output has not one row, always as large, for every row that is fed."""

    def shapes(count: int) -> list[tuple[int, ...]]:
        with torch.no_grad():
            answer = module(*(torch.from_numpy(rows(array, count)) for array in arrays))
        return [tuple(output.shape) for output in leaves(torch, answer)]

    alone, both = shapes(1), shapes(2)
    if len(alone) != len(both) or not alone:
        raise ValueError(f"the model gives {len(alone)} outputs for one row and {len(both)} for two")
    for place, (one, two) in enumerate(zip(alone, both)):
        if one[:1] != (1,) or two != (2, *one[1:]):
            raise ValueError(
                f"output {place} is of shape {one} for one row and {two} for two: its rows are not the batch's, so that "
                "batches cannot be compared; give FILE.py:FACTORY without it"
            )


def rows(array: Any, count: int) -> Any:
    """Return ``count`` rows, those of an array in turn."""
    return np.ascontiguousarray(np.resize(array, (count, *array.shape[1:])))


def table_sizes(program: Any, names: Sequence[str]) -> dict[str, int]:
    """Return for each input that an embedding looks up in its weights the number of their rows; ``names`` in order."""
    signature = program.graph_signature
    weights = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    inputs = dict(zip(signature.user_inputs, names))
    alias = {node.name: node.name for node in program.graph.nodes if node.name in inputs}
    sizes: dict[str, int] = {}
    for node in program.graph.nodes:
        before = [argument.name for argument in node.all_input_nodes]
        if len(before) == 1 and before[0] in alias and _keeps_values(node):
            alias[node.name] = alias[before[0]]
        if (
            "embedding" in str(node.target)
            and len(before) > 1
            and before[0] in weights
            and before[1] in alias
        ):
            name = inputs[alias[before[1]]]
            rows = int(node.all_input_nodes[0].meta["val"].shape[0])
            sizes[name] = min(sizes.get(name, rows), rows)
    return sizes


def _keeps_values(node: Any) -> bool:
    return any(
        word in str(node.target) for word in ("_to_copy", "aten.to", "view", "reshape", "unsqueeze", "clone")
    )
