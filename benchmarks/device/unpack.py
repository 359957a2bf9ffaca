"""Unpacks what ../h100.py needs and makes its interpreters, so that docs/results/h100.md can be measured without a network.

    python3 benchmarks/device/unpack.py [--root /opt/inferometer] [--volumes /tmp/volumes] [--base python3]

Every archive whose volumes are all here is checked and unpacked. Archives that are unpacked already, or not whole yet, are
left alone, so this may be called after any volume.
ROOT/bin holds one interpreter a framework, which sets its library paths before it starts Python; ROOT/bin/core runs
inferometer itself from ROOT/checkout, a copy of this checkout, so that a run in the background is not disturbed when
the next transfer replaces files. `*-broken` lack their CUDA libraries or provider on purpose (see h100.py, faults).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("/opt/inferometer"))
    parser.add_argument("--volumes", type=Path, default=Path("/tmp/volumes"))
    parser.add_argument("--base", default=sys.executable, help="the interpreter that has torch and JAX")
    arguments = parser.parse_args()
    root: Path = arguments.root
    root.mkdir(parents=True, exist_ok=True)
    manifest = json.loads(next(arguments.volumes.glob("*/manifest.json")).read_text())
    for entry in manifest["archives"]:
        print(entry["name"], _unpack(entry, manifest["volumes"], arguments.volumes, root), flush=True)
    _interpreters(root, arguments.base, _copy_checkout(root))
    print("interpreters:", " ".join(sorted(path.name for path in (root / "bin").iterdir())))


def _unpack(entry: dict, sizes: list[int], volumes: Path, root: Path) -> str:
    done = root / f".{entry['name']}.{entry['sha256'][:12]}"
    if done.exists():
        return "is there"
    pieces = list(_pieces(entry, sizes, volumes))
    lacking = [path.parent.name for path, _, _ in pieces if not path.exists()]
    if lacking:
        return f"waits for volume {', '.join(lacking)}"
    begin = time.monotonic()
    digest = hashlib.sha256()
    command = [*_zstd(volumes), "-d", "--long=27", "-q", "-c"]
    unzip = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    untar = subprocess.Popen(["tar", "--no-same-owner", "-xf", "-", "-C", str(root)], stdin=unzip.stdout)
    for path, start, count in pieces:
        with path.open("rb") as source:
            source.seek(start)
            left = count
            while left and (block := source.read(min(left, 1 << 22))):
                digest.update(block)
                unzip.stdin.write(block)
                left -= len(block)
    unzip.stdin.close()
    if unzip.wait() or untar.wait():
        raise SystemExit(f"{entry['name']} cannot be unpacked")
    if digest.hexdigest() != entry["sha256"]:
        raise SystemExit(f"{entry['name']} arrived damaged: its checksum differs")
    done.touch()
    return f"unpacked in {time.monotonic() - begin:.1f} s"


def _pieces(entry: dict, sizes: list[int], volumes: Path):
    """Yield (file, offset in it, bytes) for every volume that an archive touches."""
    start, end, edge = entry["start"], entry["start"] + entry["bytes"], 0
    for number, size in enumerate(sizes):
        first, last = max(start, edge), min(end, edge + size)
        if first < last:
            yield volumes / f"{number:02}" / "piece", first - edge, last - first
        edge += size


def _zstd(volumes: Path) -> list[str]:
    own = volumes / "00" / "zstd"
    if shutil.which("zstd") or not own.exists():
        return ["zstd"]
    return ["env", f"LD_LIBRARY_PATH={own}", str(own / "zstd")]


def _copy_checkout(root: Path) -> Path:
    """Return a new copy of the code, which ROOT/checkout points to from now on."""
    copy = root / time.strftime("checkout-%H%M%S")
    for name in ("src", "benchmarks"):
        shutil.copytree(_CHECKOUT / name, copy / name, dirs_exist_ok=True)
    link = root / "checkout"
    link.unlink(missing_ok=True)
    link.symlink_to(copy.name)
    return copy


def _interpreters(root: Path, base: str, checkout: Path) -> None:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([base, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    host = Path(found)
    cuda13 = sorted(map(str, host.glob("nvidia/*/lib")))
    tf = root / "tf"
    # the stubs of archive core come last, so that the real libraries (archive tfrest) win where they are there
    cuda12 = [*sorted(map(str, root.glob("tf*/nvidia/*/lib"))), str(root / "stubs")]
    compiler = tf / "nvidia" / "cuda_nvcc"
    tools = {"PATH": f"{compiler}/bin:$PATH", "XLA_FLAGS": f"--xla_gpu_cuda_data_dir={compiler} $XLA_FLAGS"}
    _make(root, base, "core", [checkout / "src", host, root / "core"], [])
    _make(root, base, "torch", [host, root / "keras"], [])
    _make(root, base, "jax", [host, root / "keras"], [])
    if (root / "ort").exists():
        _make(root, base, "onnxrt", [root / "ort", host], cuda13)
        _make(root, base, "onnxrt-broken", [_without_cuda(root / "ort"), host], [])
    if tf.exists():
        _make(root, base, "tf", [tf], cuda12, tools)
        _make(root, base, "tf-broken", [tf], [], {})


def _without_cuda(site: Path) -> Path:
    """Return a copy of ONNX Runtime without its CUDA provider, which it then does without in silence."""
    copy = site.with_name(f"{site.name}-broken")
    if not copy.exists():
        shutil.copytree(site, copy, copy_function=os.link)
        (copy / "onnxruntime" / "capi" / "libonnxruntime_providers_cuda.so").unlink()
    return copy


def _make(
    root: Path, base: str, name: str, sites: list[Path], libraries: list[str], variables: dict | None = None
) -> None:
    """Make ROOT/bin/NAME: a venv that sees ``sites``, started with ``libraries`` on the loader's path."""
    venv = root / "venvs" / name
    if not venv.exists():
        subprocess.run([base, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = next(venv.glob("lib/python*/site-packages"))
    (site / "inferometer-device.pth").write_text("".join(f"{path}\n" for path in sites))
    lines = [f'export {key}="{value}"' for key, value in (variables or {}).items()]
    lines.append(
        f"export LD_LIBRARY_PATH={os.pathsep.join(libraries)}" if libraries else "unset LD_LIBRARY_PATH"
    )
    program = root / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text("\n".join(["#!/bin/sh", *lines, f'exec {venv}/bin/python "$@"', ""]))
    program.chmod(0o755)


if __name__ == "__main__":
    main()
