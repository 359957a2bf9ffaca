"""What int8 really is on a GPU: in which kernels torch multiplies, and what rows of a quantised file computed in.

    TORCH_PYTHON benchmarks/gpu_int8.py kernels [--device cuda:0] [--out FILE]
    python benchmarks/gpu_int8.py rows DIR QUANTISED.onnx [--device cuda:0] [--frameworks onnxrt,torch,torch-compile,jax] [-- OPTIONS]

`kernels` needs torch alone: a linear layer in several ways, each with its time, its error against fp64 and the names of the kernels
that a profile saw. `rows` needs inferometer: it measures a file that is quantised already (one is among the models that a run at int8
on a CPU leaves in the cache: `onnx-int8` in its run.json) and prints what every row read back. OPTIONS go to `inferometer run`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import passed_on

SHAPES = (
    (1576, 192, 768),
    (4096, 1024, 4096),
)  # rows, inputs, outputs: of a small ViT at 8 images, of a larger model
LOOPS = 50


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("kernels", "rows"))
    parser.add_argument("folder", type=Path, nargs="?", metavar="DIR")
    parser.add_argument("model", type=Path, nargs="?", metavar="QUANTISED.onnx")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--frameworks", default="onnxrt,torch,torch-compile,jax")
    parser.add_argument("--out", type=Path, help="of kernels: where to write JSON")
    arguments, extra = passed_on.parse(parser)
    if arguments.what == "kernels":
        found = kernels(arguments.device)
        if arguments.out:
            arguments.out.write_text(json.dumps(found, indent=1))
    elif arguments.folder and arguments.model:
        rows(arguments, extra)
    else:
        parser.error("rows needs DIR and QUANTISED.onnx")


def rows(arguments: argparse.Namespace, extra: list[str]) -> None:
    """Measure a quantised file in every row, and print what each computed in by its own account."""
    from inferometer.flags import words
    from inferometer.storage.run_directory import read_run

    options = (
        "--device",
        arguments.device,
        "--frameworks",
        arguments.frameworks,
        "--modes",
        "device",
        "--rounds",
        "1",
    )
    command = [sys.executable, "-m", "inferometer", "run", str(arguments.model), *options, *extra]
    subprocess.run([*command, "--out", str(arguments.folder)], check=False)
    for record in read_run(arguments.folder).records:
        actual = record.actual
        details = {key: actual.details[key] for key in _TELLING if key in actual.details} if actual else {}
        print(
            record.cell.key,
            record.status,
            record.cause,
            actual.precision if actual else "",
            json.dumps(details),
        )
        print("   ", "; ".join(words(flag) for flag in record.flags))


_TELLING = ("operators", "products_give", "integers", "computes_in", "nodes", "nodes_elsewhere")


def kernels(device: str) -> list[dict[str, Any]]:
    """Return time, error and kernels of each way to compute a linear layer, and print them."""
    import torch

    torch._inductor.config.freezing = True
    found = []
    for count, inputs, outputs in SHAPES:
        torch.manual_seed(0)
        values, weights = (
            torch.randn(count, inputs, device=device),
            torch.randn(outputs, inputs, device=device),
        )
        exact = values.double() @ weights.double().T
        for name, call in _ways(torch, values, weights).items():
            facts = {"rows": count, "inputs": inputs, "outputs": outputs, "way": name}
            facts |= _measured(torch, device, call, exact)
            print(json.dumps(facts), flush=True)
            found.append(facts)
    return found


def _measured(torch: Any, device: str, call: Callable[[], Any], exact: Any) -> dict[str, Any]:
    torch._dynamo.reset()
    try:
        with torch.inference_mode():
            error = float((call().double() - exact).norm() / exact.norm())
            return {
                "ms": _time_ms(torch, device, call),
                "error": error,
                "kernels": _kernels(torch, device, call),
            }
    except Exception as problem:  # that a way cannot be had is what this is to find out
        return {"refused": f"{type(problem).__name__}: {' '.join(str(problem).split())[:200]}"}


def _ways(torch: Any, values: Any, weights: Any) -> dict[str, Callable[[], Any]]:
    """Return the ways to compute the layer: without arguments, all of them compiled by Inductor."""
    import importlib

    importlib.import_module("torch.ao.quantization.fx._decomposed")  # registers PT2E's operators
    scales = weights.abs().amax(1) / 127
    rounded = (weights / scales[:, None]).round().clamp(-128, 127).to(torch.int8)
    plain = torch.nn.functional.linear
    step = float(values.abs().max()) / 127
    known = torch.ops.quantized_decomposed
    zeros = torch.zeros_like(scales, dtype=torch.int64)

    def rounded_too(x: Any) -> Any:
        per_row = x.abs().amax(1, keepdim=True) / 127
        whole = (x / per_row).round().clamp(-128, 127).to(torch.int8)
        return torch._int_mm(whole, rounded.T).float() * per_row * scales

    def of_pt2e(x: Any) -> Any:
        whole = known.quantize_per_tensor(x, step, 0, -128, 127, torch.int8)
        wide = known.dequantize_per_channel(rounded, scales, zeros, 0, -128, 127, torch.int8)
        return plain(known.dequantize_per_tensor(whole, step, 0, -128, 127, torch.int8), wide)

    narrow_scales = scales.bfloat16()
    half, narrow = (values.half(), weights.half()), values.bfloat16()
    ways = {
        "fp32": (lambda x: plain(x, weights), values),
        "fp16": (lambda x: plain(x, half[1]), half[0]),
        "int8, values rounded by row (_int_mm)": (rounded_too, values),
        "int8 weights (_weight_int8pack_mm)": (
            lambda x: torch._weight_int8pack_mm(x, rounded, narrow_scales), narrow,
        ),
        "int8 weights, widened as they are used": (lambda x: plain(x, rounded.to(x.dtype)) * narrow_scales, narrow),
        "PT2E's operators": (of_pt2e, values),
    }  # fmt: skip
    return {name: _compiled(torch, function, x) for name, (function, x) in ways.items()}


def _compiled(torch: Any, function: Any, x: Any) -> Callable[[], Any]:
    fast = torch.compile(function, dynamic=False)
    return lambda: fast(x)


def _time_ms(torch: Any, device: str, call: Callable[[], Any]) -> float:
    """Return the milliseconds of a call, of many in a row that are waited for once."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    for _ in range(3):
        call()
    wait()
    start = time.perf_counter()
    for _ in range(LOOPS):
        call()
    wait()
    return round(1e3 * (time.perf_counter() - start) / LOOPS, 4)


def _kernels(torch: Any, device: str, call: Callable[[], Any]) -> list[str]:
    """Return the names of what a profile saw on the device, the longest first."""
    kind = torch.profiler.ProfilerActivity
    on_gpu = device.startswith("cuda")
    with torch.profiler.profile(activities=[kind.CPU, kind.CUDA] if on_gpu else [kind.CPU]) as seen:
        call()
        if on_gpu:
            torch.cuda.synchronize()
    events = sorted(
        seen.key_averages(), key=lambda e: -(e.self_device_time_total if on_gpu else e.self_cpu_time_total)
    )
    names = [e.key for e in events if not on_gpu or e.device_type == torch.autograd.DeviceType.CUDA]
    return names[:5]


if __name__ == "__main__":
    main()
