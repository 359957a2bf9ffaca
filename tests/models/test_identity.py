"""What the hash of a model tells apart."""

import json
import zipfile

import numpy as np

from inferometer.models.identity import identity
from inferometer.models.sources import Source
from inferometer.models.sources.keras import architecture

SPEC = {"name": "ids", "shape": [None, 64], "dtype": "int64"}


def rows(path, array):
    np.savez(path, ids=array)
    return path


def test_content_shapes_and_rows_each_tell_models_apart(tmp_path):
    zeros, ones = (rows(tmp_path / f"{n}.npz", np.full((4, 64), n)) for n in (0, 1))
    again = rows(tmp_path / "again.npz", np.zeros((4, 64), int))
    first = identity("content", [SPEC], zeros)
    assert first == identity("content", [dict(SPEC)], again)
    longer = {**SPEC, "shape": [None, 2048]}
    others = [("other", [SPEC], zeros), ("content", [longer], zeros), ("content", [SPEC], ones)]
    assert len({first, *(identity(*other) for other in others)}) == 4


def test_a_keras_file_is_told_by_its_configuration_not_by_when_it_was_saved(tmp_path):
    def saved(name, activation, date):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps({"layers": [activation]}))
            archive.writestr("metadata.json", json.dumps({"date_saved": date}))
        return architecture(Source("keras", "m", "keras", ("tf",), file=path))

    assert saved("a.keras", "relu", "1") == saved("b.keras", "relu", "2") != saved("c.keras", "gelu", "1")
