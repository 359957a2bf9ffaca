"""This machine, with two GPUs that only a fake framework can use, as a command line sees it; for a process of its own too.

Run as a script, its arguments are those of `inferometer`.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import msgspec

from fakes import BACKENDS, fake_framework, fake_model
from inferometer.cli import main
from inferometer.frameworks.catalogue import FRAMEWORKS
from inferometer.host.machine import describe_machine
from inferometer.records import Gpu
from inferometer.running import run

DEVICES = "cuda:0,cuda:1"


def pretend(folder, setattr_=setattr, setitem=dict.__setitem__):
    """Make the core believe it; the model's arrays lie in ``folder``."""
    gpus = tuple(Gpu(index, f"GPU-{index}", "a GPU", cuda="13.0") for index in (0, 1))
    machine = msgspec.structs.replace(describe_machine(), gpus=gpus, logical_cores=16)
    model = fake_model(Path(folder))
    artifact = model.artifacts["fake"]
    setattr_(run, "describe_machine", lambda gpus: machine)
    setattr_(run, "usable_cores", lambda: 8)
    setattr_(run, "monitor_gpus", lambda devices, gpus: ())
    setattr_(
        run, "prepare_model", lambda *_, **__: type(model)(**{**vars(model), "artifacts": {"onnx": artifact}})
    )
    for name, options in (("fake", {}), ("hanging", {"behaviour": "hang", "at": 4})):
        framework = dataclasses.replace(
            fake_framework(name, **options), title=name, form="onnx", module="json"
        )
        setitem(FRAMEWORKS, name, framework)


def arguments(*frameworks):
    """Return the options of a short run of fake frameworks on both GPUs."""
    return [
        *("run", "--device", DEVICES, "--frameworks", ",".join(frameworks), "--batch-sizes", "2,4"),
        *("--images", "8", "--loops", "3", "--warmup", "1", "--rounds", "1", "--timeout", "60"),
        *("--python", f"fake={sys.executable}"),
    ]


if __name__ == "__main__":
    os.environ["INFEROMETER_BACKENDS"] = str(BACKENDS)
    pretend(os.environ["INFEROMETER_TEST_FOLDER"])
    main(sys.argv[1:])
