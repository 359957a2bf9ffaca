"""The Python examples of docs/energy.md run as they stand; docs/formats.md has the columns that are written."""

import subprocess
import sys

import pytest

from documented import DOCS, examples
from inferometer.energy.regions import results
from inferometer.energy.tools import measure

EXAMPLES = examples("energy.md")


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example(code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("columns", [results.COLUMNS, measure.COLUMNS], ids=["regions", "measure"])
def test_the_columns_are_those_that_are_written(columns):
    assert f"\n    {','.join(columns)}\n" in (DOCS / "formats.md").read_text()


def test_there_are_examples():
    assert len(EXAMPLES) == 3
