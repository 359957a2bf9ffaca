"""Every script under benchmarks/ still finds what it imports from the project."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(path for path in BENCHMARKS.rglob("*.py") if "\ndef main(" in path.read_text())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(BENCHMARKS).as_posix())
def test_a_script_imports(script, monkeypatch):
    monkeypatch.syspath_prepend(str(script.parent))
    # a module of the same name may have been imported from another folder
    for sibling in script.parent.glob("*.py"):
        monkeypatch.delitem(sys.modules, sibling.stem, raising=False)
    name = f"script_{script.stem}"  # some share their name with what they import
    spec = importlib.util.spec_from_file_location(name, script)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    assert callable(module.main)


def test_scripts_were_found():
    assert len(SCRIPTS) > 20
