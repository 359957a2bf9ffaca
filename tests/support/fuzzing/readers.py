"""Every reader that is fuzzed."""

from __future__ import annotations

from fuzzing.command_line import CommandLine
from fuzzing.csvs import CsvFiles
from fuzzing.models import KerasFiles, OnnxFiles, TorchFiles
from fuzzing.pictures import Pictures
from fuzzing.rows import DataSets, InputRows
from fuzzing.runs import RunDirectories
from fuzzing.tensorflow_models import LiteRtFiles, SavedModels

IN_PROCESS = (CommandLine, RunDirectories, CsvFiles, InputRows, DataSets, Pictures)
IN_ENVIRONMENTS = (OnnxFiles, KerasFiles, TorchFiles, SavedModels, LiteRtFiles)
READERS = (*IN_PROCESS, *IN_ENVIRONMENTS)
