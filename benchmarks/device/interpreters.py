"""Names the interpreters that ../h100.py measures with, once the bundle is unpacked, so that docs/results/h100.md can be measured again.

    python3 benchmarks/device/interpreters.py [--root /opt/inferometer] [--base python3]

ROOT/core is inferometer's environment, ROOT/cache its cache (README.md says how both came there), BASE has torch and JAX.
ROOT/bin then holds one interpreter a framework, which sets its library paths before it starts Python; ROOT/bin/core runs
inferometer itself. `*-broken` lack their CUDA libraries or provider on purpose (see h100.py, faults).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

_BASED = ("torch", "jax")  # which BASE has, where the bundle brought no environment of that name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("/opt/inferometer"))
    parser.add_argument("--base", default=shutil.which("python3") or sys.executable)
    arguments = parser.parse_args()
    root: Path = arguments.root
    make(root, "core", f"{root}/core/bin/python")
    for name in _BASED:
        make(root, name, arguments.base)
    for folder in sorted((root / "cache" / "environments").glob("*-*/")):
        name = folder.name.rsplit("-", 2)[0]
        python, libraries = (
            f"{folder}/bin/python",
            sorted(map(str, folder.glob("lib/*/site-packages/nvidia/*/lib"))),
        )
        make(root, name, python, libraries, tools(folder))
        if name == "tf":
            make(root, "tf-broken", python)
        if name == "onnxrt":
            make(root, "onnxrt-broken", f"{without_cuda(folder, root)}/bin/python")
    print("interpreters:", " ".join(sorted(path.name for path in (root / "bin").iterdir())))


def make(
    root: Path,
    name: str,
    python: str,
    libraries: list[str] | None = None,
    variables: dict[str, str] | None = None,
) -> None:
    """Write ROOT/bin/NAME: ``python``, started with ``libraries`` on the loader's path."""
    lines = [f'export {key}="{value}"' for key, value in (variables or {}).items()]
    lines.append(
        f"export LD_LIBRARY_PATH={os.pathsep.join(libraries)}" if libraries else "unset LD_LIBRARY_PATH"
    )
    program = root / "bin" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("\n".join(["#!/bin/sh", *lines, f'exec {python} "$@"', ""]))
    program.chmod(0o755)


def tools(folder: Path) -> dict[str, str]:
    """Return where XLA finds its compiler, in an environment that has it."""
    compiler = next(folder.glob("lib/*/site-packages/nvidia/cuda_nvcc"), None)
    if compiler is None:
        return {}
    return {"PATH": f"{compiler}/bin:$PATH", "XLA_FLAGS": f"--xla_gpu_cuda_data_dir={compiler} $XLA_FLAGS"}


def without_cuda(folder: Path, root: Path) -> Path:
    """Return a copy of ONNX Runtime's environment without its CUDA provider, which it then does without in silence."""
    copy = root / "onnxrt-broken"
    if not copy.exists():
        subprocess.run(["cp", "-al", folder, copy], check=True)
        for provider in copy.glob("lib/*/site-packages/onnxruntime/capi/libonnxruntime_providers_cuda.so"):
            provider.unlink()
    return copy


if __name__ == "__main__":
    main()
