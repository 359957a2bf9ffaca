"""Keras files loaded without drawing weights, in an environment that has Keras: argv is the repository's src and a backend."""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, sys.argv[1])
os.environ["KERAS_BACKEND"] = sys.argv[2]

import keras
import numpy as np

from inferometer.worker.backends.parts import keras_file
from inferometer.worker.backends.parts.keras_precision import computed_in

layers = keras.layers
folder = Path(tempfile.mkdtemp())


@keras.saving.register_keras_serializable()
class Own(keras.initializers.Initializer):
    """An initializer of the user's, which is left alone."""

    def __call__(self, shape, dtype=None):
        return keras.ops.ones(shape, dtype)


def saved(name, build):
    keras.utils.set_random_seed(5)
    path = folder / f"{name}.keras"
    build().save(path)
    return path


def varied():
    x = keras.Input((12, 6))
    shared = layers.Dense(
        6, kernel_initializer="orthogonal", bias_initializer=keras.initializers.Constant(0.3)
    )
    y = shared(layers.Dropout(0.5)(shared(x)))
    y = layers.Bidirectional(layers.LSTM(4))(layers.Normalization(mean=0.5, variance=2.0)(y))
    y = layers.BatchNormalization(moving_variance_initializer=keras.initializers.Constant(4.0))(y)
    inner = keras.Sequential(
        [keras.Input((8,)), layers.Dense(5, kernel_initializer=Own(), kernel_regularizer="l2")]
    )
    return keras.Model(x, inner(y))


def undrawn(kind):
    def call(self, shape, dtype=None, **more):
        raise AssertionError(f"{kind.__name__} drew {shape}")

    return call


path = saved("varied", varied)
x = np.random.default_rng(0).normal(size=(3, 12, 6)).astype(np.float32)
plain = keras.models.load_model(path, compile=False)
wanted = np.asarray(plain(x, training=False))
drawing = (keras.initializers.GlorotUniform, keras.initializers.Orthogonal, keras.initializers.Constant)
kept = [kind.__call__ for kind in drawing]
for kind in drawing:
    kind.__call__ = undrawn(kind)
try:
    keras.models.load_model(path, compile=False)
except AssertionError:
    pass  # as it must: Keras' own way draws, so that a way which does not can be told from it
else:
    sys.exit("Keras itself draws nothing: this trial shows nothing")
found = keras_file.load(keras, path, "fp32", trust=False)
halves = keras_file.load(keras, path, "fp16", trust=False)
brain_floats = keras_file.load(keras, path, "bf16", trust=False)
for kind, call in zip(drawing, kept, strict=True):
    kind.__call__ = call

np.testing.assert_array_equal(np.asarray(found(x, training=False)), wanted)
assert "float16" in computed_in(halves), computed_in(halves)
types = {variable.path.split("/")[-1]: str(variable.dtype) for variable in halves.weights}
assert types["moving_variance"] == "float32" and types["kernel"] == "float16", types
for lower in (halves, brain_floats):
    np.testing.assert_allclose(np.asarray(lower(x, training=False), np.float32), wanted, rtol=0.05, atol=0.05)

code = saved("code", lambda: keras.Sequential([keras.Input((4,)), layers.Lambda(lambda v: v * 2)]))
try:
    keras_file.load(keras, code, "fp32", trust=False)
    sys.exit("a Lambda layer was loaded without being trusted")
except ValueError as error:
    assert "ambda" in str(error), error
trusted = keras_file.load(keras, code, "fp32", trust=True)
np.testing.assert_array_equal(np.asarray(trusted(np.ones((1, 4), np.float32))), np.full((1, 4), 2.0))
print("as wanted")
