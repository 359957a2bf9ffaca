"""JAX's pipeline, and batches in pieces, on the CPU, in JAX's own environment: argv is the repository's src and a .keras file."""

import dataclasses
import sys
import types
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import numpy as np

from inferometer.worker.backend import Opening
from inferometer.worker.backends.jax import Runtime
from inferometer.worker.backends.parts.jax_pipeline import PiecewisePipeline
from inferometer.worker.backends.parts.jax_transfer import Piecewise, Whole
from inferometer.worker.backends.parts.pipeline_depth import pipeline_depth


def runtime(mode):
    return Runtime(Opening("keras", Path(sys.argv[2]), "NHWC", ("x",), ("y",), "fp16", "cpu", 2, mode=mode))


def checked(backend, batch):
    """Return one batch's output, sent whole and then in pieces."""
    whole = backend.run(batch)[0]
    backend._host = Piecewise(backend._jax, backend._device, 4)
    np.testing.assert_array_equal(backend.run(batch)[0], whole)
    backend._host = Whole(backend._jax, backend._device)
    return whole


pixels = np.random.default_rng(0).integers(0, 256, (19, 28, 224, 224, 3), dtype=np.uint8)  # two pieces
backend = runtime("host")
backend.prepare((pixels[0].astype(np.float32),))
assert type(backend._host) is Whole, "the CPU's device_put copies nothing"
wanted = [checked(backend, (batch.astype(np.float32),)) for batch in pixels]

jax, device = backend._jax, backend._device
sender = Piecewise(jax, device, 4)
for rows, count in ((7, 4), (3, 3), (1, 1)):
    for kind in (np.float32, np.int32):
        numbers = np.random.default_rng(1).integers(0, 9, (rows, 740, 740)).astype(kind)
        few = np.arange(rows)
        joined, small = sender.send((numbers, few))
        assert [len(parts) for parts in sender.pieces((numbers, few))] == [count, 1]
        assert joined.dtype == kind and joined.devices() == {device}
        np.testing.assert_array_equal(joined, numbers)
        np.testing.assert_array_equal(small, few)

sent = []
backend._host = sender
sender.send = lambda batch: sent.append(batch) or Piecewise.send(sender, batch)
assert set(backend.phases((pixels[0].astype(np.float32),))) == {"copy_in", "enqueue", "compute", "copy_out"}
assert len(sent) == 1, "phases measure another way than run goes"

for kind, naive, path in (("cuda", False, Piecewise), ("cuda", True, Whole), ("cpu", False, Whole)):
    opening = dataclasses.replace(backend._opening, device=kind, options={"naive": naive})
    asked = types.SimpleNamespace(_jax=jax, _device=device, _threads=2, _opening=opening)
    assert type(Runtime._host_path(asked)) is path, (kind, naive)

backend = runtime("host-pipelined")
pipeline = backend.pipeline((pixels[0],))
assert len(pipeline._sender.pieces((pixels[0],))[0]) == 2, "not cut for several threads"
got, in_flight = [], []
for number, batch in enumerate(pixels, 1):
    got += pipeline.submit((batch,))
    in_flight.append(number - len(got))
assert max(in_flight) == pipeline_depth((pixels[0],)) == 8, in_flight
assert len(got) == 11
got += pipeline.drain()
assert pipeline.drain() == []
for (ours,), theirs in zip(got, wanted, strict=True):
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=2e-2, atol=2e-2)
assert np.ptp([row.sum() for row in wanted]) > 0.1, "batches that are alike would hide a wrong order"
assert backend.actual()["precision"] == "fp16"


def order(places, batches=5):
    """Return what a pipeline of this depth does with its batches, up to its drain, and what that delivers."""
    done = []

    class Output:
        def __init__(self, number):
            self.number = number

        def copy_to_host_async(self):
            pass

        def __array__(self, dtype=None, copy=None):
            done.append(f"deliver {self.number}")
            return np.asarray(self.number)

    def infer(pieces):
        done.append(f"launch {pieces}")
        return [Output(pieces)]

    sender = types.SimpleNamespace(pieces=lambda batch: done.append(f"send {batch}") or batch)
    pipeline = PiecewisePipeline(sender, infer, places)
    got = [int(output) for batch in range(batches) for (output,) in pipeline.submit(batch)]
    before_drain = list(done)
    return before_drain, got + [int(output) for (output,) in pipeline.drain()]


TWO_AHEAD = [
    "send 0",
    "send 1",
    "send 2",
    "launch 0",
    "send 3",
    "launch 1",
    "deliver 0",
    "send 4",
    "launch 2",
]
assert order(4)[0] == TWO_AHEAD, order(4)
assert order(8)[0] == [step for step in TWO_AHEAD if step != "deliver 0"], order(8)
one_ahead = ["send 0", "send 1", "launch 0", "send 2", "launch 1", "deliver 0", "send 3", "launch 2"]
assert order(3)[0][:8] == one_ahead, order(3)  # two launched, or the device waited for every delivery
assert order(2)[0][:6] == ["send 0", "launch 0", "send 1", "launch 1", "deliver 0", "send 2"], order(2)
assert order(1)[0][:4] == ["send 0", "launch 0", "deliver 0", "send 1"], order(1)
assert all(order(places)[1] == [0, 1, 2, 3, 4] for places in (1, 2, 3, 4, 8))
print("delivered", len(got))
