"""Files of models by strangers, that others made: ONNX, Keras and PyTorch."""

from __future__ import annotations

import json
import os
import pickle
import random
import struct
import subprocess
from pathlib import Path

from fuzzing.model_files import ModelFiles
from fuzzing.mutation import bytes_of, json_of, zip_of
from fuzzing.protobuf import message_of
from steprunner import interpreter, write_onnx

_TESTS = Path(__file__).parents[2] / "models"
_KERAS = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
for place, path in enumerate(sys.argv[1:]):
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    keras.Model(image, keras.layers.Dense(5)(x)).save(path)
"""


class _Touch:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self._marker}",)


class OnnxFiles(ModelFiles):
    name = "ONNX"

    def _written(self, folder: Path) -> dict[Path, dict]:
        write_onnx(folder)
        names = ("two", "shifted", "fixed", "image", "quantised", "half", "weights8")
        return {folder / f"{name}.onnx": {"shapes": {"seq": 3}} if name == "two" else {} for name in names}

    def _changed(self, chance: random.Random, file: Path) -> bytes:
        return (
            message_of(chance, file.read_bytes())
            if chance.random() < 0.85
            else bytes_of(chance, file.read_bytes())
        )


class _ArchivedFiles(ModelFiles):
    """Members of archives that are changed, or that are pickles which would touch a file."""

    def _inner(self, chance: random.Random, data: bytes) -> bytes:
        hostile = pickle.dumps(_Touch(self._marker), protocol=2)
        kind = chance.random()
        return hostile if kind < 0.1 else json_of(chance, data) if kind < 0.8 else bytes_of(chance, data)


class KerasFiles(_ArchivedFiles):
    name = "Keras"

    def _written(self, folder: Path) -> dict[Path, dict]:
        python = interpreter("tf", folder / "environment.log")
        files = {folder / "small.keras": {}, folder / "small.h5": {}}
        subprocess.run([python, "-c", _KERAS, *files], check=True, capture_output=True)
        return files

    def _changed(self, chance: random.Random, file: Path) -> bytes:
        data = file.read_bytes()
        if file.suffix == ".keras":
            return zip_of(chance, data, self._inner)
        return bytes_of(chance, data) if chance.random() < 0.5 else _configuration(chance, data)


def _configuration(chance: random.Random, data: bytes) -> bytes:
    """Return an HDF5 file with a change in the JSON that it keeps of its model, of the same length."""
    start = data.index(b'{"class_name"')
    _, end = json.JSONDecoder().raw_decode(data[start:].decode("latin-1"))
    text = data[start : start + end]
    for _ in range(20):
        changed = json_of(chance, text)
        if len(changed) <= end:
            return data[:start] + changed.ljust(end) + data[start + end :]
    return bytes_of(chance, data)


class TorchFiles(_ArchivedFiles):
    name = "pt2, TorchScript and weights of PyTorch"

    def _written(self, folder: Path) -> dict[Path, dict]:
        python = interpreter("torch-models", folder / "environment.log")
        subprocess.run([python, _TESTS / "torch_files.py", folder, "torch"], check=True, capture_output=True)
        resnet = {"architecture": "timm:test_resnet"}
        programs = {folder / f"{name}.pt2": {} for name in ("two", "limited", "halved")}
        script = {folder / "script.pt": {"shapes": {"x.1": 3, "x.2": 16, "x.3": 16}}}
        return {
            **programs,
            **script,
            folder / "bare.pth": resnet,
            folder / "safe.safetensors": resnet,
            folder / "wrapped.pt": resnet,
        }

    def _changed(self, chance: random.Random, file: Path) -> bytes:
        data = file.read_bytes()
        if file.suffix != ".safetensors":
            return zip_of(chance, data, self._inner)
        size = struct.unpack_from("<Q", data)[0]
        if chance.random() < 0.3:
            return bytes_of(chance, data)
        head = json_of(chance, data[8 : 8 + size])
        told = len(head) if chance.random() < 0.9 else chance.choice((0, 1, 2**40, 2**64 - 1))
        return struct.pack("<Q", told) + head + data[8 + size :]
