"""A fake framework and model for tests of the runner: real processes, no real framework."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from inferometer.energy.view import MeterNeeds
from inferometer.frameworks.catalogue import Framework, FrameworkChoice
from inferometer.frameworks.environments import Environment
from inferometer.models.contract import Artifact, PreparedModel, TensorSpec
from inferometer.planning.plan import Plan, PlanRow
from inferometer.planning.request import RunRequest
from inferometer.records import Cell, ModelInfo, Protocol, RunInfo
from inferometer.running.processes.launch import launch_worker
from inferometer.running.progress.observer import SilentObserver
from inferometer.running.runner import Runner
from inferometer.storage.run_directory import RunWriter, read_run

BACKENDS = Path(__file__).parent / "backends"


def fake_framework(name="fake", **options):
    return Framework(
        name=name, title="fake", backend="fake", environment="fake", form="fake", distribution="fake", module="fake",
        precisions={"cpu": ("fp32",), "cuda": ("fp32", "tf32")}, options=options,
    )  # fmt: skip


def fake_model(folder, rows=4, pixels=False):
    x = np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)
    if pixels:
        x = np.round(np.abs(x) * 50).astype(np.float32)
    np.savez(folder / "inputs.npz", x=x)
    np.savez(folder / "reference.npz", y=x * 2 + 1)
    x_spec, y_spec = TensorSpec("x", (None, 3), "float32"), TensorSpec("y", (None, 3), "float32")
    artifact = Artifact("fake", folder / "model", (x_spec,), (y_spec,), "", "hash", {})
    return PreparedModel(
        ModelInfo("fake"), {"fake": artifact}, {}, folder / "inputs.npz", folder / "reference.npz"
    )


def fake_request(**protocol):
    usual = {"images": 8, "loops": 3, "warmup": 1, "rounds": 1, "threads": 1, "timeout_s": 20.0}
    return RunRequest(batch_sizes=(2, 4), protocol=Protocol(**{**usual, **protocol}))


def fake_runner(
    folder,
    frameworks,
    request=None,
    observer=None,
    create=True,
    monitors=(),
    mode="host",
    pixels=False,
    needs=None,
    devices=("cpu",),
    only=None,
    precision="fp32",
):
    """Return a runner of fake frameworks over a run directory below ``folder``; ``only``: name -> its sole device."""
    request = request or fake_request()
    pairs = [
        (f, device) for f in frameworks for device in devices if (only or {}).get(f.name, device) == device
    ]
    rows = {(f.name, d): PlanRow(FrameworkChoice(f), d, None, Path(sys.executable)) for f, d in pairs}
    cells = tuple(
        Cell("fake", f.name, precision, size, d, mode) for f, d in pairs for size in request.batch_sizes
    )
    plan = Plan(rows, cells, (), dict.fromkeys(cells, "fake"))
    run = folder / "run"
    info = RunInfo(protocol=request.protocol, cells=cells)
    environment = Environment("fake", Path(sys.executable), given=True)
    return Runner(
        request=request,
        plan=plan,
        model=fake_model(folder, pixels=pixels),
        launch=lambda cell: launch_worker(environment, None, 1),
        writer=RunWriter.create(run, info) if create else RunWriter(run),
        observer=observer or SilentObserver(),
        monitors=monitors,
        needs=lambda device: needs or MeterNeeds(),
    )


def run_fakes(folder, *frameworks, **kwargs):
    """Run fake frameworks and return the stored run."""
    runner = fake_runner(folder, frameworks, **kwargs)
    runner.run(read_run(runner.writer.path).missing)
    return read_run(runner.writer.path)


def flags_of(record):
    """Return a record's flags without those of other processes, which a busy machine adds."""
    return tuple(flag for flag in record.flags if "processors" not in flag.values)
