"""Keras files that HDF5 never comes to an end with, and models that load and cannot be called."""

import json
import subprocess
import zipfile

import pytest

from inferometer.errors import ModelError
from steprunner import interpreter

pytestmark = pytest.mark.environment
WRITE = (
    "import h5py, sys\nwith h5py.File(sys.argv[1], 'w') as file:\n    file.attrs['backend'] = 'tensorflow'"
)

NORMALISED = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
image = keras.Input((8, 8, 3))
x = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(image))
keras.Model(image, keras.layers.Dense(5)(x)).save(sys.argv[1])
"""


@pytest.fixture
def endless(tmp_path):
    """Return the content of an HDF5 file whose heap says that its first object is 16 bytes smaller than nothing."""
    python = interpreter("tf", tmp_path / "environment.log")
    file = tmp_path / "whole.h5"
    subprocess.run([python, "-c", WRITE, file], check=True)
    content = bytearray(file.read_bytes())
    size = content.index(b"GCOL") + 24
    content[size : size + 8] = (2**64 - 16).to_bytes(8, "little")
    return bytes(content)


def rewritten(source, target, **changed):
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w") as written:
        for name in read.namelist():
            change = changed.get(name.replace(".", "_"), lambda content: content)
            written.writestr(name, change(read.read(name)))
    return target


def test_a_file_that_hdf5_reads_for_ever_is_refused(reach, endless, tmp_path):
    file = tmp_path / "endless.h5"
    file.write_bytes(endless)
    with pytest.raises(ModelError, match=r"endless.h5 is damaged: HDF5 was not through with it after 10 s"):
        reach(file, "keras")


def test_so_are_weights_inside_a_keras_file(reach, tiny, endless, tmp_path):
    file = rewritten(tiny("cnn"), tmp_path / "endless.keras", model_weights_h5=lambda content: endless)
    with pytest.raises(ModelError, match=r"endless.keras is damaged: HDF5 was not through with it"):
        reach(file, "keras")


def test_a_model_that_cannot_be_called_is_refused_without_letters_for_a_terminal(reach, tmp_path):
    def masked(content):
        config = json.loads(content)
        norm = next(one for one in config["config"]["layers"] if one["class_name"] == "BatchNormalization")
        norm["inbound_nodes"][0]["kwargs"]["mask"] = True
        return json.dumps(config).encode()

    python = interpreter("tf", tmp_path / "environment.log")
    subprocess.run([python, "-c", NORMALISED, tmp_path / "whole.keras"], check=True, capture_output=True)
    file = rewritten(tmp_path / "whole.keras", tmp_path / "masked.keras", config_json=masked)
    with pytest.raises(ModelError, match="the Keras model cannot be called: AttributeError: ") as error:
        reach(file, "keras")
    assert "\x1b" not in str(error.value)
    assert "x1b" not in str(error.value)
