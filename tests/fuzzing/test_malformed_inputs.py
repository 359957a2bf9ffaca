"""Malformed inputs by seed for every reader: read, or refused in one line (`benchmarks/fuzz.py` runs many more)."""

import pytest

from fuzzing.command_line import CommandLine
from fuzzing.csvs import CsvFiles
from fuzzing.models import KerasFiles, OnnxFiles, TorchFiles
from fuzzing.pictures import Pictures
from fuzzing.rows import DataSets, InputRows
from fuzzing.runs import RunDirectories
from fuzzing.tensorflow_models import LiteRtFiles, SavedModels

# of which no smaller test could be made; pictures: a PNG that claims gigabytes, a WebP with EXIF data of wrong types
ONCE_FAILED = {KerasFiles: (268,), TorchFiles: (1_001_847,), Pictures: (1_000_513, 1_004_068)}


def faults_of(read, count):
    outcomes = {seed: read(seed) for seed in (*range(count), *ONCE_FAILED.get(type(read), ()))}
    kinds = {outcome.kind for outcome in outcomes.values()}
    assert {"read", "refused"} <= kinds, "these inputs try too little"
    return {seed: outcome for seed, outcome in outcomes.items() if not outcome.fine}


@pytest.mark.parametrize(
    ("reader", "count"),
    [
        (CommandLine, 120),
        (RunDirectories, 100),
        (CsvFiles, 100),
        (InputRows, 60),
        (DataSets, 40),
        (Pictures, 60),
    ],
)
def test_readers_of_this_process(tmp_path, reader, count):
    assert not faults_of(reader(tmp_path), count)


@pytest.mark.environment
@pytest.mark.parametrize(
    ("reader", "count"),
    [(OnnxFiles, 40), (KerasFiles, 20), (TorchFiles, 20), (SavedModels, 20), (LiteRtFiles, 40)],
)
def test_readers_in_environments(tmp_path, reader, count):
    read = reader(tmp_path)
    try:
        assert not faults_of(read, count)
    finally:
        read.close()
