"""Every script under benchmarks/ still finds what it imports from the project."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(path for path in BENCHMARKS.rglob("*.py") if "\ndef main(" in path.read_text())


@pytest.fixture(autouse=True)
def _modules_as_before():
    """Undo what scripts that stand in for a package leave behind; what else was imported (numpy) may not be twice."""
    before = dict(sys.modules)
    yield
    for name in set(sys.modules) - set(before):
        file = getattr(sys.modules[name], "__file__", None)
        if file is None or Path(file).is_relative_to(BENCHMARKS):
            del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(BENCHMARKS).as_posix())
def test_a_script_imports(script, monkeypatch):
    monkeypatch.syspath_prepend(str(script.parent))
    # a module of the same name may have been imported from another folder
    for sibling in script.parent.glob("*.py"):
        sys.modules.pop(sibling.stem, None)
    name = f"script_{script.stem}"  # some share their name with what they import
    spec = importlib.util.spec_from_file_location(name, script)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.main)


def test_scripts_were_found():
    assert len(SCRIPTS) > 20
