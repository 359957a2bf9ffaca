"""Where TensorFlow runs nodes, read back in its own environment with two CPU devices: argv is the repository's src and a folder."""

import os
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from inferometer.worker.backend import Opening
from inferometer.worker.backends.parts import tf_placement
from inferometer.worker.backends.tensorflow import Runtime
from inferometer.worker.flags import flag

FOLDER = Path(sys.argv[2])
TWO = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], TWO)
tf.config.threading.set_intra_op_parallelism_threads(2)  # as each Runtime sets them: later they are fixed
tf.config.threading.set_inter_op_parallelism_threads(1)
layers = keras.layers


@keras.saving.register_keras_serializable()
class Elsewhere(layers.Layer):
    """Does its work on another device than the model's, as soft placement does with what has no kernel there."""

    def call(self, x):
        with tf.device("/CPU:1"):
            return tf.cumsum(x, axis=1)


def tiny(inner):
    x = keras.Input((8, 8, 3))
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="hard_silu")(x))
    return keras.Model(x, layers.Dense(5)(inner(y)))


def saved(name, model):
    model.save(FOLDER / f"{name}.keras")
    model.export(FOLDER / name, verbose=False)


def placed(name, shape, mode="host", form="keras", **options):
    path = FOLDER / (f"{name}.keras" if form == "keras" else name)
    names = ("keras_tensor",) if form == "keras" else (signature_input(path),)
    runtime = Runtime(Opening(form, path, "NHWC", names, (), "fp32", "cpu", 2, options, mode=mode))
    batch = (np.random.default_rng(0).normal(size=shape).astype(np.float32),)
    runtime.prepare(batch)
    first = runtime._placement
    runtime.prepare((batch[0][:1],))
    runtime.run(batch)
    assert runtime._placement is first, "read again"
    assert not watched(), "left on"
    return runtime.actual()["details"], runtime.flags()


def signature_input(path):
    (name,) = tf.saved_model.load(str(path)).signatures["serving_default"].structured_input_signature[1]
    return name


def watched():
    """Return what is still collected: graphs of a function that is new, and calls seen."""
    tf.function(lambda x: tf.sin(x) * 3)(tf.ones(3))
    current = context.context()
    return bool(current.export_run_metadata().ByteSize()) or bool(current.op_callbacks)


GRAPH = {"function": True}
saved("straight", tiny(layers.Activation("relu")))
saved("detour", tiny(Elsewhere()))
for mode in ("host", "device"):
    for options in ({}, GRAPH, {"form": "savedmodel"}, {"predict": True}):
        if options.get("predict") and mode == "device":
            continue
        details, flags = placed("straight", (4, 8, 8, 3), mode, **options)
        told = tf_placement.CALLS if options == {} else tf_placement.GRAPHS
        assert details["nodes_told_by"] == told, (options, details)
        assert list(details["nodes"]) == ["CPU:0"] and details["nodes"]["CPU:0"] > 5, (options, details)
        assert details["nodes_elsewhere"] == [] and flags == [], (options, details, flags)

        details, flags = placed("detour", (4, 8, 8, 3), mode, **options)
        total = sum(details["nodes"].values())
        assert flags == [flag("nodes-elsewhere", strays=1, total=total, kinds="Cumsum", counts="1 Cumsum")], (
            options,
            flags,
        )
        assert details["nodes"] == {"CPU:0": total - 1, "CPU:1": 1}, (options, details)
        (name,) = details["nodes_elsewhere"]
        assert name.endswith("(Cumsum)"), name

for options in ({"xla": True}, {"xla": True, "form": "savedmodel"}):
    details, flags = placed("straight", (4, 8, 8, 3), **options)
    assert (details["nodes_told_by"], details["nodes"], flags) == (tf_placement.XLA, {}, []), details
try:
    with tf.device("/CPU:0"):
        tf.function(tf.strings.as_string, jit_compile=True)(tf.ones(3))
    sys.exit("XLA left an operation to another device: what it says of placement is not true")
except tf.errors.InvalidArgumentError as error:
    assert "AsString" in str(error), error


@tf.function(autograph=False)
def counting(x):
    """Shape arithmetic and a loop on the other device, which count for nothing, and two that count."""
    y = tf.matmul(x, x)
    with tf.device("/CPU:0"):
        rows = tf.shape(y)[0] * tf.constant(2)
        y = tf.cumsum(tf.identity(y))
        words = tf.strings.as_string(y[0, 0])
    y = tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, tf.exp(v)), (tf.constant(0), y))[1]
    return tf.reshape(y, [rows, -1]), words


with tf.device("/CPU:1"):
    SQUARE = tf.ones((4, 4))


def counted():
    with tf.device("/CPU:1"):
        return counting(SQUARE)


found = tf_placement.of_function("CPU:1", counted, xla=False)
kinds = sorted(node.kind for node in found.nodes if node.device == "CPU:0")
assert {"Cumsum", "AsString"} <= set(kinds) <= {"Cumsum", "AsString", "StridedSlice"}, kinds
kinds = {node.kind for node in found.nodes if node.device == "CPU:1"}
assert kinds == {"MatMul", "Exp", "Reshape"}, kinds
assert tf_placement.of_function("CPU:1", counted, xla=False).told_by == tf_placement.NOTHING, (
    "is it told twice?"
)


@tf.function(experimental_attributes={"_noinline": True})
def apart(x):
    return tf.sin(x)


whole = tf.function(lambda x: apart(tf.matmul(x, x)), autograph=False)
found = tf_placement.of_function("CPU:0", lambda: whole(SQUARE), xla=False)
assert found.details()["nodes"] == {"CPU:0": 1, "not told": 1} and found.flags() == [], found.nodes


def failing():
    raise MemoryError


for read in (tf_placement.of_calls, lambda wanted, run: tf_placement.of_function(wanted, run, xla=False)):
    try:
        read("CPU:0", failing)
    except MemoryError:
        assert not watched(), "a failure leaves it on"

if "large" in sys.argv[3:]:
    saved("mobilenet", keras.applications.MobileNetV3Large(weights=None))
    for options, least in (({}, 400), (GRAPH, 400), ({"form": "savedmodel"}, 400)):
        details, flags = placed("mobilenet", (2, 224, 224, 3), **options)
        assert list(details["nodes"]) == ["CPU:0"] and details["nodes"]["CPU:0"] > least, details["nodes"]
        assert not flags, flags
        print(options, details["nodes"])
print("as wanted")
