"""Rows of the user's own: `.npz` and `.npy` for a model's inputs, and data sets of rows with answers."""

from __future__ import annotations

import io
import random
import shutil
from pathlib import Path

import numpy as np

from fuzzing.mutation import bytes_of, zip_of, zipped
from fuzzing.outcome import Outcome, outcome_of
from inferometer.models.datasets.arrays import Interface, shards_of
from inferometer.models.datasets.found import Arrays
from inferometer.models.steps import given, tensors

X = np.arange(24, dtype=np.float32).reshape(6, 4)
IDS = np.arange(12).reshape(6, 2)
SPECS = [
    {"name": "x", "shape": [None, 4], "dtype": "float32"},
    {"name": "ids", "shape": [None, 2], "dtype": "int64"},
]
_SHAPES = (
    "()", "(0,)", "(0, 4)", "(6, 0)", "(-1, 4)", "(6, 4, 1)", "(4611686018427387904, 4)", "(6, 18446744073709551617)", "(True, 4)",
    "(6,) * 9", "(1,) * 70", "(6, 4.0)", "('a',)", "None",
)  # fmt: skip
_TYPES = (
    "<f4", ">f4", "|O", "|V4", "<U9", "|S0", "<M8[s]", "<c16", "|b1", "<f2", "[('a', '<f4')]", "x", "<f4999999999", "(2,)f4", "", "|V0",
)  # fmt: skip


def array(values) -> bytes:
    """Return an array as `numpy.save` writes it."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def array_of(chance: random.Random, data: bytes) -> bytes:
    """Return a saved array with another head, or changed anywhere."""
    if chance.random() < 0.4:
        return bytes_of(chance, data)
    head = {
        "descr": repr(chance.choice(_TYPES)) if chance.random() < 0.5 else "'<f4'",
        "fortran_order": chance.choice(("False", "True", "1", "None")),
        "shape": chance.choice(_SHAPES) if chance.random() < 0.7 else "(6, 4)",
    }
    if chance.random() < 0.1:
        head[chance.choice(("descr", "shape", "more"))] = chance.choice(
            ("(" * 3000, "__import__('os')", "{" * 200 + "}" * 200)
        )
    text = ("{" + ", ".join(f"'{key}': {value}" for key, value in head.items()) + "}\n").encode()
    version = chance.choice((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"))
    size = len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    numbers = (
        data[-96:]
        if chance.random() < 0.8
        else chance.choice((b"", data[-95:], b"\xff" * 96, b"\xff" * 50_000))
    )
    return b"\x93NUMPY" + version + size + text + numbers


class InputRows:
    """What `--input` and `--calibration` name."""

    name = "npz and npy of inputs"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "rows"
        self._whole = zipped([("x.npy", array(X)), ("ids.npy", array(IDS))])

    def __call__(self, seed: int) -> Outcome:
        chance = random.Random(seed)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        specs, path = SPECS, self._folder / "rows.npz"
        kind = chance.randrange(3)
        if kind == 0:
            path = path.with_suffix(".npy")
            path.write_bytes(array_of(chance, array(X)))
            specs = SPECS[:1]
        elif kind == 1:
            (self._folder / "x.npy").write_bytes(array_of(chance, array(X)))
            (self._folder / chance.choice(("ids.npy", "more.npy"))).write_bytes(array(IDS))
            path = self._folder
        else:
            path.write_bytes(zip_of(chance, self._whole, array_of))
        return outcome_of(lambda: _taken(path, specs), (ValueError,))


def _taken(path: Path, specs) -> None:
    given.shapes(str(path), [spec["name"] for spec in specs])
    tensors.read_npz(str(path), specs)


class DataSets:
    """What `--dataset` names, where it is an `.npz`."""

    name = "npz of a data set"
    _models = (
        Interface(SPECS[:1], [(3,)], ""),
        Interface(SPECS[:1], [(4,)], ""),
        Interface(SPECS[:1], [()], ""),
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "sets"
        answers = (np.arange(6) % 3, X, X[:, 0])
        self._whole = [zipped([("x.npy", array(X)), ("y.npy", array(values))]) for values in answers]

    def __call__(self, seed: int) -> Outcome:
        chance = random.Random(seed)
        shutil.rmtree(self._folder, ignore_errors=True)
        (self._folder / "shards").mkdir(parents=True)
        path = self._folder / "rows.npz"
        kind = chance.randrange(len(self._whole))
        path.write_bytes(zip_of(chance, self._whole[kind], array_of))
        model = self._models[kind]
        return outcome_of(
            lambda: [*shards_of(Arrays(path), model, None, self._folder / "shards").parts] and None
        )
