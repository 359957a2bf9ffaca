"""SavedModels by strangers that would reach out of themselves, some of them where no operator looks like it."""

import subprocess
from pathlib import Path

import pytest

from inferometer.errors import ModelError
from steprunner import interpreter

pytestmark = pytest.mark.environment
FILES = Path(__file__).parents[1] / "support/fuzzing/tensorflow_files.py"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder of SavedModels, of which some would leave `ran` beside it."""
    folder = tmp_path_factory.mktemp("hostile") / "files"
    folder.mkdir()
    python = interpreter("tf", folder / "environment.log")
    subprocess.run([python, "-P", FILES, folder, folder.parent / "ran"], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("writing", "operator WriteFile"),
        ("loading", "operator WriteFile"),
        ("hidden", "operator WriteFile"),  # in what the file says that it saves with
        ("debugged", "operator DebugIdentity"),  # which TensorFlow takes for one without a state
        ("borrowing", r"\.\./\.\./words\.txt for an asset, which lies outside"),
    ],
)
def test_it_is_refused_and_leaves_no_mark(reach, files, name, told):
    with pytest.raises(ModelError, match=f"{name} has {told}.*give --trust-model if you trust it"):
        reach(files / name, "savedmodel")
    assert not list(files.parent.glob("ran*"))


def test_it_is_run_where_it_is_trusted(reach, files):
    assert reach(files / "debugged", "savedmodel", trust_model=True).artifacts
    assert list(files.parent.glob("ran*")), "what is refused above does nothing"


def test_a_table_with_a_file_of_words_beside_it_is_read(reach, files):
    assert reach(files / "looked", "savedmodel").artifacts
