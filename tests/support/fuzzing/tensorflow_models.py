"""TensorFlow's own files by strangers: SavedModel folders, and LiteRT flatbuffers."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

from fuzzing.flatbuffer import flatbuffer_of
from fuzzing.model_files import ModelFiles
from fuzzing.mutation import bytes_of
from fuzzing.protobuf import message_of
from steprunner import interpreter


class _TensorFlowFiles(ModelFiles):
    def _written(self, folder: Path) -> dict[Path, dict]:
        python = interpreter("tf", folder / "environment.log")
        script = Path(__file__).with_name("tensorflow_files.py")
        subprocess.run([python, "-P", script, folder, self._marker], check=True, capture_output=True)
        return {path: {} for path in sorted(folder.iterdir()) if self._is_whole(path)}

    def _is_whole(self, path: Path) -> bool:
        raise NotImplementedError


class SavedModels(_TensorFlowFiles):
    """Of the whole ones some would touch a file, where they are loaded or called."""

    name = "SavedModel"

    def _is_whole(self, path: Path) -> bool:
        return path.is_dir()

    def _copied(self, chance: random.Random, whole: Path) -> Path:
        folder = self._folder / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        others = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent != folder]
        file = folder / "saved_model.pb" if chance.random() < 0.75 or not others else chance.choice(others)
        kind = chance.random()
        if kind < 0.02:
            file.unlink()
        elif kind < 0.03:
            shutil.rmtree(folder / "variables", ignore_errors=True)
        elif kind < 0.04:
            file.unlink()
            os.mkfifo(file)
        elif kind < 0.05:
            file.unlink()
            file.symlink_to(chance.choice(("/dev/zero", "/proc/self/mem", "saved_model.pb", "nowhere")))
        else:
            file.write_bytes(self._changed(chance, file))
        return folder

    def _changed(self, chance: random.Random, file: Path) -> bytes:
        change = message_of if file.suffix == ".pb" and chance.random() < 0.85 else bytes_of
        return change(chance, file.read_bytes())


class LiteRtFiles(_TensorFlowFiles):
    name = "LiteRT"

    def _is_whole(self, path: Path) -> bool:
        return path.suffix == ".tflite"

    def _changed(self, chance: random.Random, file: Path) -> bytes:
        change = flatbuffer_of if chance.random() < 0.85 else bytes_of
        return change(chance, file.read_bytes())
