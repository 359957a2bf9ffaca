"""Made-up records and runs for tests of everything that reads runs.

`record`, `rounds_of` and `run` make small ones in memory, at a rate the test chooses. `write_run` writes run directories of
any number of frameworks, precisions and batch sizes on simulated boards: throughput saturates with the batch size, power rises with the
load, rounds differ by a little and batches have a tail; some cells fail, some machines have no meter, some energies are
unresolved, and names may be hostile. Written through `RunWriter`, so that everything downstream reads what a real run
would have left.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import msgspec
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
    Skip,
)
from inferometer.storage.lines import append_line
from inferometer.storage.run_directory import CELLS_FILE, RunWriter, StoredRun
from simulated_boards import BOARDS, Board, hash_of, machine_of  # noqa: F401 (callers write simulated.BOARDS)

GPU_MACHINE = Machine(
    hostname="box", cpu="CPU 9", physical_cores=8, memory_bytes=2**34, gpus=(Gpu(0, "GPU-1", "H100"),)
)


def cell(framework="onnxrt", batch_size=8, precision="fp32", device="cuda:0", mode="host", model="mobilenet"):
    return Cell(model, framework, precision, batch_size, device, mode)


def ended(the_cell, round_, loops, images, **more):
    """Return an ok record of these loops; ``more`` replaces its other fields."""
    defaults = {
        "status": "ok",
        "images": images,
        "loops": tuple(loops),
        "prepare": Prepare(1.0, 0.5, 0.25),
        "parity": Parity(True, 1e-6, 1e-6, 1.0, 1.0, 1e-3, images),
        "actual": Actual(the_cell.device, "GPU-1", the_cell.precision, 4, "1.0"),
        "memory": Memory(10**9, None, 2 * 10**9),
    }
    if phases := phases_of(the_cell, loops, images):
        defaults |= {"phases": phases, "phase_batches": 10}
    return Record(the_cell, round_, **(defaults | more))


def phases_of(the_cell, loops, images):
    """Return what a batch takes, cut at fixed shares; {} where a real worker has none."""
    if the_cell.mode == "host-pipelined" or the_cell.framework == "openvino":
        return {}
    batch_s = loops[0].elapsed_s * the_cell.batch_size / images
    shares = {
        "copy_in": 0.3,
        "enqueue": 0.1,
        "compute": 0.6,
        "copy_out": 0.2,
    }  # synchronising makes it more than one
    wanted = ("enqueue", "compute") if the_cell.mode == "device" else tuple(shares)
    return {name: shares[name] * batch_s for name in wanted}


def metered(joules, seconds, images, gpu="H100", share=0.01, idle_w=None):
    """Return a counter's reading of the GPU whose interval is ``share`` of it to either side."""
    low, high = joules * (1 - share), joules * (1 + share)
    device = DeviceEnergy("GPU-1", gpu, "gpu", "nvml", "counter", seconds, images, joules, low, high, idle_w)
    return Energy((device,), "GPU-1")


def record(the_cell, round_=0, rate=1000.0, images=64, loops=4, power_w=None, noise=0.0, seed=0, **more):
    """Return an ok record whose loops run at ``rate`` images/s, with relative noise between loops."""
    generator = np.random.default_rng(seed)
    each = []
    for number in range(loops):
        seconds = images / rate * float(np.exp(noise * generator.normal()))
        batches = images // the_cell.batch_size
        each.append(Loop(seconds, (seconds / batches,) * batches, 1000 + number, images))
    total = sum(loop.elapsed_s for loop in each)
    energy = None if power_w is None else metered(power_w * total, total, images * loops)
    return ended(the_cell, round_, each, images, **({"energy": energy} | more))


def rounds_of(the_cell, rates, **more):
    """Return one record a round at the given rates (images/s)."""
    return [record(the_cell, number, rate, **more) for number, rate in enumerate(rates)]


def run(records, path="run", machine=GPU_MACHINE, rounds=None, model_hash="abc", skips=()):
    """Return a stored run holding ``records``."""
    info = RunInfo(
        machine=machine,
        model=ModelInfo("mobilenet", hash=model_hash),
        protocol=Protocol(rounds=rounds or 1 + max((r.round for r in records), default=0)),
        cells=tuple(dict.fromkeys(r.cell for r in records)),
        skips=tuple(skips),
    )
    return StoredRun(Path(path), info, tuple(records))


FRAMEWORKS = (
    "jax", "keras", "kerasxla", "litert", "mnn", "ncnn", "onnxrt", "openvino", "tensorrt",
    "tf", "tfrt", "tftrt", "tfxla", "torch", "torch-compile",
)  # fmt: skip
PRECISIONS = ("fp32", "fp16", "int8")
BATCH_SIZES = (8, 16, 32, 64, 128, 256, 512)
HOSTILE = (
    "<script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "</script><svg onload=window.hacked=1>",
    "\"'><b onmouseover=window.hacked=1>{{ 7*7 }}",
    "javascript:window.hacked=1//%{x}",
)


def write_run(
    path: Path,
    board: Board,
    *,
    frameworks: tuple[str, ...] = FRAMEWORKS,
    precisions: tuple[str, ...] = PRECISIONS,
    batch_sizes: tuple[int, ...] = BATCH_SIZES,
    rounds: int = 3,
    loops: int = 4,
    batches: int | None = None,
    modes: tuple[str, ...] = ("host",),
    failures: bool = True,
    seed: int = 1,
    model: str = "mobilenet_v3_large",
    keep: int | None = None,
    device: str = "cuda:0",
) -> Path:
    """Write a run directory; ``batches`` a loop (default: 512 images), ``keep`` only so many records (a run in progress)."""
    rng = np.random.default_rng((seed, hash_of(board.gpu)))
    cells = tuple(
        Cell(model, framework, precision, size, device, mode)
        for mode in modes
        for framework in frameworks
        for precision in precisions
        for size in batch_sizes
    )
    doomed = _failures(cells) if failures else {}
    skips = tuple(Skip(cell, cause) for cell, (status, cause) in doomed.items() if status == "skipped")
    planned = tuple(cell for cell in cells if doomed.get(cell, ("", ""))[0] != "skipped")
    writer = RunWriter.create(path, _info(board, model, planned, skips, rounds, loops, frameworks))
    records = (
        _record(cell, number, board, doomed, loops, batches, rng)
        for number in range(rounds)
        for cell in planned
    )
    append_all(writer, islice(records, keep))
    return path


def append_all(writer: RunWriter, records: Iterable[Record]) -> None:
    """Append many records with one flush (a flush a record would make big fixtures slow)."""
    append_line(writer.path / CELLS_FILE, b"".join(msgspec.json.encode(record) + b"\n" for record in records))


def _info(board, model, cells, skips, rounds, loops, frameworks) -> RunInfo:
    environments = {
        name: {
            "environment": f"{name}/cuda",
            "python": "3.11.2",
            "versions": {name: f"1.{hash_of(name) % 30}.0"},
        }
        for name in frameworks
    }
    meters = ({"name": "nvml", "device": board.gpu, "source": "counter"},) if board.metered else ()
    return RunInfo(
        tool="0.1.0",
        created_at="2026-11-20T09:30:00Z",
        command=f"inferometer run --model {model} --rounds {rounds}",
        model=ModelInfo(
            name=model, source="keras.applications", weights="random, seed 0", hash="sha256:5f3c"
        ),
        protocol=Protocol(rounds=rounds, loops=loops),
        machine=machine_of(board),
        cells=cells,
        skips=skips,
        environments=environments,
        meters=meters,
        notes=() if board.metered else ("no energy meter: this GPU has no energy counter",),
    )


def _failures(cells: tuple[Cell, ...]) -> dict[Cell, tuple[str, str]]:
    doomed: dict[Cell, tuple[str, str]] = {}
    for cell in cells:
        slot = hash_of(cell.framework) % 7
        if cell.precision == "int8" and slot in (0, 3):
            doomed[cell] = ("skipped", f"{cell.framework} has no int8 path; give a quantised model")
        elif cell.framework.startswith("torch") and cell.batch_size == 512:
            doomed[cell] = (
                "out-of-memory",
                "CUDA out of memory: tried to allocate 1.2 GiB, 310 MiB free <of 16 GiB>",
            )
        elif cell.framework == "mnn" and cell.precision == "fp16":
            doomed[cell] = ("parity-failed", "largest relative error 0.31, limit 0.02 (fp16)")
        elif cell.framework == "tfrt" and cell.batch_size >= 256:
            doomed[cell] = ("timed-out", "no result within 600 s; raise --timeout")
    return doomed


def _record(cell, number, board, doomed, loops, batches, rng) -> Record:
    if cell in doomed:
        status, cause = doomed[cell]
        return Record(
            cell, number, status, cause=cause, started_at="2026-11-20T09:31:00Z", log="logs/worker.log"
        )
    count = batches or max(1, 512 // cell.batch_size)
    images = count * cell.batch_size
    rate, watts = _truth(cell, board)
    factor = rng.lognormal(0.0, 0.004)
    times = cell.batch_size / rate * factor * rng.lognormal(0.0, 0.01, (loops, count))
    times += (rng.random((loops, count)) < 0.02) * times * rng.gamma(1.0, 0.4, (loops, count))
    passes = tuple(
        Loop(float(row.sum()), tuple(row.tolist()), start_ns=1_000_000_000 * (i + 1), images=images)
        for i, row in enumerate(times)
    )
    seconds = float(times.sum())
    return ended(
        cell,
        number,
        passes,
        images,
        prepare=Prepare(
            load_s=2.0, compile_s=0.4 + 6 * ("xla" in cell.framework), first_run_s=0.2, warmup_s=1.0
        ),
        parity=Parity(True, 3e-6, 4e-6, 0.9999, 1.0, 1e-3, 64, "keras fp32 on CPU"),
        actual=Actual(cell.device, "GPU-1", cell.precision, 16, "1.2.3", {"numpy": "2.4.6"}),
        memory=Memory(
            int(2e9), int((0.6 + cell.batch_size * 0.011) * 1e9), int((0.9 + cell.batch_size * 0.011) * 1e9)
        ),
        energy=_energy(cell, board, watts, seconds, images * loops, rng),
        started_at="2026-11-20T09:31:00Z",
        elapsed_s=seconds + 5,
        overhead_s=0.4,
        log="logs/worker.log",
    )


def _truth(cell: Cell, board: Board) -> tuple[float, float]:
    """Images per second and watts of a cell without noise."""
    slot = hash_of(cell.framework) % 31
    gain = {"fp32": 1.0, "tf32": 1.25, "fp16": 1.7, "bf16": 1.65, "int8": 2.1}.get(cell.precision, 1.0)
    peak = board.speed * gain * (0.35 + 0.65 * slot / 30) * (1.5 if cell.mode == "device" else 1.0)
    half = 6 + slot % 11 * 3
    load = cell.batch_size / (cell.batch_size + half)
    power = (
        board.idle_w + (board.limit_w * 0.9 - board.idle_w) * load * (0.45 + 0.5 * (slot % 5) / 4) / gain**0.2
    )
    return peak * load, power


def _energy(cell, board, watts, seconds, images, rng) -> Energy:
    if not board.metered:
        return Energy(reason=f"no meter: {board.gpu} has no energy counter")
    if cell.framework == "openvino" and cell.batch_size == 8:
        reason = "window of 0.3 s is shorter than 10 counter steps (100 ms each); raise --energy-window"
        device = DeviceEnergy("GPU-1", board.gpu, "gpu", "nvml", "unresolved", seconds, images, reason=reason)
        return Energy((device,), "GPU-1")
    joules = watts * seconds * rng.lognormal(0.0, 0.01)
    return metered(joules, seconds, images, board.gpu, 0.015, board.idle_w)
