"""What a FILE.py:FACTORY makes now, which FILE.py alone does not tell: it may load weights, and modules beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inferometer.models.step_cache import StepCache
from inferometer.storage.cache import cache_folder
from inferometer.storage.kept import BUNDLED, SENT

_OF = ("architecture", "code_hash", "weights_hash", "seed")  # the facts of which a factory makes its module


def content_of(
    facts: Mapping[str, Any], paths: Mapping[str, Path | None], environment: str, steps: StepCache
) -> str:
    """Return the hash of what FACTORY() makes: looked for anew each time.

    Where FILE.py came in a bundle, or to a fleet's node, it came without what it loads: the model is the one that came with it.
    """
    if _is_received(paths["code"]):
        last = steps.cache.last_facts({name: facts[name] for name in _OF})
        if last and last.get("content"):
            return str(last["content"])
    located = {name: str(path) if path else None for name, path in paths.items()}
    return str(steps.run(environment, "factory_content", {**facts, **located})["content"])


def _is_received(code: Path | None) -> bool:
    cache = cache_folder().resolve()
    return code is not None and any(code.resolve().is_relative_to(cache / name) for name in (BUNDLED, SENT))
