"""LiteRT flatbuffers that are none, or stop where they are asked, run or counted: one line that names the file."""

import struct
import subprocess
from pathlib import Path

import pytest

from inferometer.errors import ModelError
from steprunner import interpreter

pytestmark = pytest.mark.environment
FILES = Path(__file__).parents[1] / "support/fuzzing/tensorflow_files.py"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder of small flatbuffers."""
    folder = tmp_path_factory.mktemp("flatbuffers")
    python = interpreter("tf", folder / "environment.log")
    subprocess.run([python, "-P", FILES, folder, folder / "ran"], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("mixed", b"TFL3", b"TFL4", "ValueError: The model is not a valid Flatbuffer buffer"),
        (
            "convolved",
            b"serving_default_image",
            b"serving_default_imag\xff",
            "UnicodeDecodeError: 'utf-8' codec",
        ),
        (
            "mixed",
            struct.pack("<4i", 12, 0, 2, 1),
            struct.pack("<4i", 12, 0, 99, 1),
            "RuntimeError: .*gather index out of bounds",
        ),
    ],
)
def test_it_is_refused_in_one_line(reach, files, tmp_path, name, old, new, told):
    content = (files / f"{name}.tflite").read_bytes()
    assert old in content
    (tmp_path / "bad.tflite").write_bytes(content.replace(old, new))
    with pytest.raises(ModelError, match=f"LiteRT refuses bad.tflite: {told}") as raised:
        reach(tmp_path / "bad.tflite", "tflite")
    assert "\n" not in str(raised.value)


def test_the_whole_ones_are_read(reach, files):
    assert all(
        reach(files / f"{name}.tflite", "tflite").artifacts for name in ("convolved", "mixed", "turning")
    )
