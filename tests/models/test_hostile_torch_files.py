"""PyTorch files of strangers: one line each, and nothing in them runs."""

import subprocess
from pathlib import Path

import pytest

from inferometer.errors import ModelError
from inferometer.models.steps import pt2_guard
from steprunner import interpreter

WRITTEN_BY_TORCH = (
    "Symbol('s77', positive=True, integer=True)",
    "Mul(Integer(8), Max(Integer(1), Add(Symbol('s0', positive=True, integer=True), Integer(-2))))",
    "Pow(Symbol('s0', integer=True), Integer(2))",
    "Pow(Symbol('s0', integer=True), Rational(1, 2))",
    "FloorDiv(Add(Symbol('u0', integer=True), Integer(1)), Integer(2))",
    "Float('1.5', precision=53)",
    "int_oo",
)
NOT_WRITTEN_BY_TORCH = (
    "__import__('os').system('true')",
    "Symbol('s0').__class__",
    "Symbol('s0; import os')",
    "(lambda: 1)()",
    "[x for x in ()]",
    "Add(Integer(1), open('x'))",
    "Pow(Integer(10), Integer(1000000000))",
    "Pow(Pow(Integer(10), Integer(8)), Integer(8))",
    "Integer(10**100)",
    "getattr(Symbol, 'x')",
    "Add(",
)


@pytest.mark.parametrize("text", WRITTEN_BY_TORCH)
def test_sizes_as_torch_writes_them(text):
    assert pt2_guard.is_size(text)


@pytest.mark.parametrize("text", NOT_WRITTEN_BY_TORCH)
def test_anything_else_is_no_size(text):
    assert not pt2_guard.is_size(text)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Return a folder of hostile files, and the path that they would write to."""
    folder = tmp_path_factory.mktemp("hostile")
    marker = folder / "ran"
    python = interpreter("torch-models", folder / "environment.log")
    script = Path(__file__).with_name("hostile_torch_files.py")
    subprocess.run([python, script, folder, marker], check=True, capture_output=True)
    assert not marker.exists()
    return folder, marker


@pytest.mark.environment
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("inputs", r"inputs.pt2 may run code: a pickle of posix.system; give --trust-model"),
        ("weights", r"weights.pt2 may run code: a pickle of posix.system"),
        ("constants", r"constants.pt2 may run code: a pickled object"),
        ("sizes", r"sizes.pt2 may run code: the size expression .*system"),
        ("power", r"power.pt2 may run code: the size expression 'Pow"),
        ("names", r"names.pt2 may run code: the name 'relu = |names.pt2 may run code: the name \"relu = "),
        ("calls", r"calls.pt2 may run code: the function 'torch.hub.load'"),
        ("operator", r"operator.pt2 needs the operator strange::relu"),
        ("library", r"library.pt2 may run code: a compiled library"),
        ("huge", r"huge.pt2 is no exported program: RuntimeError: .*can't allocate memory"),
        ("nested", r"nested.pt2 is no exported program: RecursionError"),
        ("torn", r"torn.pt2 is no exported program: "),
    ],
)
def test_programs(reach, hostile, name, told):
    folder, marker = hostile
    with pytest.raises(ModelError, match=told) as error:
        reach(folder / f"{name}.pt2", "exported")
    assert "\n" not in str(error.value)
    assert not marker.exists()


@pytest.mark.environment
def test_guards_of_a_program_are_torchs_own(reach, hostile):
    folder, marker = hostile
    assert set(reach(folder / "guards.pt2", "exported").artifacts) == {"exported"}
    assert not marker.exists()


@pytest.mark.environment
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("saves", r"saves.pt has code that reaches beyond its tensors \(save\); give --trust-model"),
        ("operator", r"operator.pt needs the custom operator strange::relu"),
    ],
)
def test_scripts(reach, hostile, name, told):
    folder, marker = hostile
    with pytest.raises(ModelError, match=told):
        reach(folder / f"{name}.pt", "exported", shapes={"x.1": 3})
    assert not marker.exists()


@pytest.mark.environment
def test_code_beside_a_configuration_and_in_weights(reach, hostile):
    folder, marker = hostile
    with pytest.raises(
        ModelError, match=r"would run code beside its configuration \(code\); give --trust-model"
    ):
        reach(f"hf:{folder / 'own_code'}", "exported")
    with pytest.raises(
        ModelError, match=r"weights.pth is a pickle that would run posix.system; give --trust-model"
    ):
        reach(folder / "weights.pth", "exported", architecture="timm:test_resnet")
    assert not marker.exists()
