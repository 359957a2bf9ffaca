"""Measures what docs/results/h100-load.md claims: rows of an H100 under load by LoadGen, in under eight minutes.

    python3 benchmarks/h100_load.py [--root /opt/inferometer] [--work /tmp/h100] [--out $OUT] [--loadgen FOLDER]
                                    [--limit 470] [--bounds 10ms,50ms] [--frameworks torch-compile,jax,onnxrt] [--tiny]

The machine is prepared as for h100.py (device/README.md): interpreters ROOT/bin/core, torch, jax, onnxrt, no network. LoadGen
travels as a wheel or an unpacked folder; --loadgen names it (default: ROOT/loadgen, then .whl in the checkout), and every
interpreter gets it by PYTHONPATH. With --program, a bundle (docs/bundles.md) brought everything but torch, which the Python that runs
this has. On a machine that has only Python with torch and JAX, --plain measures those two with that Python and the packages on PYTHONPATH.

One run a row: server with each bound (energy at 100, 75, 50 and 25 % of the rate for the tightest), then offline and single-stream; one
round, quick preset. Rows that compile for a size have batches filled up to powers of four; ONNX Runtime, which plans anew at every change
of size, has one size (--padding replaces either). A run that reaches the limit is interrupted, keeps what it has, and goes on when this is called again.
"""

from __future__ import annotations

import argparse
import os
import sys
import tarfile
import time
import zipfile
from pathlib import Path

from h100_machine import MODEL, Deadline, Machine, call, show

# (framework, its precision, --max-batch, --padding)
ROWS = (
    ("torch-compile", "fp16", "64", "fours"),
    ("jax", "fp16", "64", "fours"),
    ("onnxrt", "fp32", "16", "one"),
)
ENVIRONMENTS = {"torch-compile": "torch", "jax": "jax", "onnxrt": "onnxrt"}
CLOSED = [
    "--batch-sizes",
    "64",
    "--images",
    "512",
    "--loops",
    "3",
    "--warmup",
    "5",
    "--rounds",
    "1",
    "--budget",
    "2",
    "--energy-window",
    "2",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("/opt/inferometer"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/h100"))
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "out")))
    parser.add_argument(
        "--loadgen", type=Path, help="wheel of mlcommons-loadgen, or the folder that holds it or its module"
    )
    parser.add_argument("--limit", type=float, default=470.0, help="seconds of this call")
    parser.add_argument("--bounds", default="10ms,50ms")
    parser.add_argument("--frameworks", default=",".join(name for name, *_ in ROWS))
    parser.add_argument("--padding", help="of every row")
    parser.add_argument("--max-batch", help="of every row; 1,16 tries both")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument(
        "--program",
        help="inferometer as a bundle installed it (docs/bundles.md): LoadGen and environments came along",
    )
    parser.add_argument(
        "--plain", action="store_true", help="this very Python has inferometer's packages, torch and JAX"
    )
    parser.add_argument("--tiny", action="store_true", help="the CPU and fp32, briefly")
    given = parser.parse_args()
    machine = Machine(given.root, given.work, "cpu" if given.tiny else given.device, "", given.tiny)
    names = [
        name
        for name in given.frameworks.split(",")
        if given.plain or given.program or machine.has(ENVIRONMENTS[name])
    ]
    if not names:
        raise SystemExit(
            f"no interpreter of {given.frameworks} in {given.root / 'bin'}; see device/README.md, or --plain"
        )
    site = bundled_loadgen(given) if given.program else loadgen_site(given)
    deadline = Deadline(given.limit)
    for name in names:
        if deadline.left_s() < 40:
            print(f"{name}: not begun, {deadline.left_s():.0f} s are left")
            continue
        measure(machine, given, name, deadline, site)
        pack(given)


def measure(
    machine: Machine, given: argparse.Namespace, name: str, deadline: Deadline, site: Path | None
) -> None:
    label = f"load-{name}"
    out, log = given.work / "results" / label, given.work / "logs" / f"{label}.log"
    if (out / "run.json").exists():
        words = ["run", "--resume", str(out)]
    else:
        words = [
            "run",
            given.model,
            *options(given, name),
            "--device",
            machine.device,
            "--out",
            str(out),
        ]
        words += pythons(machine, given, name)
    begin = time.monotonic()
    code = call(machine, command_of(machine, given, words, site), deadline, log)
    print(
        f"{label}: {'interrupted' if code is None else f'exit {code}'} after {time.monotonic() - begin:.0f} s"
    )
    show(log, 30)


def command_of(machine: Machine, given: argparse.Namespace, words: list[str], site: Path | None) -> list[str]:
    if given.program:
        cache = os.environ.get("INFEROMETER_CACHE")
        kept = [f"INFEROMETER_CACHE={cache}"] if cache else ["-u", "INFEROMETER_CACHE"]
        return ["env", *kept, *([f"PYTHONPATH={site}"] if site else []), given.program, *words]
    command = [sys.executable, "-m", "inferometer", *words] if given.plain else machine.inferometer(*words)
    path = [str(site), *([os.environ["PYTHONPATH"]] if given.plain and "PYTHONPATH" in os.environ else [])]
    return ["env", f"PYTHONPATH={os.pathsep.join(path)}", *command]  # interpreters of --python inherit it


def options(given: argparse.Namespace, name: str) -> list[str]:
    precision, batch, padding = next(rest for row, *rest in ROWS if row == name)
    closed = CLOSED
    if given.tiny:
        precision, batch = "fp32", "4"
        closed = [
            "--batch-sizes",
            "4",
            "--images",
            "8",
            "--loops",
            "2",
            "--warmup",
            "1",
            "--rounds",
            "1",
            "--budget",
            "1",
        ]
    scenarios = ["--scenarios", "server,offline,single-stream", "--latency-bound", given.bounds]
    batches = ["--max-batch", given.max_batch or batch, "--padding", given.padding or padding]
    return ["--frameworks", name, "--precisions", precision, *closed, *scenarios, *batches]


def pythons(machine: Machine, given: argparse.Namespace, name: str) -> list[str]:
    """Return the interpreters: the row's own, and those that prepare the model; a bundle has made environments but torch's."""
    if given.program:
        own = ("torch", "torch-models") if ENVIRONMENTS[name] == "torch" else ()
        return [word for each in own for word in ("--python", f"{each}={sys.executable}")]
    if given.plain:
        return [word for each in ("torch", "jax") for word in ("--python", f"{each}={sys.executable}")]
    return machine.pythons()


def bundled_loadgen(given: argparse.Namespace) -> Path | None:
    """Return LoadGen's folder among a bundle's environments, for the Python that has torch."""
    cache = Path(os.environ.get("INFEROMETER_CACHE", given.root / "cache"))
    return next(cache.glob("environments/loadgen-*/lib/python*/site-packages"), None)


def loadgen_site(given: argparse.Namespace) -> Path:
    """Return a folder that holds LoadGen's module, unpacked from a wheel if need be."""
    here = Path(__file__).resolve().parents[1]
    places = [given.loadgen] if given.loadgen else [given.root / "loadgen", here / ".whl", given.root]
    for place in places:
        if place.is_dir() and list(place.glob("mlperf_loadgen*")):
            return place.resolve()
        wheels = [place] if place.suffix == ".whl" else sorted(place.glob("mlcommons_loadgen*.whl"))
        for wheel in wheels:
            site = given.work / "loadgen"
            site.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site)
            return site.resolve()
    raise SystemExit(
        f"no LoadGen in {', '.join(map(str, places))}: give --loadgen a wheel of mlcommons-loadgen"
    )


def pack(given: argparse.Namespace) -> None:
    """Pack results and logs into OUT/h100-load.tar.gz."""
    given.out.mkdir(parents=True, exist_ok=True)
    partial = given.out / "h100-load.tar.gz.partial"
    with tarfile.open(partial, "w:gz") as archive:
        for path in sorted((given.work / "results").glob("load-*")) + sorted(
            (given.work / "logs").glob("load-*")
        ):
            archive.add(path, str(path.relative_to(given.work)))
    partial.rename(given.out / "h100-load.tar.gz")


if __name__ == "__main__":
    main()
