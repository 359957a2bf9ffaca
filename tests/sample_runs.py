"""Small made-up runs for tests of everything that reads runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inferometer.records import (
    Actual,
    Cell,
    DeviceEnergy,
    Energy,
    Gpu,
    Loop,
    Machine,
    Memory,
    ModelInfo,
    Parity,
    Prepare,
    Protocol,
    Record,
    RunInfo,
)
from inferometer.store import StoredRun

GPU_MACHINE = Machine(
    hostname="box", cpu="CPU 9", physical_cores=8, memory_bytes=2**34, gpus=(Gpu(0, "GPU-1", "H100"),)
)


def cell(framework="onnxrt", batch_size=8, precision="fp32", device="cuda:0", mode="host", model="mobilenet"):
    return Cell(model, framework, precision, batch_size, device, mode)


def record(the_cell, round_=0, rate=1000.0, images=64, loops=4, power_w=None, noise=0.0, seed=0, **more):
    """Return an ok record whose loops run at ``rate`` images/s, with relative noise between loops."""
    generator = np.random.default_rng(seed)
    each = []
    for number in range(loops):
        seconds = images / rate * float(np.exp(noise * generator.normal()))
        batches = images // the_cell.batch_size
        each.append(Loop(seconds, (seconds / batches,) * batches, 1000 + number, images))
    total = sum(loop.elapsed_s for loop in each)
    energy = None
    if power_w is not None:
        joules = power_w * total
        device = DeviceEnergy(
            "GPU-1",
            "H100",
            "gpu",
            "nvml",
            "counter",
            total,
            images * loops,
            joules,
            joules * 0.99,
            joules * 1.01,
        )
        energy = Energy((device,), "GPU-1")
    defaults = {
        "status": "ok",
        "images": images,
        "loops": tuple(each),
        "prepare": Prepare(1.0, 0.5, 0.25),
        "parity": Parity(True, 1e-6, 1e-6, 1.0, 1.0, 1e-3, images),
        "actual": Actual("cuda:0", "GPU-1", the_cell.precision, 4, "1.0"),
        "memory": Memory(10**9, 2 * 10**9, None),
        "energy": energy,
    }
    return Record(the_cell, round_, **(defaults | more))


def run(records, path="run", machine=GPU_MACHINE, rounds=None, model_hash="abc", skips=()):
    """Return a stored run holding ``records``."""
    cells = tuple(dict.fromkeys(r.cell for r in records))
    rounds = rounds or 1 + max((r.round for r in records), default=0)
    info = RunInfo(
        machine=machine,
        model=ModelInfo("mobilenet", hash=model_hash),
        protocol=Protocol(rounds=rounds),
        cells=cells,
        skips=tuple(skips),
    )
    return StoredRun(Path(path), info, tuple(records))


def rounds_of(the_cell, rates, **more):
    """Return one record a round at the given rates (images/s)."""
    return [record(the_cell, number, rate, **more) for number, rate in enumerate(rates)]
