"""Environment `torch-models`: what the user's own FACTORY() makes now, as a hash. Request as of `torch_source`, without rows.

FACTORY() may read files that nobody names (weights, modules beside FILE.py), so what it made is looked at, not what it read.
"""

from __future__ import annotations

import hashlib
import io
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inferometer.models.steps import torch_source
from inferometer.models.steps.torch_modules import Built

_PLAIN = (bool, int, float, str, bytes, type(None))


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return `content`: a hash of the module's state, of its inputs and of the code of the user's that was loaded for it."""
    torch = torch_source.start(request)
    torch.set_num_threads(1)  # sums of several threads, as of weights made orthogonal, depend on their number
    before = set(sys.modules)
    model = torch_source.built(torch, request)
    digest = hashlib.sha256(repr(model.specs).encode())
    for part in (*_state(torch, model), *_code(before, Path(request["code"]))):
        digest.update(part)
    return {"content": digest.hexdigest()}


def _state(torch: Any, model: Built) -> Iterator[Any]:
    """Yield the tensors and plain values of every module within the user's."""
    for place, module in model.module.named_modules():
        yield f"{place}|{type(module).__qualname__}\n".encode()
        tensors = {**module._parameters, **module._buffers}
        for name, value in sorted({**vars(module), **tensors}.items()):
            if isinstance(value, torch.Tensor):
                yield f"{name}|{value.dtype}|{tuple(value.shape)}\n".encode()
                yield _bytes(torch, value)
            elif _is_plain(value):
                yield f"{name}|{value!r}\n".encode()


def _bytes(torch: Any, value: Any) -> Any:
    """Return what a tensor holds; of one that is no plain array, such as a quantised one, its file."""
    try:
        return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    except (RuntimeError, TypeError, NotImplementedError):
        file = io.BytesIO()
        torch.save(value, file)
        return file.getvalue()


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, (*value.keys(), *value.values())))
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _code(before: set[str], file: Path) -> Iterator[bytes]:
    """Yield the source of modules that were loaded since from outside of the environment; ``file`` is known already."""
    paths = sysconfig.get_paths()
    installed = [Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    installed.append(Path(__file__).parents[2])  # inferometer
    for name in sorted(set(sys.modules) - before):
        loaded = Path(getattr(sys.modules[name], "__file__", None) or file)
        if loaded != file and loaded.is_file() and not any(map(loaded.is_relative_to, installed)):
            yield f"{name}\n".encode()
            yield loaded.read_bytes()
