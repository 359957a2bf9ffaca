"""How batches get to TensorFlow, in its own environment: argv is the repository's src and a .keras file."""

import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import numpy as np
from pages import Pages

from inferometer.worker.aligned import aligned_empty
from inferometer.worker.backend import Opening
from inferometer.worker.backends.parts.pinned_memory import PinnedBuffers
from inferometer.worker.backends.parts.tf_transfer import Naive, Pinned, Shared, host_path
from inferometer.worker.backends.tensorflow import Runtime
from inferometer.worker.flags import flag


def aligned(array):
    copy = aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def follows(send, array):
    """Return whether the tensor sees what is written into the array afterwards."""
    (tensor,) = send((array,))
    assert np.array_equal(tensor.numpy(), array)
    array[...] = 7
    return bool(np.all(tensor.numpy() == 7))


options = {"function": True, "xla": sys.argv[3] == "xla"}
backend = Runtime(
    Opening("keras", Path(sys.argv[2]), "NHWC", ("x",), ("y",), "fp32", "cpu", 2, options=options)
)
tf = backend._tf
shared = Shared(tf)
pixels = np.random.default_rng(0).normal(size=(4, 224, 224, 3)).astype(np.float32)
assert follows(shared.send, aligned(pixels))
assert follows(shared.send, aligned(pixels.astype(np.int64)))
odd = aligned_empty((pixels.size + 1,), np.float32)[1:].reshape(pixels.shape)
odd[...] = pixels
assert not follows(shared.send, odd), "Eigen may load vectors from where they are not aligned"
assert not follows(shared.send, aligned(pixels.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1))
frozen = aligned(pixels)
frozen.flags.writeable = False
assert np.array_equal(shared.send((frozen,))[0].numpy(), pixels)
assert shared.send((np.array(["a", "b"]),))[0].numpy().tolist() == [b"a", b"b"]

batch = (aligned(pixels),)
backend.prepare(batch)
first = backend.run(batch)[0].copy()
for _ in range(5):
    np.testing.assert_array_equal(backend.run(batch)[0], first)
assert np.array_equal(batch[0], pixels), "the framework wrote into the caller's batch"
naive = Runtime(
    Opening(
        "keras",
        Path(sys.argv[2]),
        "NHWC",
        ("x",),
        ("y",),
        "fp32",
        "cpu",
        2,
        options={**options, "naive": True},
    )
)
naive.prepare(batch)
np.testing.assert_allclose(naive.run(batch)[0], first, rtol=1e-6)

pages = Pages(room=2)
pinned = Pinned(tf, PinnedBuffers(2, pages))
for number in range(3):
    (tensor,) = pinned.send((batch[0] + number,))
    np.testing.assert_array_equal(tensor.numpy(), batch[0] + number)
assert len(pages.locked) == 1 and not pinned.flags()
names = np.array(["a", "b"])
tensor, words = pinned.send((batch[0][:2], names))
np.testing.assert_array_equal(tensor.numpy(), batch[0][:2])
assert words.numpy().tolist() == [b"a", b"b"]
assert len(pages.locked) == 2 and not pinned.flags()
np.testing.assert_array_equal(pinned.send((batch[0][:3],))[0].numpy(), batch[0][:3])
assert pinned.flags() == [flag("not-page-locked", error="CUDA error 2")]
pinned.release()
assert not pages.locked
earlier, later = aligned(np.arange(1 << 10, dtype=np.int32)), np.zeros(1 << 10, np.int32)
pixels_with = (batch[0][:2],)
number, image = pinned.send((earlier, *pixels_with))
pinned.send((later, *pixels_with))
np.testing.assert_array_equal(number.numpy(), np.arange(1 << 10))
np.testing.assert_array_equal(image.numpy(), pixels_with[0])
assert [array.dtype.name for array in pages.locked] == ["float32"]

for device, mode, options, wanted in (
    ("cpu", "host", {}, Shared),
    ("cpu", "device", {}, Shared),
    ("cpu", "host", {"naive": True}, Naive),
    ("cuda", "host", {}, Pinned),
    ("cuda", "device", {}, Naive),
    ("cuda", "host", {"naive": True}, Naive),
):
    asked = Opening("keras", Path(), "NHWC", ("x",), ("y",), "fp32", device, 2, options=options, mode=mode)
    assert type(host_path(tf, asked)) is wanted, (device, mode, options)
print("as wanted")
