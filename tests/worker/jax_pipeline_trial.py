"""JAX's pipeline on the CPU, in JAX's own environment: argv is the repository's src and a .keras file."""

import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import numpy as np

from inferometer.worker.backend import Opening
from inferometer.worker.backends.jax import Runtime


def runtime(mode):
    return Runtime(Opening("keras", Path(sys.argv[2]), "NHWC", ("x",), ("y",), "fp16", "cpu", 2, mode=mode))


pixels = np.random.default_rng(0).integers(0, 256, (11, 7, 224, 224, 3), dtype=np.uint8)  # pieces above 1 MiB
backend = runtime("host")
backend.prepare((pixels[0].astype(np.float32),))
wanted = [backend.run((batch.astype(np.float32),))[0] for batch in pixels]

backend = runtime("host-pipelined")
pipeline = backend.pipeline((pixels[0],))
assert len(pipeline.send((pixels[0],))[0]) == 2, "not cut among threads"
got, in_flight = [], []
for number, batch in enumerate(pixels, 1):
    got += pipeline.submit((batch,))
    in_flight.append(number - len(got))
assert max(in_flight) == 3, in_flight
got += pipeline.drain()
assert pipeline.drain() == []
for (ours,), theirs in zip(got, wanted, strict=True):
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=2e-2, atol=2e-2)
assert np.ptp([row.sum() for row in wanted]) > 0.1, "batches that are alike would hide a wrong order"
assert backend.actual()["precision"] == "fp16"
print("delivered", len(got))
