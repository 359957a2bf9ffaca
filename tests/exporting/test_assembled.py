"""infer.py as text: for every template one file that compiles, imports no inferometer, and is short enough to read."""

import ast
import re
from pathlib import Path

import pytest

from inferometer.errors import UsageError
from inferometer.exporting import settings
from inferometer.exporting.assembled import FOLDER, assemble, literal
from inferometer.frameworks.catalogue import FRAMEWORKS, parse_choice
from inferometer.models.contract import Artifact
from inferometer.records import Cell

TEMPLATES = sorted(path.stem for path in FOLDER.glob("*.py") if "class Model" in path.read_text())
PARTS = {"program": ("program_quantised",), "tensorflow_host": ("tensorflow_cuda",)}
MOST_LINES = 296  # of a row of a GPU: page-locked memory and graphs; of the CPU at most 241


def with_parts(name):
    """Return a template's text with the parts that it has, and with each that may take the place of one."""
    constants = {"BATCH": 8, "THREADS": 3, "ARTIFACT": 'a "b".onnx'}
    yield assemble(name, constants)
    for part, others in PARTS.items():
        if f"templates.{part} import" in (FOLDER / f"{name}.py").read_text():
            yield from (assemble(name, constants, {part: other}) for other in others)


ASSEMBLED = [(name, text) for name in TEMPLATES for text in with_parts(name)]


@pytest.mark.parametrize(("name", "text"), ASSEMBLED)
def test_a_template_becomes_one_file_without_inferometer(name, text):
    tree = ast.parse(text)
    imported = {
        alias.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert not [module for module in imported if module.startswith("inferometer")]
    assert "BATCH = 8  # rows a batch" in text and "\nTHREADS = 3\n" in text
    assert [node.name for node in tree.body if isinstance(node, ast.ClassDef)][-1] == "Model"
    names = [node.name for node in tree.body if hasattr(node, "name")]
    assert {"kept", "batches", "check", "bench", "main"} <= set(names) and len(names) == len(set(names))
    assert len(text.splitlines()) <= MOST_LINES


def test_threads_are_set_before_numpy_is_imported():
    text = assemble("onnxruntime", {})
    assert text.index("os.environ[_name]") < text.index("import numpy as np") < text.index("class Model")
    assert text.count("import numpy") == 1


def test_a_constant_that_no_template_has_is_an_error_of_ours():
    with pytest.raises(KeyError, match="onnxruntime has no constant XLA"):
        assemble("onnxruntime", {"XLA": True})


def test_a_part_can_be_exchanged():
    assert "config.freezing" not in assemble("torch_aot", {})
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


def test_other_modes_are_refused_with_their_reason():
    with pytest.raises(UsageError, match="mode 'device'"):
        settings.refuse(Cell("m", "torch", "fp32", 1, "cpu", "device"), parse_choice("torch"))


def row(label, precision, form="exported", device="cuda:0"):
    cell = Cell("m", label, precision, 8, device)
    return settings.Row(
        cell, parse_choice(label), Artifact(form, Path("model"), (), (), "NCHW", "h", {}), threads=16
    )


GPU_ROWS = [
    (label, precision, form)
    for name, framework in FRAMEWORKS.items()
    if "cuda" in framework.devices and not framework.only_given and "tensorrt" not in name
    for precision in framework.precisions["cuda"]
    for label in (name, *(f"{name}:{each}" for each, variant in framework.variants.items() if not variant.takes))
    for form in (("keras",) if precision in ("fp16", "bf16") and name in ("tf", "tfxla") else (framework.form, *framework.other_forms))
]  # fmt: skip


@pytest.mark.parametrize(("label", "precision", "form"), GPU_ROWS)
def test_every_row_of_a_gpu_becomes_a_program(label, precision, form):
    found = settings.settings_of(row(label, precision, form))
    text = assemble(found.template, found.constants, found.parts)
    compile(text, label, "exec")
    assert '\nDEVICE = "cuda"\n' in text and "/CPU:0" not in text and 'device("cpu")' not in text


@pytest.mark.parametrize(
    ("label", "precision", "lines"),
    [
        ("torch", "tf32", ['PRECISION = "float32"', "TF32 = True", "COMPILE = False"]),
        ("torch:cudagraph", "fp16", ['PRECISION = "float16"', "TF32 = False", "GRAPH = True"]),
        ("torch:naive", "fp32", ["COPIED = True", "TF32 = False"]),
        ("torch-compile:reduce-overhead", "bf16", ["COMPILE = True", 'MODE = "reduce-overhead"']),
        ("torch-compile:max-autotune", "fp32", ['MODE = "max-autotune-no-cudagraphs"']),
        ("onnxrt", "fp16", ["HALF = True", "TF32 = False", "COPIED = False"]),
        ("onnxrt:naive", "tf32", ["HALF = False", "TF32 = True", "COPIED = True"]),
        ("onnxrt:cudagraph", "fp32", ["GRAPH = True"]),
        ("jax", "tf32", ['PRODUCTS = "tensorfloat32"', "PIECES = 8"]),
        ("jax:naive", "fp32", ['PRODUCTS = "highest"', "PIECES = 1"]),
        ("kerasxla", "tf32", ["XLA = True", "TF32 = True", "SHARED = True"]),
        ("tf:naive", "fp32", ["XLA = False", "TF32 = False", "SHARED = False"]),
    ],
)
def test_a_program_for_a_gpu_is_set_as_its_row_was(label, precision, lines):
    form = (
        "keras"
        if label.startswith(("jax", "keras"))
        else "savedmodel"
        if label.startswith("tf")
        else "exported"
    )
    found = settings.settings_of(row(label, precision, form))
    text = assemble(found.template, found.constants, found.parts)
    for line in lines:
        assert re.search(rf"^{re.escape(line)}(  #|$)", text, re.M), line


@pytest.mark.parametrize(("name", "text"), ASSEMBLED)
def test_every_constant_that_is_used_is_there(name, text):
    """A constant that is computed would be left out: only literals are carried over."""
    names = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    used = {node.id for node in names if isinstance(node.ctx, ast.Load) and node.id.isupper()}
    assert used <= {node.id for node in names if isinstance(node.ctx, ast.Store)}
