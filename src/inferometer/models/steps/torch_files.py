"""The user's own exported programs and TorchScript files as modules that take tensors one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inferometer.models.steps import dimensions, given, pt2_guard, script_guard
from inferometer.models.steps.refusals import refusing
from inferometer.models.steps.torch_modules import Built


def exported(torch: Any, path: Path, shapes: Mapping[str, int], trust: bool) -> Built:
    """Return an exported program (`.pt2`) with its inputs; ValueError (one line) if it is none, or may run code."""
    program = pt2_guard.load(torch, path, trust)
    tree, names = program.call_spec.in_spec, program.graph_signature.user_inputs
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    specs, sizes = [], []
    for name in names:
        value = values.get(name)
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"input '{name}' of {path.name} is no tensor: inferometer feeds tensors only")
        specs.append({"name": name, "dtype": str(value.dtype).removeprefix("torch.")})
        sizes.append([size if isinstance(size, int) else None for size in value.shape])
    if not names:
        raise ValueError(f"{path.name} takes no tensor: there is nothing to feed")
    least, most = _batches(program, values[names[0]])
    if least > 2:  # torch says 2 where it did not look at a batch of one
        sizes = [[least, *axes[1:]] if axes and axes[0] is None else axes for axes in sizes]
    notes = (f"fixed to batches of {least}, the least that the program takes",) if least > 2 else ()
    module = program.module()

    class Unflattened(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.program = module

        def forward(self, *inputs: Any) -> Any:
            arguments, keywords = torch.utils._pytree.tree_unflatten(inputs, tree)
            return self.program(*arguments, **keywords)

    return Built(Unflattened(), dimensions.bind(specs, sizes, shapes), most=most, notes=notes)


def _batches(program: Any, value: Any) -> tuple[int, int | None]:
    """Return the least and the most rows (None: no limit) that a program takes at once, where its batch is free."""
    batch = value.shape[0] if value.ndim else 1
    if isinstance(batch, int):
        return 1, None
    limits = program.range_constraints.get(batch.node.expr)
    if limits is None:
        return 1, None
    most = int(limits.upper) if str(limits.upper).isdigit() and int(limits.upper) < 1 << 31 else None
    return int(limits.lower) if str(limits.lower).isdigit() else 1, most


def script(torch: Any, path: Path, inputs: str | None, shapes: Mapping[str, int], trust: bool) -> Built:
    """Return a TorchScript file, converted; ``inputs`` (.npz) or ``shapes`` tell what it takes, which the file does not say."""
    script_guard.check(torch, path, trust)
    loaded = _load_script(torch, path)
    arguments = loaded.forward.schema.arguments[1:]
    odd = [item for item in arguments if str(item.type) != "Tensor" and not item.has_default_value()]
    if odd:
        raise ValueError(
            f"input '{odd[0].name}' of {path.name} is of type {odd[0].type}: inferometer feeds tensors only; give FILE.py:FACTORY "
            "with a module that sets it"
        )
    names = [item.name for item in arguments if str(item.type) == "Tensor" and not item.has_default_value()]
    examples = _shown(torch, names, inputs) if inputs else _shaped(torch, names, shapes, path.name)
    from torch._export.converter import TS2EPConverter

    with refusing("torch cannot convert the script to an exported program"):
        module = TS2EPConverter(loaded, examples, {}).convert().module(check_guards=False)
    specs = [
        {"name": name, "shape": [None, *value.shape[1:]], "dtype": str(value.dtype).removeprefix("torch.")}
        for name, value in zip(names, examples)
    ]
    return Built(module, specs, examples=examples, original=loaded)


def _shown(torch: Any, names: Sequence[str], inputs: str) -> tuple[Any, ...]:
    """Return two rows of the user's own for every input."""
    found = {name: array[:2] for name, array in given.load(inputs, names).items()}
    if absent := [name for name in names if name not in found]:
        raise ValueError(f"{inputs} lacks {', '.join(absent)}; the script's inputs are {', '.join(names)}")
    return tuple(torch.from_numpy(found[name]) for name in names)


def _shaped(torch: Any, names: Sequence[str], shapes: Mapping[str, int], file: str) -> tuple[Any, ...]:
    """Return two rows of ones for every input, as large as INPUT.1, INPUT.2 and so on of ``shapes`` say."""
    known = {f"{name}.{axis}" for name in names for axis in range(1, 9)}
    if unknown := sorted(set(shapes) - known):
        raise ValueError(
            f"--shape names dimensions that the model does not have: {', '.join(unknown)}; the script's inputs are {', '.join(names)}: "
            f"give --shape {names[0]}.1=N and so on"
        )
    sizes = {name: [shapes[f"{name}.{axis}"] for axis in _axes(name, shapes)] for name in names}
    if absent := [name for name in names if not sizes[name]]:
        raise ValueError(
            f"{file} does not say how large its inputs are: give --input FILE.npz with arrays {', '.join(names)}, "
            f"or --shape {absent[0]}.1=N and so on for floats"
        )
    return tuple(torch.ones(2, *sizes[name]) for name in names)


def _axes(name: str, shapes: Mapping[str, int]) -> range:
    count = next(axis for axis in range(1, 10) if f"{name}.{axis}" not in shapes)
    return range(1, count)


def _load_script(torch: Any, path: Path) -> Any:
    with refusing(f"{path.name} cannot be loaded as TorchScript"):
        return torch.jit.load(path, map_location="cpu").eval()
