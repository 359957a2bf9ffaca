"""A Keras model small enough to be measured in seconds, made once in TensorFlow's real environment."""

import subprocess

import pytest

from inferometer.frameworks import environments, requirements

MODEL = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
keras.utils.set_random_seed(3)
x = keras.Input((32, 32, 3))
y = keras.layers.Conv2D(8, 3, strides=2, padding="same")(x)
y = keras.layers.BatchNormalization()(y)
y = keras.layers.ReLU()(y)
y = keras.layers.GlobalAveragePooling2D()(y)
keras.Model(x, keras.layers.Dense(10)(y)).save(sys.argv[1])
"""


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    tf = environments.ensure(requirements.read("tf", "cpu"), folder / "log", lambda text: None)
    path = folder / "tiny.keras"
    subprocess.run([tf.python, "-c", MODEL, path], check=True, capture_output=True)
    return path
