"""Kept rows, the check and the bench: what every exported infer.py ends with."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

BATCH = 1  # rows a batch, as measured; another size is prepared when it first comes
THREADS = 1
DEVICE = "cpu"

HERE = Path(__file__).resolve().parent
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[_name] = str(THREADS)  # libraries read these when they load
os.environ.update({"CUDA_VISIBLE_DEVICES": ""} if DEVICE == "cpu" else {}, ORT_DISABLE_TELEMETRY="1")

import numpy as np  # noqa: E402


def kept(kind: str) -> list[Any]:
    """Return the rows in rows.npz: "input", or "output", which is what they have to give."""
    with np.load(HERE / "rows.npz") as file:
        found = {name: file[name] for name in file.files if name.startswith(kind)}
    return [rows.transpose(0, 3, 1, 2) if "NHWC" in name else rows for name, rows in found.items()]


def batches(count: int) -> list[tuple[Any, ...]]:
    """Return ``count`` rows, the kept ones in turn, in batches; aligned, so that no framework must copy."""
    held = []
    for rows in kept("input"):
        order = [0, *sorted(range(1, rows.ndim), key=lambda axis: -rows.strides[axis])]  # in memory
        memory = np.empty(count * rows[:1].nbytes + 64, np.uint8)
        memory = memory[-memory.ctypes.data % 64 :][: count * rows[:1].nbytes].view(rows.dtype)
        whole = memory.reshape(count, *(rows.shape[axis] for axis in order[1:])).transpose(np.argsort(order))
        for at in range(0, count, len(rows)):
            whole[at : at + len(rows)] = rows[: count - at]
        held.append(whole)
    return [tuple(whole[at : at + BATCH] for whole in held) for at in range(0, count, BATCH)]


def check(kind: Any, proof: Any) -> int:
    """Tell what is wrong, changed files and outputs beyond the limits of the precision; return how many."""
    hashes = {name: hashlib.sha256((HERE / name).read_bytes()).hexdigest() for name in proof["files"]}
    changed = [name for name, found in hashes.items() if found != proof["files"][name]]
    print("".join(f"wrong: {name} was changed\n" for name in changed), end="", flush=True)
    wrong, model, expected, count = len(changed), kind(), kept("output"), len(kept("output")[0])
    outputs = [model.run(batch) for batch in batches(-(-count // BATCH) * BATCH)]
    for wanted, limit, parts in zip(expected, proof["check"]["outputs"], zip(*outputs)):
        if limit["error"] is None:  # each row's answer has a size of its own
            continue
        e, a = (np.concatenate(x)[:count].astype(float).reshape(count, -1) for x in ([wanted], parts))
        error = np.abs(a - e).max() / limit["scale"] if limit["scale"] else np.mean(a != e)
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(e, axis=1)
        cosine = np.where(norms > 0, np.sum(a * e, axis=1) / np.maximum(norms, 1e-30), 1.0).min()
        beyond = not (error <= limit["error"] and cosine >= limit["cosine"])
        told = f"{limit['name']}: error {error:.1e} ({limit['error']:.1e}), cosine "
        print("wrong: " * beyond + told + f"{cosine:.6f} ({limit['cosine']:.6f})")
        wrong += beyond
    return wrong


def bench(model: Any, rule: Any) -> float:
    """Return images/s of loops like the measured ones, all images over all time."""
    todo, loops, spent_s = batches(rule["images"]), 0, 0.0
    model.run(todo[-1])  # which may be smaller
    until = time.monotonic() + (rule["warmup_s"] or 1e9)
    for number in range(rule["warmup"]):
        _ = model.run(todo[number % len(todo)]) if time.monotonic() <= until else None
    gc.collect()
    gc.freeze()
    while True:
        start, stamps = time.monotonic_ns(), list[int]()
        for batch in todo:
            model.run(batch)
            stamps.append(time.monotonic_ns())
        loops, spent_s = loops + 1, spent_s + (stamps[-1] - start) / 1e9
        enough = loops >= rule["loops"] and spent_s >= rule["window_s"]
        if loops >= rule["least"] and (enough or spent_s >= (rule["most_s"] or 1e9)):
            gc.unfreeze()  # else some frameworks tell of leaks at the end
            return float(loops * rule["images"] / spent_s)


def main(kind: Any) -> None:
    """Answer --check, with status 1 where something is wrong, or --bench."""
    if sys.argv[1:] not in (["--check"], ["--bench"]):
        sys.exit("usage: python infer.py --check | --bench")
    proof, cpus = json.loads((HERE / "proof.json").read_text()), len(os.sched_getaffinity(0))
    if (measured := proof["row"]["threads"]) != THREADS or cpus < THREADS:
        print(f"note: {THREADS} threads on {cpus} CPUs, measured with {measured}", file=sys.stderr)
    if sys.argv[1] == "--bench":
        print(f"{bench(kind(), proof['protocol']):.1f} images/s; measured: {proof['measured']}")
    elif wrong := check(kind, proof):
        sys.exit(f"{wrong} of what was measured cannot be had here")
