"""Converts MobileNetV3-Large into every form, so that ../h100.py can measure docs/results/h100.md without a network.

    python benchmarks/device/models.py FOLDER --python tf=PATH torch=PATH onnxrt=PATH

Keeps the cache as FOLDER/models.tar.zst. The interpreters convert (see README.md for which torch); the cache's keys know
nothing of this machine, so that the other one finds everything made. Run it again whenever a file in src/inferometer/models changes.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from inferometer.models.contract import FORMS, ModelRequest
from inferometer.models.prepare import prepare
from inferometer.models.sources import resolve
from inferometer.planning.plan import Plan
from inferometer.planning.request import RunRequest
from inferometer.records import Protocol
from inferometer.running.ready_environments import ReadyEnvironments


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", nargs="+", required=True)
    arguments = parser.parse_args()
    pythons = {name: Path(path) for name, _, path in (item.partition("=") for item in arguments.python)}
    request = RunRequest(python=pythons, protocol=Protocol(threads=2))
    cache = arguments.folder / "cache" / "models"
    ready = ReadyEnvironments(request, Plan({}, (), ()), arguments.folder / "logs", print)
    made = prepare(ModelRequest(), resolve(ModelRequest()), set(FORMS), ready.run_step, cache, progress=print)
    for form, cause in made.missing.items():
        print(f"missing: {form}: {cause}")
    for form, artifact in made.artifacts.items():
        print(form, artifact.hash[:12], artifact.parity)
    target = arguments.folder / "models.tar.zst"
    command = (
        f"tar --exclude='*.lock' -C {arguments.folder} -cf - cache | zstd -6 --long=27 -q -f -o {target}"
    )
    subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], check=True)
    print(target, target.stat().st_size)


if __name__ == "__main__":
    main()
