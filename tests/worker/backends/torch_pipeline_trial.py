"""The order and number of batches in torch's pipeline, in torch's own environment, on a CPU that stands in for the GPU.

argv is the repository's src. Streams and events do nothing: the CPU has finished whenever a call returns.
"""

import contextlib
import sys
import types

sys.path.insert(0, sys.argv[1])

import numpy as np
import torch

from inferometer.worker.backends.parts import torch_pipeline
from inferometer.worker.backends.parts.pipeline_depth import pipeline_depth


def idle(*_):
    return types.SimpleNamespace(
        wait_stream=lambda _: None, record=lambda: None, wait=lambda: None, synchronize=lambda: None
    )


torch.cuda.Stream = torch.cuda.Event = torch.cuda.default_stream = idle
torch.cuda.stream = lambda _: contextlib.nullcontext()
torch.cuda.synchronize = lambda: None
torch_pipeline.pinned_like = lambda torch, tensor, dtype: torch.empty(tensor.shape, dtype=dtype)

pixels = np.random.default_rng(0).integers(0, 256, (21, 120, 200, 200), dtype=np.uint8)  # enough for threads


def infer(tensors):
    return [tensors[0].half().mean(dim=(1, 2)), tensors[0][:, 0, 0].long()]


pipeline = torch_pipeline.PinnedPipeline(torch, torch.device("cpu"), infer, (pixels[0],), 4)
for round_ in range(2):  # the second begins at another slot
    got, in_flight = [], []
    for number, batch in enumerate(pixels, 1):
        got += pipeline.submit((batch,))
        in_flight.append(number - len(got))
    assert max(in_flight) == pipeline_depth((pixels[0],)) == 8, in_flight
    assert len(got) == 13
    got += pipeline.drain()
    assert pipeline.drain() == []
    for (mean, corner), batch in zip(got, pixels, strict=True):
        assert mean.dtype == np.float32
        np.testing.assert_allclose(mean, batch.mean(axis=(1, 2)), rtol=2e-3)
        np.testing.assert_array_equal(corner, batch[:, 0, 0])
    assert pipeline._next == (round_ + 1) * 21 % 8, "both rounds began at the same slot"
print("delivered", len(got))
