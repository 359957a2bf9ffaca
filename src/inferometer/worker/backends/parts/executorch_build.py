"""From an exported program to ExecuTorch's `.pte`, what XNNPACK can do handed to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inferometer.worker.backends.parts import torch_program, xnnpack_integers
from inferometer.worker.failures import Unsupported

_Counts = dict[str, int]


@dataclass(frozen=True)
class Built:
    """A lowered program, and how many operations of each kind run where."""

    path: Path
    delegated: dict[str, int]  # in XNNPACK
    others: dict[str, int]  # in ExecuTorch's own kernels
    types: dict[str, int] = field(default_factory=dict)  # of the operators that multiply matrices


def read(torch: Any, path: Path, *, quantised: bool) -> Any:
    """Return an exported program as a module; Unsupported where this torch, older than that of the export, cannot read it."""
    try:
        if quantised:
            import torchao.quantization.pt2e.quantize_pt2e  # noqa: F401  (whose operators are in the program)
        program = torch.export.load(path)
    except Exception as error:
        raise Unsupported(f"torch {torch.__version__} cannot read the exported program: {error}") from error
    return torch_program.module_of(torch, program, torch.device("cpu"), torch.float32)


def build(torch: Any, module: Any, tensors: list[Any], path: Path) -> Built:
    """Return the program for inputs like ``tensors``, lowered to ``path`` unless it is there; Unsupported if it cannot be."""
    facts = path.with_suffix(".json")
    if not facts.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        *told, data = _lower(torch, module, tensors)
        path.write_bytes(data)
        facts.write_text(json.dumps(told))  # last: says that the program is whole
    return Built(path, *json.loads(facts.read_text()))


def _lower(torch: Any, module: Any, tensors: list[Any]) -> tuple[_Counts, _Counts, _Counts, bytes]:
    # imported here, since a process that finds its programs needs none of it
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.devtools.backend_debug import get_delegation_info
    from executorch.exir import to_edge_transform_and_lower

    try:
        with torch.no_grad():
            program = torch.export.export(module, tuple(tensors))
        edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        lowered = edge.exported_program()
        kinds = get_delegation_info(lowered.graph_module).delegation_by_operator
        others = {kind: counts.non_delegated for kind, counts in kinds.items() if counts.non_delegated}
        types = xnnpack_integers.look(lowered, others)
        data = bytes(edge.to_executorch().buffer)  # which changes the graph, so it is counted before
    except Exception as error:
        text = " ".join(str(error).split())
        raise Unsupported(
            f"ExecuTorch cannot lower the program: {type(error).__name__}: {text[:300]}"
        ) from error
    delegated = {kind: counts.delegated for kind, counts in kinds.items() if counts.delegated}
    return _named(delegated), _named(others), types, data


def _named(counts: _Counts) -> _Counts:
    return {_short(kind): count for kind, count in counts.items() if kind != "getitem"}


def _short(kind: str) -> str:
    """Return an operator's plain name, as in "add" for "aten_add_tensor"."""
    name = kind.removeprefix("aten_").removeprefix("dim_order_ops_").strip("_")
    for overload in ("_default", "_tensor", "_scalar", "_dim", "_int"):
        name = name.removesuffix(overload)
    return name
