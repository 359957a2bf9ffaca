"""SavedModel folders, HDF5 files and LiteRT flatbuffers of the user's own, in their real environments."""

import shutil
import subprocess

import numpy as np
import pytest

from inferometer.errors import ModelError
from inferometer.models.contract import FORMS
from inferometer.worker import parity
from steprunner import interpreter

pytestmark = pytest.mark.environment

SCRIPT = """
import sys
import keras
import tensorflow as tf
folder = sys.argv[1]
image = keras.Input((16, 16, 3), name="image")
x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3, activation="relu")(image))
model = keras.Model(image, keras.layers.Dense(5)(x))
model.save(f"{folder}/net.h5")
model.save_weights(f"{folder}/only.weights.h5")
model.export(f"{folder}/saved", verbose=False)
doubled = keras.layers.Lambda(lambda t: t * 2.0, output_shape=(5,))(model.output)
keras.Model(image, doubled).save(f"{folder}/code.h5")
class Reader(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        return {"y": x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)}
reader = Reader()
tf.saved_model.save(reader, f"{folder}/reader", signatures={"serving_default": reader.serve})
from tensorflow.python.trackable import resource
class Writing(resource.CapturableResource):
    def _create_resource(self):
        return tf.constant(1)
    def _initialize(self):
        tf.io.write_file(f"{folder}/marker", "x")
class Loader(tf.Module):
    def __init__(self):
        super().__init__()
        self.writing = Writing()
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        return {"y": x * 2.0}
class Saver(tf.Module):
    def __init__(self):
        super().__init__()
        self.v = tf.Variable(2.0)
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        tf.raw_ops.SaveV2(prefix=f"{folder}/marker", tensor_names=["a"], shape_and_slices=[""], tensors=[x])
        return {"y": x * self.v}
class Trained(tf.Module):
    def __init__(self):
        super().__init__()
        self.v = tf.Variable(tf.random.stateless_normal((4, 3), (0, 1)))
        self.momentum = tf.Variable(tf.zeros((4, 3)))
        self.optimizer = tf.Module()
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        return {"y": x @ self.v}
class Constant(tf.Module):
    def __init__(self):
        super().__init__()
        self.scale = tf.random.stateless_normal((4, 3), (0, 2))  # a tensor, no variable: captured
        self.v = tf.Variable(tf.random.stateless_normal((3, 5), (0, 3)))
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        return {"z": x @ self.scale, "y": (x @ self.scale) @ self.v}
class Looked(tf.Module):
    def __init__(self):
        super().__init__()
        self.table = tf.random.stateless_normal((256, 5), (0, 4))
        self.v = tf.Variable(tf.random.stateless_normal((256, 3), (0, 5)))
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.int32, name="ids")])
    def serve(self, ids):
        sums = [tf.reduce_sum(tf.gather(table, ids), axis=1) for table in (self.table, self.v)]
        return {"constants": sums[0], "variables": sums[1]}
for name, kind in (("loader", Loader), ("saver", Saver), ("trained", Trained), ("constant", Constant), ("looked", Looked)):
    model = kind()
    tf.saved_model.save(model, f"{folder}/{name}", signatures={"serving_default": model.serve})
from tensorflow.core.protobuf import saved_model_pb2
path = f"{folder}/trained/saved_model.pb"
model = saved_model_pb2.SavedModel.FromString(open(path, "rb").read())
nodes = model.meta_graphs[0].object_graph_def.nodes  # as Keras 2 leaves them
child = {item.local_name: item.node_id for item in nodes[0].children}
slot = nodes[child["optimizer"]].slot_variables.add()
slot.original_variable_node_id, slot.slot_variable_node_id, slot.slot_name = child["v"], child["momentum"], "m"
open(path, "wb").write(model.SerializeToString())
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder of small TensorFlow models."""
    folder = tmp_path_factory.mktemp("tensorflow")
    python = interpreter("tf", folder / "environment.log")
    subprocess.run([python, "-c", SCRIPT, folder], check=True, capture_output=True)
    return folder


def test_a_saved_model_reaches_every_form_but_keras(reach, files):
    prepared = reach(files / "saved", *(form for form in FORMS if not form.endswith("-weights")))
    assert {"savedmodel", "tflite", "onnx", "exported", "jaxexport"} <= set(prepared.artifacts)
    quantised = {form: cause for form, cause in prepared.missing.items() if form.endswith("-int8")}
    assert set(prepared.missing) - set(quantised) == {"keras"}
    assert all("cannot be judged" in cause for cause in quantised.values())
    assert prepared.artifacts["onnx"].via == "tf2onnx"
    assert prepared.artifacts["exported"].via == "tf2onnx, onnx2torch"


def test_a_flatbuffer_is_litert_and_no_keras_file(reach, files, tmp_path):
    shutil.copy(reach(files / "saved", "tflite").artifacts["tflite"].path, tmp_path / "net.tflite")
    prepared = reach(tmp_path / "net.tflite", "tflite", "keras")
    assert set(prepared.artifacts) == {"tflite"}
    assert (
        prepared.missing["keras"]
        == "needs a Keras file, and no conversion leads there from a LiteRT flatbuffer"
    )
    assert prepared.artifacts["tflite"].inputs[0].shape == (None, 16, 16, 3)


def test_a_whole_model_in_hdf5(reach, files):
    prepared = reach(files / "net.h5", "keras", "savedmodel")
    assert set(prepared.artifacts) == {"keras", "savedmodel"}


def test_hdf5_files_that_are_refused(reach, files, tmp_path):
    with pytest.raises(
        ModelError, match=r"code.h5 has a Lambda layer, which runs code from the file; give --trust-model"
    ):
        reach(files / "code.h5", "keras")
    with pytest.raises(ModelError, match=r"only.weights.h5 holds weights without a model"):
        reach(files / "only.weights.h5", "keras")
    (tmp_path / "no.h5").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"no\.h5 is no HDF5 file"):
        reach(tmp_path / "no.h5", "keras")


def test_a_saved_model_that_reaches_out_needs_trust(reach, files):
    with pytest.raises(
        ModelError, match="reader has operator ReadFile, which reaches out of the model; give --trust-model"
    ):
        reach(files / "reader", "savedmodel")
    assert reach(files / "reader", "savedmodel", trust_model=True).artifacts


@pytest.mark.parametrize(("name", "operator"), [("loader", "WriteFile"), ("saver", "SaveV2")])
def test_a_saved_model_writes_nothing_when_loaded_or_run(reach, files, name, operator):
    """An initialiser ran before anything had been looked at; what saves a model was not known to write."""
    for left in files.glob("marker*"):
        left.unlink()
    with pytest.raises(ModelError, match=f"{name} has operator {operator}, which reaches out of the model"):
        reach(files / name, "savedmodel")
    assert not list(files.glob("marker*"))


def test_constants_that_a_signature_captured_are_no_inputs(reach, files):
    prepared = reach(files / "constant", "onnx")
    assert [item.name for item in prepared.artifacts["onnx"].inputs] == ["x"], prepared.missing


def test_weights_are_moved_whether_variables_or_constants(reach, files):
    checks = reach(files / "looked", "savedmodel").checks  # its inputs are whole numbers, which are not moved
    ambiguity = parity.Ambiguity.load(checks.ambiguity)
    assert all(
        np.any(moved != known)
        for moved, known in zip(ambiguity.kinds["moved"], ambiguity.reference, strict=True)
    )


def test_what_an_optimiser_kept_does_not_matter(reach, files):
    prepared = reach(files / "trained", "savedmodel", "tflite")
    assert set(prepared.artifacts) == {"savedmodel", "tflite"}, prepared.missing


def test_broken_files_are_one_line(reach, tmp_path):
    (tmp_path / "bad.tflite").write_bytes(b"nothing at all here")
    with pytest.raises(ModelError, match=r"LiteRT refuses bad.tflite: ") as raised:
        reach(tmp_path / "bad.tflite", "tflite")
    assert "\n" not in str(raised.value)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/saved_model.pb").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="folder cannot be loaded as a SavedModel"):
        reach(tmp_path / "folder", "savedmodel")
