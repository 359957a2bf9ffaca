"""Proves that the TensorRT backend's CUDA memory copies, and refuses what is too much, on GPUs where TensorRT cannot run.

    ROOT/bin/torch benchmarks/device/cuda_memory.py

A step of ../h100.py (`tensorrt-memory`); the code is worker/backends/parts/trt_memory.py. Copies through page-locked and device memory and back, asks for more than there is, and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import types
from pathlib import Path

package = types.ModuleType("inferometer")
package.__path__ = [str(Path(__file__).resolve().parents[2] / "src" / "inferometer")]
sys.modules["inferometer"] = package

import numpy as np  # noqa: E402

from inferometer.worker.backends.parts.trt_memory import Cuda, DeviceBuffer, PinnedArray  # noqa: E402


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    cuda = Cuda()
    sent, back = (PinnedArray(cuda, (512, 3, 224, 224), np.float32) for _ in range(2))
    sent.array[...] = np.random.default_rng(0).normal(size=sent.array.shape[1:]).astype(np.float32)
    back.array[...] = np.nan
    buffer = DeviceBuffer(cuda, sent.array.nbytes)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        cuda.copy_in(buffer.address, sent.array)
        cuda.synchronise()
        seconds.append(time.perf_counter() - start)
    cuda.copy_out(back.array, buffer.address)
    cuda.synchronise()
    try:
        DeviceBuffer(cuda, 2**50)
        refusal = ""
    except MemoryError as error:
        refusal = str(error)
    found = {
        "gpu": cuda.device_name(),
        "equal": bool((sent.array == back.array).all()),
        "copy_in_bytes_per_s": sent.array.nbytes / sorted(seconds)[2],
        "refusal": refusal,
    }
    print(json.dumps(found))
    raise SystemExit(0 if found["equal"] and "bytes free" in refusal else 1)


if __name__ == "__main__":
    main()
