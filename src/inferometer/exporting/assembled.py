"""infer.py: a template's own code, the parts that it imports, and `shared`, as one file with the row's constants.

Parts are other templates, or parts of the worker's backends that import nothing of inferometer themselves.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("templates")
_WORKER_FOLDER = Path(__file__).parents[1] / "worker" / "backends" / "parts"
_PACKAGE = "inferometer.exporting.templates."
_WORKER = "inferometer.worker.backends.parts."
_SHARED = "shared"


@dataclass
class _Source:
    """One template taken apart; every part is source text."""

    title: str = ""
    imports: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)  # other templates that it imports
    constants: dict[str, str] = field(default_factory=dict)
    preamble: list[str] = field(default_factory=list)  # statements that run before numpy is imported
    body: list[str] = field(default_factory=list)  # functions and classes
    last: list[str] = field(default_factory=list)  # what runs it


def assemble(name: str, constants: Mapping[str, Any], instead: Mapping[str, str] | None = None) -> str:
    """Return infer.py of a template; KeyError for a constant that no part of it declares.

    ``instead``: which of its parts another one takes the place of.
    """
    own = _read(name)
    parts = [each for part in own.parts for each in _with_parts((instead or {}).get(part, part))]
    shared = _read(_SHARED)
    everything = [own, shared, *parts]
    imports = sorted({line for source in everything for line in source.imports} - {"import numpy as np"})
    plain = [line.removeprefix("import ") for line in imports if line.startswith("import ")]
    known = {key: text for source in everything for key, text in source.constants.items()}
    if unknown := set(constants) - set(known):
        raise KeyError(f"template {name} has no constant {', '.join(sorted(unknown))}")
    head = [
        f'"""{own.title} Written by inferometer export; README.md says how to use it."""\n',
        "from __future__ import annotations\n",
        f"import {', '.join(plain)}",
        *(line for line in imports if line.startswith("from ")),
        "",
        *(_constant(key, text, constants) for key, text in known.items()),
        "",
        *shared.preamble,
    ]
    bodies = [*(text for part in parts for text in part.body), *own.body, *shared.body]
    return "\n".join(head) + "\n\n\n" + "\n\n\n".join([*bodies, *own.last]) + "\n"


def has_template(name: str) -> bool:
    """Return whether there is a template of this name."""
    return (FOLDER / f"{name}.py").exists()


def constants_of(name: str) -> frozenset[str]:
    """Return the constants that a template declares itself."""
    return frozenset(_read(name).constants)


def _with_parts(name: str) -> list[_Source]:
    """Return a part, those that it imports before it; `shared` comes by itself."""
    if name == _SHARED:
        return []
    found = _read(name)
    return [*(each for part in found.parts for each in _with_parts(part)), found]


def _read(name: str) -> _Source:
    folder = _WORKER_FOLDER if name.startswith(_WORKER) else FOLDER
    text = (folder / f"{name.removeprefix(_WORKER)}.py").read_text(encoding="utf-8")
    lines, tree = text.splitlines(), ast.parse(text)
    found = _Source(title=(ast.get_docstring(tree) or "").splitlines()[0])
    for node in tree.body[1:]:
        segment = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            _sort_import(node, segment, found)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.body.append(segment)
        elif isinstance(node, ast.If):
            found.last.append(segment)
        elif _is_literal(node):
            found.constants[_target(node)] = segment
        else:
            found.preamble.append(segment)
    return found


def _sort_import(node: ast.Import | ast.ImportFrom, segment: str, found: _Source) -> None:
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    if module.startswith(_PACKAGE):
        found.parts.append(module.removeprefix(_PACKAGE))
    elif module.startswith(_WORKER):
        found.parts.append(module)
    elif "numpy" in segment and found.preamble:
        found.preamble += ["", segment.partition("  #")[0]]
    elif module != "__future__":
        found.imports.append(segment)


def _is_literal(node: ast.stmt) -> bool:
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None or not _target(node).isupper():
        return False
    try:
        ast.literal_eval(node.value)
    except ValueError:
        return False
    return True


def _target(node: ast.stmt) -> str:
    assert isinstance(node, (ast.Assign, ast.AnnAssign))
    first = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    return first.id if isinstance(first, ast.Name) else ""


def _constant(name: str, text: str, given: Mapping[str, Any]) -> str:
    """Return a constant's line with the row's value, its comment kept."""
    if name not in given:
        return text
    mark = text.rpartition("  # ")
    return f"{name} = {literal(given[name])}{f'  # {mark[2]}' if mark[1] else ''}"


def literal(value: Any) -> str:
    """Return a value as Python writes it, texts in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(key)}: {literal(item)}' for key, item in value.items())}}}"
    return repr(value)


__all__ = ["assemble", "constants_of", "has_template", "literal"]
