"""Which environments a run will build, known before anything is built or fetched."""

from __future__ import annotations

from typing import Any

from inferometer.errors import InferometerError, ModelError
from inferometer.frameworks import requirements
from inferometer.frameworks.environments import is_built
from inferometer.frameworks.requirements import Requirements
from inferometer.host.instructions import weight_bits
from inferometer.models.prepare import prepare
from inferometer.running import dataset
from inferometer.running.run import Preparation
from inferometer.storage.cache import cache_folder


def unbuilt(preparation: Preparation) -> list[Requirements]:
    """Return what is not built of the rows' environments, and of those that convert, where the cache lacks a form."""
    rows = {
        row.requirements.name: row.requirements for row in preparation.plan.rows.values() if row.requirements
    }
    missing = [each for each in rows.values() if not is_built(each)]
    converting = [each for each in _converting(preparation) if each.name not in rows and not is_built(each)]
    return missing + (converting if converting and not _is_converted(preparation) else [])


def _converting(preparation: Preparation) -> list[Requirements]:
    """Return what the ways to the plan's forms take, but for interpreters that were given."""
    ways = (preparation.situation.reachable[form] for form in preparation.plan.forms.values())
    names = dict.fromkeys(name for way in ways if not isinstance(way, str) for name in way)
    return [requirements.read(name, "cpu") for name in names if name not in preparation.request.python]


def _is_converted(preparation: Preparation) -> bool:
    """Return whether the cache has every form of the plan, as one has that came with a bundle."""
    request = preparation.request
    try:
        found = prepare(
            request.model, preparation.situation.source, set(preparation.plan.forms.values()), _refuse,
            cache_folder("models"), progress=lambda text: None,
            weight_bits=weight_bits(preparation.machine.int8), preprocess=dataset.preprocess_of(request),
        )  # fmt: skip
    except InferometerError:
        return False
    return not found.missing


def _refuse(environment: str, module: str, request: dict[str, Any]) -> dict[str, Any]:
    raise ModelError(f"{module} would have to run in {environment}")
