"""A model in every form that some frameworks take, and the cache's entries that a run elsewhere will ask for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inferometer.errors import ModelError
from inferometer.frameworks.catalogue import FrameworkChoice
from inferometer.host.machine import describe_machine, usable_cores
from inferometer.models.routes import is_quantised
from inferometer.models.sources import resolve
from inferometer.planning.plan import Plan
from inferometer.planning.request import RunRequest
from inferometer.planning.situation import Situation
from inferometer.running.preparing import prepare_model
from inferometer.running.ready_environments import ReadyEnvironments
from inferometer.storage.cache import cache_folder

_WEIGHT_BITS = (
    8,
    7,
)  # 7: for processors whose integer products saturate; which the other machine has is not known


@dataclass(frozen=True)
class Converted:
    """What was made or found."""

    forms: tuple[str, ...]
    entries: tuple[Path, ...]  # folders of the model cache


def forms_for(request: RunRequest, choices: Iterable[FrameworkChoice]) -> set[str]:
    """Return the forms in which some frameworks take a request's model, at the precisions that they have."""
    situation = Situation(describe_machine(()), ("cpu",), resolve(request.model))
    return {
        situation.form_for(choice.framework, precision)
        for choice in choices
        for precision in ((choice.precision,) if choice.precision else request.precisions)
        if any(precision in known for known in choice.framework.precisions.values())
    }


def converters(request: RunRequest, logs: Path, progress: Callable[[str], None]) -> ReadyEnvironments:
    """Return what runs the conversions of a request's model here, whatever machine it is to be measured on."""
    protocol = msgspec.structs.replace(request.protocol, threads=usable_cores())
    here = msgspec.structs.replace(request, protocol=protocol)
    return ReadyEnvironments(here, Plan({}, (), ()), logs, progress)


def convert(
    request: RunRequest, wanted: set[str], interpreters: Mapping[str, Path], progress: Callable[[str], None]
) -> Converted:
    """Convert the model of a request into some forms; ModelError where not one can be had.

    ``interpreters``: of environments that convert, in place of those built here; their products are kept apart, since the
    cache's keys do not know them.
    """
    request = msgspec.structs.replace(request, python={**interpreters})
    source, cache = resolve(request.model), _cache(interpreters)
    ready = converters(request, cache_folder("logs", "converted"), progress)
    forms, missing, entries = set[str](), dict[str, str](), dict[Path, None]()
    for bits in _WEIGHT_BITS if any(map(is_quantised, wanted)) else _WEIGHT_BITS[:1]:
        made = prepare_model(
            request, source, wanted, ready.run_step, cache, progress=progress, weight_bits=bits
        )
        forms |= set(made.artifacts)
        missing |= made.missing
        entries |= dict.fromkeys(made.entries)
    for form, cause in missing.items():
        progress(f"not converted here: {form}: {cause}")
    if not forms:
        raise ModelError(f"no form of {source.name} can be had: {'; '.join(missing.values())}")
    return Converted(tuple(sorted(forms)), tuple(entries))


def _cache(interpreters: Mapping[str, Path]) -> Path:
    if not interpreters:
        return cache_folder("models")
    text = "\n".join(f"{name}={path.absolute()}" for name, path in sorted(interpreters.items()))
    return cache_folder("models-by-given", hashlib.sha256(text.encode()).hexdigest()[:12])
