"""Environment `torch-models`: a PyTorch model as an exported program, with rows and its own eager outputs as reference.

Request
    kind          "exported" (.pt2), "torchscript", or "architecture"
    file          of the first two
    architecture  timm:NAME, torchvision:NAME, hf:NAME, hf:FOLDER with `folder`, its path, or FILE.py:FACTORY with `code`, the path of FILE.py
    weights       "random", "pretrained", or "file" (those in `weights_file`)
    seed, shapes, ranges, trust
    inputs        .npz with one array per input, or None
    more          .npz of rows for checks only, or None
    out           directory for model.pt2, inputs.npz, reference.npz, check.npz and what `checks` writes
"""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import (
    archives,
    checks,
    drawn,
    tensors,
    torch_architectures,
    torch_exporting,
    torch_files,
    torch_modules,
    torch_quantised,
    torch_singles,
    torch_size,
    torch_weights,
)
from inferometer.models.steps.torch_modules import Built
from inferometer.worker.system import memory

_HALVES = {"float16": "fp16", "bfloat16": "bf16"}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return specs, hash and versions of the program; its files lie in ``out``."""
    torch = start(request)
    model = built(torch, request)
    stored = _stored(torch, model.module)
    module = torch_exporting.flat(torch, torch_singles.single(torch, model.module), model.keywords or None)
    sample = [_sample(spec, place, model) for place, spec in enumerate(model.specs)]
    program, specs, notes = _program(torch, module, sample, model)
    sizes = torch_exporting.table_sizes(program, [spec["name"] for spec in specs])
    asked = {**request, "ranges": {**model.ranges, **request["ranges"]}}
    arrays = checks.rows_of(asked, specs, sizes)
    flat, module = module, torch_exporting.sparing(torch, module, [*arrays.values()], tensors.batch_of(specs))
    if model.untrained:
        torch_modules.recalibrate(torch, model.module, module, list(arrays.values()))
    if model.untrained or module is not flat:
        program, specs, notes = _program(torch, module, sample, model)
    if module is not flat:
        notes.append("changes its inputs in place: each call gets a copy of them")
    out, batch = Path(request["out"]), tensors.batch_of(specs)
    # what the user gave, which no converter can have changed, where it computes in fp32
    judge = module if stored or model.original is None else model.original
    compute, moving = _computing(torch, judge, batch), _computing(torch, module, batch)
    if batch is None:
        torch_exporting.check_rows(torch, judge, list(arrays.values()))
    outputs = compute(arrays, None)
    torch.export.save(program, out / "model.pt2")
    again = torch_exporting.run(torch, torch.export.load(out / "model.pt2"), list(arrays.values()), batch)
    tensors.write_rows(out, arrays, outputs, again)
    made = checks.Reference(
        arrays, outputs, compute, batch,
        checks.more_of(asked, specs, sizes), _ways(torch, module, compute, moving),
    )  # fmt: skip
    return {
        "checks": made.write(out),
        "drawn": drawn.words(asked, specs, sizes),
        "stored": stored,
        "widened": bool(stored),  # to fp32, so that a row is what it is asked for
        **torch_quantised.stored(torch, model.module),
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, batch=batch),
        "layout": _layout(specs),
        "notes": notes,
        "hash": _hash(module, program, f"seed {request['seed']}" if model.untrained else ""),
        **size(torch, model),
        "versions": {"torch": torch.__version__, "numpy": np.__version__, **model.versions},
    }


def start(request: dict[str, Any]) -> Any:
    """Import torch on the CPU, seeded, and return it."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    archives.bound_memory(memory.free_bytes())
    seed = int(request["seed"])
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # whatever a FACTORY() draws its weights by
    random.seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    return torch


def built(torch: Any, request: dict[str, Any]) -> Built:
    """Return the module that a request names, with its weights, in fp32 where these are float64."""
    return torch_singles.narrowed(torch, _built(torch, request))


def _built(torch: Any, request: dict[str, Any]) -> Built:
    for name in ("file", "weights_file"):
        if request.get(name):
            archives.check_archive(Path(request[name]), memory.free_bytes())
    if request["kind"] == "exported":
        return torch_files.exported(torch, Path(request["file"]), request["shapes"], request["trust"])
    if request["kind"] == "torchscript":
        file, inputs = Path(request["file"]), request.get("inputs")
        return torch_files.script(torch, file, inputs, request["shapes"], request["trust"])
    model = torch_architectures.build(torch, request)
    if request["weights"] == "file":
        path = Path(request["weights_file"])
        torch_weights.apply(model.module, torch_weights.load(torch, path, request["trust"]), path.name)
    return model


def _sample(spec: tensors.Spec, place: int, model: Built) -> Any:
    """Return rows to trace with: the user's own, or ones."""
    if model.examples:
        example = model.examples[place]
        return (example.float() if str(example.dtype)[6:] in _HALVES else example).numpy()
    dtype = "float32" if spec["dtype"] in _HALVES else spec["dtype"]
    return np.ones((2, *spec["shape"][1:]), dtype)


def widened(specs: list[tensors.Spec]) -> list[tensors.Spec]:
    """Return the inputs as the fp32 program takes them."""
    return [{**spec, "dtype": "float32" if spec["dtype"] in _HALVES else spec["dtype"]} for spec in specs]


def _program(
    torch: Any, module: Any, sample: list[Any], model: Built
) -> tuple[Any, list[tensors.Spec], list[str]]:
    """Return the exported program with its specs and notes; for batches of one where the batch cannot be left free."""
    specs, notes = widened(model.specs), list(model.notes)
    fixed = tensors.batch_of(specs)
    try:
        program = torch_exporting.export(torch, module, sample, fixed, most=model.most)
        return program, specs, notes + ([f"takes at most {model.most} rows at once"] if model.most else [])
    except ValueError as error:
        if fixed:
            raise
        cause = str(error)
    program = torch_exporting.export(torch, module, sample, 1)
    fixed_specs = [{**spec, "shape": [1, *spec["shape"][1:]]} for spec in specs]
    return program, fixed_specs, [*notes, f"fixed to batches of one: {cause}"]


def _computing(torch: Any, module: Any, batch: int | None) -> checks.Compute:
    call = torch_exporting.computing(torch, module, batch)
    return lambda arrays, chunk: call(list(arrays.values()), chunk)


def _ways(
    torch: Any, module: Any, compute: checks.Compute, moving_compute: checks.Compute
) -> dict[str, checks.Compute]:
    """Return other ways to the reference: other kernels, and with ``module``'s weights and inputs moved, which are put back."""

    def plain(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
        with torch.backends.mkldnn.flags(enabled=False):
            return compute(arrays, chunk)

    def moving(bits: int) -> checks.Compute:
        def moved(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
            weights = torch_singles.weights(torch, module)
            kept = [value.detach().clone() for value in weights]
            try:
                for place, value in enumerate(weights):
                    value.data.copy_(torch.from_numpy(checks.moved(value.detach().numpy(), bits, place)))
                return moving_compute(checks.moved_rows(arrays, bits), chunk)
            finally:
                for value, was in zip(weights, kept):
                    value.data.copy_(was)

        return moved

    return {"optimised": plain, **{kind: moving(bits) for kind, bits in checks.BITS.items()}}


def _layout(specs: list[tensors.Spec]) -> str:
    images = [spec["shape"] for spec in specs if len(spec["shape"]) == 4]
    return "NCHW" if images and all(shape[1] in (1, 3) for shape in images) else ""


def _stored(torch: Any, module: Any) -> str:
    """Return the precision of the weights where it is below fp32, else ''."""
    kinds = {str(value.dtype).removeprefix("torch.") for value in torch_singles.weights(torch, module)}
    return next((_HALVES[kind] for kind in ("bfloat16", "float16") if kind in kinds), "")


def size(torch: Any, model: Built) -> dict[str, int | None]:
    """Return `parameters` (of a script itself where its conversion made constants of them) and `macs` of one row."""
    own = [] if model.original is None else list(model.original.parameters())
    parameters = sum(value.numel() for value in own or torch_singles.weights(torch, model.module))
    module = torch_exporting.flat(torch, torch_singles.single(torch, model.module), model.keywords or None)
    return {"parameters": parameters, "macs": torch_size.macs(torch, module, widened(model.specs))}


def _hash(module: Any, program: Any, drawn_by: str) -> str:
    """Return a SHA-256 over graph and weights; what random ones were drawn by stands for their values (`kerasfile.weights_hash`)."""
    digest = hashlib.sha256(f"{drawn_by}{program.graph}".encode())
    held = {**program.constants, **module.state_dict()}  # some buffers and constants are in the program only
    for name, value in sorted((name, value) for name, value in held.items() if hasattr(value, "dtype")):
        digest.update(f"{name}|{value.dtype}|{tuple(value.shape)}\n".encode())
        digest.update(b"" if drawn_by else np.ascontiguousarray(value.detach().numpy()).tobytes())
    return digest.hexdigest()
