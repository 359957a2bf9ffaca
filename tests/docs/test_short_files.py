"""A file that is read at one sitting: 300 lines at most."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST = 300


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks"])
def test_no_file_is_long(folder):
    files = [path for kind in ("py", "js", "css", "html") for path in (ROOT / folder).rglob(f"*.{kind}")]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert files and {path.name: count for path, count in lines.items() if count > MOST} == {}


def test_no_two_test_files_have_one_name():
    """Pytest would refuse the second."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert names and {name for name in names if names.count(name) > 1} == set()
