"""infer.py as text: for every template one file that compiles, imports no inferometer, and is short enough to read."""

import ast

import pytest

from inferometer.errors import UsageError
from inferometer.exporting import settings
from inferometer.exporting.assembled import FOLDER, assemble, literal
from inferometer.frameworks.catalogue import FRAMEWORKS, parse_choice
from inferometer.records import Cell

PARTS = ("__init__", "shared", "program", "program_lowered", "program_quantised")
TEMPLATES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in PARTS)
MOST_LINES = 190  # of OpenCV's, which takes the backend's own part; the others have 119 to 156


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_becomes_one_file_without_inferometer(name):
    text = assemble(name, {"BATCH": 8, "THREADS": 3, "ARTIFACT": 'a "b".onnx'})
    tree = ast.parse(text)
    imported = {
        alias.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert not [module for module in imported if module.startswith("inferometer")]
    assert "BATCH = 8  # rows a batch" in text and "\nTHREADS = 3\n" in text
    assert [node.name for node in tree.body if isinstance(node, ast.ClassDef)] == ["Model"]
    assert {"kept", "batches", "check", "bench", "main"} <= {getattr(node, "name", "") for node in tree.body}
    assert len(text.splitlines()) <= MOST_LINES


def test_threads_are_set_before_numpy_is_imported():
    text = assemble("onnxruntime", {})
    assert text.index("os.environ[_name]") < text.index("import numpy as np") < text.index("class Model")
    assert text.count("import numpy") == 1


def test_a_constant_that_no_template_has_is_an_error_of_ours():
    with pytest.raises(KeyError, match="onnxruntime has no constant XLA"):
        assemble("onnxruntime", {"XLA": True})


def test_a_part_can_be_exchanged():
    assert "module_of" not in assemble("torch", {})
    assert "def module_of" in assemble("torch", {}, {"program": "program_lowered"})
    quantised = assemble("torch_aot", {"INDUCTOR": True}, {"program": "program_quantised"})
    assert "config.freezing = INDUCTOR" in quantised and quantised.count("import importlib") <= 1


@pytest.mark.parametrize("value", ["a\"b\\c\n'", ["x", "é"], {"k": [1, 2.5, True, None]}, -3, 1e-9])
def test_a_literal_is_read_back_as_it_was(value):
    assert ast.literal_eval(literal(value)) == value


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_framework_has_a_template_or_a_reason(name):
    choice = parse_choice(name)
    cell = Cell("m", name, "fp32", 1, choice.framework.devices[0])
    if "cpu" in choice.framework.devices:
        settings.refuse(cell, choice)
        return
    with pytest.raises(UsageError, match="cannot be exported: TensorRT's libraries"):
        settings.refuse(cell, choice)


@pytest.mark.parametrize(
    ("device", "mode", "told"), [("cpu", "device", "mode 'device'"), ("cuda:0", "host", "rows of the CPU")]
)
def test_other_modes_and_devices_are_refused_with_their_reason(device, mode, told):
    with pytest.raises(UsageError, match=told):
        settings.refuse(Cell("m", "torch", "fp32", 1, device, mode), parse_choice("torch"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_constant_that_is_used_is_there(name):
    """A constant that is computed would be left out: only literals are carried over."""
    names = [node for node in ast.walk(ast.parse(assemble(name, {}))) if isinstance(node, ast.Name)]
    used = {node.id for node in names if isinstance(node.ctx, ast.Load) and node.id.isupper()}
    assert used <= {node.id for node in names if isinstance(node.ctx, ast.Store)}
