"""Environment `tf`: a small Keras model, for tests and for trying an installation quickly.

Request: kind ("cnn", "two_inputs", "embedding", "lambda", "dense", "quantised", "broad", "nested"), seed, out (path of the `.keras` to write).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inferometer.models.steps import keras_source, kerasfile


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the number of parameters; the model lies in ``out``."""
    keras = kerasfile.start("tensorflow")
    keras.utils.set_random_seed(int(request["seed"]))
    model = _KINDS[request["kind"]](keras)
    if request["kind"] == "cnn":
        import numpy as np

        images = np.random.default_rng(int(request["seed"])).normal(size=(16, 32, 32, 3)).astype(np.float32)
        keras_source.recalibrate(keras, model, [images])
    model.save(request["out"])
    return {"parameters": int(model.count_params())}


def _cnn(keras: Any) -> Any:
    """32x32 RGB in, ten classes out: convolution, batch norm, depthwise, residual, pooling."""
    layers = keras.layers
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    x = layers.Concatenate()([layers.Add()([x, y]), x])
    x = layers.MaxPooling2D()(layers.Activation("hard_silu")(x))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(10)(x), name="tiny_cnn")


def _two_inputs(keras: Any) -> Any:
    """An image and a vector in, two outputs."""
    layers = keras.layers
    image, vector = keras.Input((16, 16, 3), name="image"), keras.Input((4,), name="vector")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="relu")(image))
    x = layers.Concatenate()([x, vector])
    return keras.Model([image, vector], [layers.Dense(5)(x), layers.Dense(1)(x)], name="two_inputs")


def _embedding(keras: Any) -> Any:
    """Token numbers below 50 in, a sequence of open length; three classes out."""
    layers = keras.layers
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(50, 8)(tokens))
    return keras.Model(tokens, layers.Dense(3)(x), name="embedding")


def _lambda(keras: Any) -> Any:
    """A model with code of its own in the file."""
    value = keras.Input((4,), name="value")
    doubled = keras.layers.Lambda(lambda x: x * 2.0, output_shape=(4,))(value)
    return keras.Model(value, keras.layers.Dense(3)(doubled), name="with_lambda")


def _dense(keras: Any) -> Any:
    """A sequential model of vectors."""
    layers = keras.layers
    return keras.Sequential([keras.Input((12,)), layers.Dense(16, activation="tanh"), layers.Dense(4)])


def _quantised(keras: Any) -> Any:
    """The sequential model with one of its layers in integers."""
    model = _dense(keras)
    model.layers[0].quantize("int8")
    return model


def _broad(keras: Any) -> Any:
    """Most kinds of layer that have a channels-first form."""
    layers = keras.layers
    image = keras.Input((16, 16, 3), name="image")
    x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0])(
        layers.Rescaling(0.5, offset=0.1)(image)
    )
    x = layers.SeparableConv2D(6, 3, padding="same")(layers.ZeroPadding2D(((0, 1), (1, 0)))(x))
    x = layers.LeakyReLU()(layers.BatchNormalization()(x))
    gate = layers.GlobalAveragePooling2D()(x)
    gate = layers.Reshape((1, 1, 6))(layers.Dense(6, activation="sigmoid")(gate))
    x = layers.Multiply()([x, gate])
    x = layers.UpSampling2D()(layers.AveragePooling2D(3)(x)) * 2.0 + 1.0
    x = layers.Concatenate(axis=-1)([x, layers.Conv2DTranspose(4, 3, padding="same")(x)])
    x = layers.GlobalMaxPooling2D(keepdims=True)(layers.Cropping2D(1)(x))
    x = layers.Reshape((10,))(layers.Conv2D(10, 1)(x))
    return keras.Model(image, layers.Dense(7)(x), name="broad")


def _nested(keras: Any) -> Any:
    """A model within a model, and a layer whose weights depend on the layout: exported as built."""
    layers = keras.layers
    image = keras.Input((8, 8, 3), name="image")
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.PReLU()])
    return keras.Model(image, layers.Dense(5)(layers.Flatten()(inner(image))), name="nested")


_KINDS: dict[str, Callable[[Any], Any]] = {
    "cnn": _cnn,
    "two_inputs": _two_inputs,
    "embedding": _embedding,
    "lambda": _lambda,
    "dense": _dense,
    "quantised": _quantised,
    "broad": _broad,
    "nested": _nested,
}
