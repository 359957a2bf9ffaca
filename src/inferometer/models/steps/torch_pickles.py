"""Which functions and classes a pickle of PyTorch would call, without calling any."""

from __future__ import annotations

import re
from typing import Any

_SHOWN = 5
_EXPECTED = ("torch.", "timm.", "torchvision.", "transformers.")  # named last: layers, as whole models have
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)|Unsupported (?:global|class)[^\w]*([\w.]+)")


def told(torch: Any, file: Any, error: Exception) -> str:
    """Return the names of what a pickle (path or open file) calls besides tensors; '' where it is damaged, not refused."""
    names = _all(torch, file)
    if not names and (found := _GLOBAL.search(" ".join(str(error).split()))):
        names = [found[1] or found[2]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _all(torch: Any, file: Any) -> list[str]:
    try:
        found = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except Exception:  # of older pickles, and of damaged ones
        return []
    return sorted(found, key=lambda name: (name.startswith(_EXPECTED), name))
