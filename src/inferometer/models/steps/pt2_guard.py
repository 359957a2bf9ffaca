"""Exported programs (`.pt2`) of strangers, read with nothing in them run.

torch.export.load unpickles what a file asks for, evaluates its size expressions, and compiles its names and guards. Here
pickles give weights only, and what would be evaluated or compiled is held against what torch itself writes.
"""

from __future__ import annotations

import ast
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from inferometer.models.steps import refusals, torch_pickles, torch_quantised
from inferometer.worker.saved_arrays import UNREADABLE

_PLAIN = re.compile(r"[\w.\-]*")  # names of values, weights and modules: no more, for they become source code
_FREE_TEXT = {"as_string", "as_strings", "torch_version"}  # quoted where they are used, or not used
_TREE = re.compile(r"\\u|__enum__|defaultdict")  # what a tree of arguments imports, or hides
_OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)(\.\w+)?")
_SCALAR = re.compile(r"_operator\.(?!attrgetter|itemgetter|methodcaller)\w+|torch\.(_?sym_\w+)|math\.\w+")
_KNOWN = {"aten", "prims", "quantized", "quantized_decomposed", "torchvision"}
_CONTROL = {
    "cond",
    "while_loop",
    "scan",
    "map_impl",
    "wrap",
    "wrap_with_set_grad_enabled",
    "wrap_with_autocast",
}
_OUTSIDE = {"from_file", "save", "_print"}  # operators that touch files or the terminal
_FUNCTIONS = {
    "Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Mod", "Max", "Min", "Abs", "floor", "ceiling",
    "Equality", "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan", "And", "Or", "Not",
    "Piecewise", "ExprCondPair", "FloorDiv", "ModularIndexing", "Where", "PythonMod", "CleanDiv", "CeilToInt",
    "FloorToInt", "CeilDiv", "FloatTrueDiv", "IntTrueDiv", "TruncToFloat", "TruncToInt",
    "RoundToInt", "ToFloat", "Identity", "IsNonOverlappingAndDenseIndicator",
}  # fmt: skip
_SIZES = ("true", "false", "oo", "int_oo")


class CodeError(ValueError):
    """A file that may run code, or use more than PyTorch has."""


def load(torch: Any, path: Path, trust: bool) -> Any:
    """Return the exported program in a file; ValueError (one line) if it is none.

    Without ``trust`` `CodeError` (one line) says what in it may run.
    """
    if "torchvision." in (written := _written(path)):
        import torchvision  # noqa: F401  (registers its operators)
    if "transformers." in written:
        import transformers.modeling_outputs  # noqa: F401  (registers its kinds of answers)
    if torch_quantised.MARK in written:
        torch_quantised.register()
    causes: list[Exception] = []
    try:
        with _remembering(causes), nullcontext() if trust else _as_data(torch, path.name):
            return torch.export.load(path)
    except CodeError:
        raise
    except Exception as error:
        cause = causes[0] if causes else error
        raise ValueError(f"{path.name} is no exported program: {refusals.line(cause)}") from error


@contextmanager
def _remembering(causes: list[Exception]) -> Iterator[None]:
    """Keep what went wrong inside torch.export.load, which says only that something did."""
    from torch.export.pt2_archive import _package

    read = _package.load_pt2

    def reading(*arguments: Any, **keywords: Any) -> Any:
        try:
            return read(*arguments, **keywords)
        except Exception as error:
            causes.append(error)
            raise

    with _replaced([(_package, "load_pt2", reading)]):
        yield


def _written(path: Path) -> str:
    """Return the text of a file's programs, as far as its directory shows them; a hint, no proof."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".json")]
            return " ".join(archive.read(name).decode("utf-8", "replace") for name in names)
    except (ValueError, *UNREADABLE):
        return ""


@contextmanager
def _as_data(torch: Any, name: str) -> Iterator[None]:
    """Replace what runs code while a program is loaded: pickles, compiled libraries, and text that is evaluated."""
    from torch._export.serde import serialize
    from torch.export.pt2_archive import _package

    def refuse(what: str) -> Callable[..., Any]:
        def refused(*_: Any, **__: Any) -> Any:
            raise _code(name, what)

        return refused

    read, parsed = torch.load, serialize._bytes_to_dataclass

    def weights(file: Any, **_: Any) -> Any:
        try:
            return read(file, weights_only=True)
        except Exception as error:
            file.seek(0)
            raise _code(name, f"a pickle of {torch_pickles.told(torch, file, error)}") from error

    def checked(kind: Any, text: bytes) -> Any:
        found = json.loads(text)
        _check(found, name)
        return parsed(kind, json.dumps(found).encode())

    replaced = [
        (torch, "load", weights),
        (serialize, "_bytes_to_dataclass", checked),
        (_package, "pickle", SimpleNamespace(loads=refuse("a pickled object"))),
        (_package, "_load_aoti", refuse("a compiled library (AOTInductor)")),
        (torch._C, "_pickle_load_obj", refuse("an object of a custom class")),
    ]
    with _replaced(replaced):
        yield


@contextmanager
def _replaced(replaced: Sequence[tuple[Any, str, Any]]) -> Iterator[None]:
    """Give objects other attributes for a while: (object, name, value)."""
    kept = [(owner, key, getattr(owner, key)) for owner, key, _ in replaced]
    try:
        for owner, key, value in replaced:
            setattr(owner, key, value)
        yield
    finally:
        for owner, key, value in kept:
            setattr(owner, key, value)


def _code(name: str, what: str) -> CodeError:
    return CodeError(f"{name} may run code: {what}; give --trust-model if you trust it")


def _check(program: Any, name: str) -> None:
    """Take comments and guards out of a program's text; `CodeError` for anything else that is no plain name or number."""
    left: list[tuple[str, Any]] = [("", program)]
    while left:
        key, value = left.pop()
        if isinstance(value, dict):
            if "metadata" in value:
                value["metadata"] = {}  # comments in the code that is made
            if "guards_code" in value:
                value["guards_code"] = []  # torch makes its own of the shapes
            left += [("", found) for found in value]
            left += value.items()
        elif isinstance(value, list):
            left += [(key, found) for found in value]
        elif isinstance(value, str):
            _check_text(key, value, name)


def _check_text(key: str, text: str, name: str) -> None:
    if key == "expr_str":
        if not is_size(text):
            raise _code(name, f"the size expression {text[:60]!r}")
    elif key in ("target", "as_operator"):
        _check_operator(text, name)
    elif key in ("in_spec", "out_spec"):
        if _TREE.search(text):
            raise _code(name, "a tree of arguments that imports a class")
    elif key not in _FREE_TEXT and not _PLAIN.fullmatch(text):
        raise _code(name, f"the name {text[:60]!r}")


def _check_operator(text: str, name: str) -> None:
    if _SCALAR.fullmatch(text):
        return
    found = _OPERATOR.fullmatch(text)
    if not found or found[2] in _OUTSIDE:
        raise _code(name, f"the function {text[:60]!r}")
    if found[1] in _KNOWN or (found[1] == "higher_order" and found[2] in _CONTROL):
        return
    raise CodeError(
        f"{name} needs the operator {found[1]}::{found[2]}, which PyTorch's own installation lacks"
    )


def is_size(text: str) -> bool:
    """Return whether a text is a size as torch writes it: calls of known functions on symbols and numbers."""
    try:
        nodes = list(ast.walk(ast.parse(text[:10_000], mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_is_part(node) for node in nodes)


def _is_part(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Pow":
        return len(node.args) == 2 and _is_small_power(*node.args)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
    if isinstance(node, ast.Name):
        return node.id in _FUNCTIONS or node.id in _SIZES or bool(re.fullmatch(r"[a-z]+\d+", node.id))
    if isinstance(node, ast.Constant):
        value = node.value
        return bool(re.fullmatch(r"[\w.\-]{1,40}", value)) if isinstance(value, str) else _is_number(value)
    return isinstance(node, (ast.Expression, ast.keyword, ast.UnaryOp, ast.USub, ast.Load))


def _is_small_power(base: ast.expr, exponent: ast.expr) -> bool:
    """Return whether a power is of a number up to 8 and of no other power, so that it can be computed."""
    nested = any(getattr(node, "id", "") == "Pow" for node in ast.walk(base))
    numbers = [node.value for node in ast.walk(exponent) if isinstance(node, ast.Constant)]
    names = {node.id for node in ast.walk(exponent) if isinstance(node, ast.Name)}
    small = all(isinstance(number, int) and number <= 8 for number in numbers)
    return not nested and small and names <= {"Integer", "Rational"} and len(numbers) < 3


def _is_number(value: object) -> bool:
    return isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 1 << 63)
