"""Backends that convert an ONNX file themselves, in their environment: argv is the repository's src, the backend, a folder
with the files of `odd_onnx.py`, one of them that is refused, in which words, and one that can be run."""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import numpy as np

from inferometer.worker.backend import Opening
from inferometer.worker.failures import Unsupported

backend = importlib.import_module(f"inferometer.worker.backends.{sys.argv[2]}")
folder = Path(sys.argv[3])


def opened(name, outputs, threads=1):
    return backend.Runtime(
        Opening(
            "onnx", folder / name, "NCHW", ("x",), outputs, "fp32", "cpu", threads, cache=folder / sys.argv[2]
        )
    )


try:
    opened(sys.argv[4], ("z",)).prepare((np.zeros((2, 3, 15, 15), np.float32),))
except Unsupported as error:
    assert sys.argv[5] in str(error) and "\n" not in str(error), error
else:
    raise AssertionError("an unknown operator was taken")

runtime = opened(sys.argv[6], ("y", "k"), threads=2)
for size in (2, 5):
    batches = [
        (np.random.default_rng(seed).normal(size=(size, 3, 15, 15)).astype(np.float32),) for seed in (1, 2)
    ]
    runtime.prepare(batches[0])
    first, second = (runtime.run(batch) for batch in batches)
    for maps, best in (first, second):
        assert maps.shape == (size, 5, 15, 15) and maps.std() > 1
        assert np.allclose(best, maps.argmax(1) if best.ndim == 3 else maps.mean((2, 3)), atol=1e-5)
    assert not np.array_equal(first[0], second[0])  # nobody writes into outputs that were handed out
    placed = [runtime.place(batch) for batch in batches]
    for resident, wanted in zip(placed, (first, second), strict=True):
        fetched = runtime.fetch(runtime.run_resident(resident))
        assert all(np.array_equal(ours, theirs) for ours, theirs in zip(fetched, wanted, strict=True))
apart = opened(f"beside-{sys.argv[6]}", ("y", "k"))
apart.prepare(batches[0])
for ours, theirs in zip(apart.run(batches[0]), runtime.run(batches[0]), strict=True):
    assert np.allclose(ours, theirs, atol=1e-5), "weights in another file are read"
told = runtime.actual()
assert (told["device"], told["precision"], told["threads"]) == ("cpu", "fp32", 2), told
print("as wanted")
