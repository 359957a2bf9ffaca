"""Quantised programs in Inductor: what makes integers of their floats, and how many products really run in integers."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from inferometer.worker.backends.parts import torch_precision
from inferometer.worker.failures import Unsupported

_INTEGER = re.compile(r"q(linear|conv)")  # oneDNN's, as in onednn::qlinear_pointwise
_CALL = re.compile(r"\baoti_torch_cpu_(?:mkldnn_|mkl_)?_*(\w+)\(")  # of a kernel, in the code of a package


def enable(torch: Any) -> None:
    """Let Inductor know the patterns of quantised programs, and constants to fold weights by; Unsupported without torchao."""
    try:
        import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer  # noqa: F401  (which registers the patterns)
    except ImportError as error:
        raise Unsupported(
            f"int8 by Inductor needs the package torchao, which cannot be imported: {error}"
        ) from error
    torch._inductor.config.freezing = True  # as an option of one compilation it does not reach Dynamo


def ran(torch: Any, run: Callable[[], Any]) -> dict[str, int]:
    """Run a batch and return how many products ran in each type, by the operators that torch's profiler saw."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiled:
        run()
    return _counted(event.name.partition("::")[2] for event in profiled.events() if _is_outermost(event))


def called(package: Path) -> dict[str, int]:
    """Return how many products of each type the code of an AOTInductor package calls."""
    with zipfile.ZipFile(package) as archive:
        sources = [archive.read(name).decode() for name in archive.namelist() if name.endswith("wrapper.cpp")]
    names = (name for source in sources for name in _CALL.findall(source))
    return _counted(name.removesuffix("_tensor").removesuffix("_out") for name in names)


def _is_outermost(event: Any) -> bool:
    """Return whether an event is a product, and not a part of one: aten::linear calls aten::addmm."""
    above = event.cpu_parent
    while above is not None:
        if _kind(above.name.partition("::")[2]):
            return False
        above = above.cpu_parent
    return bool(_kind(event.name.partition("::")[2]))


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(kind for kind in map(_kind, names) if kind))


def _kind(name: str) -> str:
    """Return the type that an operator multiplies in, "" where it is no product."""
    if _INTEGER.match(name) and "prepack" not in name:
        return "int8"
    plain = name.strip("_").removeprefix("mkl_").removesuffix("_pointwise")
    return "float32" if "dot_product" in plain or torch_precision.is_product(plain) else ""
