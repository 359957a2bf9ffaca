"""Environment `tf`: small whole SavedModels and LiteRT flatbuffers, and SavedModels that would touch a file.

python tensorflow_files.py FOLDER MARKER
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.trackable import resource

FOLDER, MARKER = sys.argv[1:]


class Looked(tf.Module):
    """Words from a file that lies beside the model, a table, and weights that are looked up."""

    def __init__(self):
        super().__init__()
        Path(f"{FOLDER}/words.txt").write_text("".join(f"{n}\n" for n in range(300)), encoding="utf-8")
        words = tf.lookup.TextFileInitializer(
            f"{FOLDER}/words.txt", tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )  # fmt: skip
        self.table = tf.lookup.StaticHashTable(words, 0)
        self.v = tf.Variable(tf.random.stateless_normal((300, 3), (0, 5)))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.int32, name="ids")])
    def serve(self, ids):
        return {"y": tf.reduce_sum(tf.gather(self.v, self.table.lookup(tf.strings.as_string(ids))), axis=1)}


class Turning(tf.Module):
    """A loop, a choice, and a constant that is captured."""

    def __init__(self):
        super().__init__()
        self.scale = tf.random.stateless_normal((4, 4), (0, 2))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        def turn(n, y):
            return n + 1, tf.tanh(y @ self.scale)

        _, y = tf.while_loop(lambda n, _: n < 3, turn, (0, x))
        return {"y": tf.cond(tf.reduce_sum(y) > 1000.0, lambda: -y, lambda: y)}


class Writing(tf.Module):
    """Would write where it is called."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        tf.io.write_file(MARKER, "x")
        return {"y": x * 2.0}


class Debugged(tf.Module):
    """Would write what passes by to a folder."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        return {"y": tf.raw_ops.DebugIdentity(input=x, tensor_name="y:0", debug_urls=[f"file://{MARKER}"]) * 2.0}  # fmt: skip


class _Resource(resource.CapturableResource):
    def _create_resource(self):
        return tf.constant(1)

    def _initialize(self):
        tf.io.write_file(MARKER, "x")


class Loading(tf.Module):
    """Would write where it is loaded."""

    def __init__(self):
        super().__init__()
        self.writing = _Resource()

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        return {"y": x * 2.0}


def convolved() -> keras.Model:
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    x = keras.layers.MaxPooling2D()(keras.layers.DepthwiseConv2D(3, padding="same")(x))
    return keras.Model(image, keras.layers.Dense(5)(keras.layers.Flatten()(x)))


def recurrent() -> keras.Model:
    series = keras.Input(batch_shape=(1, 5, 3), name="series")  # an open batch has no LSTM in LiteRT
    return keras.Model(series, keras.layers.Dense(2)(keras.layers.LSTM(4)(series)))


@tf.function(input_signature=[tf.TensorSpec([None, 6, 6, 2], tf.float32, name="image")])
def mixed(image):
    """Return what many operators make of an image."""
    wide = tf.pad(tf.image.resize(image, (4, 4)), [[0, 0], [1, 0], [0, 1], [0, 0]])
    parts = tf.split(tf.transpose(wide, (0, 3, 1, 2)), 2, axis=1)
    joined = tf.concat([parts[1], parts[0] * 2.0], axis=3)[:, :, ::2, 1:]
    best = tf.math.top_k(tf.reshape(joined, (-1, joined.shape[2] * joined.shape[3])), 3)
    return tf.cumsum(tf.nn.softmax(best.values), axis=1) + tf.cast(
        tf.gather(best.indices, [0, 2, 1], axis=1), tf.float32
    )


def graph_of_tensorflow_1(path: str) -> None:
    """Save a graph and a signature without objects, as TensorFlow 1 did."""
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 4), name="x")
        y = tf.nn.relu(x @ tf.constant(np.arange(12.0).reshape(4, 3), tf.float32), name="y")
        v1.saved_model.simple_save(session, path, {"x": x}, {"y": y})


@contextlib.contextmanager
def graph_in(folder: str):
    """Hand out the graph of a SavedModel, and write it back."""
    file = Path(folder) / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    yield model.meta_graphs[0]
    file.write_bytes(model.SerializeToString())


def write_in_what_saves(graph) -> None:
    """Let the signature itself write, and name it as what saves, which loads and runs all the same."""
    functions = {each.signature.name.split("_")[3]: each for each in graph.graph_def.library.function}
    inner, outer = functions["serve"], functions["signature"]
    moved = [node for node in inner.node_def if node.name.startswith("WriteFile")]
    outer.node_def[0].input.append("^WriteFile")
    nodes = [*moved, *outer.node_def]  # in order of use
    del outer.node_def[:]
    outer.node_def.extend(nodes)
    outer.signature.is_stateful = True
    for node in moved:
        inner.node_def.remove(node)
    inner.control_ret.clear()
    del inner.signature.control_output[:]
    for node in inner.node_def:
        node.input[:] = [name for name in node.input if name != "^WriteFile"]
    for node in list(graph.graph_def.node):
        if "traced_save" in node.attr["f"].func.name:
            graph.graph_def.node.remove(node)
        elif "signature" in node.attr["f"].func.name:
            graph.saver_def.save_tensor_name = f"{node.name}:0"
    saving = next(each for each in graph.graph_def.library.function if "traced_save" in each.signature.name)
    graph.graph_def.library.function.remove(saving)


def flatbuffer(name: str, function, quantised: bool = False) -> None:
    converter = (
        tf.lite.TFLiteConverter.from_keras_model(function)
        if isinstance(function, keras.Model)
        else tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    )
    if quantised:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        rows = np.random.default_rng(0).random((8, 8, 8, 3), np.float32)
        converter.representative_dataset = lambda: ([row[None]] for row in rows)
    Path(f"{FOLDER}/{name}.tflite").write_bytes(converter.convert())


def main() -> None:
    convolved().export(f"{FOLDER}/convolved", verbose=False)
    kinds = {
        "looked": Looked, "borrowing": Looked, "turning": Turning,
        "writing": Writing, "hidden": Writing, "debugged": Debugged, "loading": Loading,
    }  # fmt: skip
    for name, kind in kinds.items():
        model = kind()
        tf.saved_model.save(model, f"{FOLDER}/{name}", signatures={"serving_default": model.serve})
    with graph_in(f"{FOLDER}/hidden") as graph:
        write_in_what_saves(graph)
    with graph_in(f"{FOLDER}/borrowing") as graph:
        graph.asset_file_def[0].filename = "../../words.txt"
    graph_of_tensorflow_1(f"{FOLDER}/graph")
    flatbuffer("convolved", convolved())
    flatbuffer("quantised", convolved(), quantised=True)
    flatbuffer("recurrent", recurrent())
    flatbuffer("mixed", mixed)
    turning = Turning()  # which its function holds weakly
    flatbuffer("turning", turning.serve)


main()
