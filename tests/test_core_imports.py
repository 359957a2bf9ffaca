"""The core imports the standard library and what it declares: no framework, whichever comes next, outside what runs in a venv of its own."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src/inferometer"
IN_A_FRAMEWORKS_VENV = ("worker", "models/steps", "exporting/templates")
COME_ALONG = {"markupsafe": "jinja2", "grpc": "ray"}  # with which package
ONLY_WHERE_IT_IS = {"amdsmi", "IPython"}  # of AMD's driver; of the notebook that inferometer is used in


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared():
    """Return the distributions that pyproject.toml names for users, extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {**project["optional-dependencies"], "dev": []}
    lines = [*project["dependencies"], *(line for extra in extras.values() for line in extra)]
    return {normalised(re.match(r"[\w.-]+", line)[0]) for line in lines}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_the_core_imports_no_framework():
    distributions, known = metadata.packages_distributions(), declared()
    left_out = tuple(PACKAGE / folder for folder in IN_A_FRAMEWORKS_VENV)
    core = [path for path in PACKAGE.rglob("*.py") if not any(path.is_relative_to(each) for each in left_out)]
    foreign = {
        (name, str(path.relative_to(ROOT)))
        for path in core
        for name in imported(path)
        if name not in sys.stdlib_module_names | {"inferometer"} | ONLY_WHERE_IT_IS
        and COME_ALONG.get(name) not in known
        and not known & {normalised(each) for each in distributions.get(name, ())}
    }
    assert len(core) > 400 and foreign == set()
