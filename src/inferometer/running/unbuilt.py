"""Which environments a run has to build, known before anything is built or fetched."""

from __future__ import annotations

from typing import Any, NamedTuple

from inferometer.errors import InferometerError
from inferometer.frameworks import requirements
from inferometer.frameworks.environments import is_built, locate
from inferometer.frameworks.requirements import Requirements
from inferometer.host.instructions import weight_bits
from inferometer.models import sources
from inferometer.models.prepare import step_cache
from inferometer.running import dataset
from inferometer.running.preparing import prepare_model
from inferometer.running.run import Preparation
from inferometer.storage.cache import cache_folder


class Unbuilt(NamedTuple):
    """Environments that are not built."""

    needed: list[Requirements]  # which measure, whatever else
    converting: list[Requirements]  # which read and convert the model, as far as that has to be done


class _RunsError(Exception):
    """A step would have to be run: no cause that the steps of a model would take for a failure of theirs."""


def unbuilt(preparation: Preparation) -> Unbuilt:
    """Return what a run has to build; nothing that converts where all that is needed is in the cache."""
    needed = {locate(each): each for each in _measuring(preparation) if not is_built(each)}
    converting = [each for each in _converting(preparation) if not is_built(each)]
    if converting and _is_converted(preparation):
        converting = []
    return Unbuilt([*needed.values()], converting)


def _measuring(preparation: Preparation) -> list[Requirements]:
    """Return the environments of rows, and LoadGen's for each Python among them where rows are put under load."""
    rows = [row.requirements for row in preparation.plan.rows.values() if row.requirements]
    if not preparation.request.load.scenarios:
        return rows
    pythons = dict.fromkeys(each.python for each in rows)
    return rows + [requirements.loadgen(python) for python in pythons]


def _converting(preparation: Preparation) -> list[Requirements]:
    """Return what the ways to all forms take, but for what a row's environment, or an interpreter that was given, is used for."""
    situation = preparation.situation
    ways = (situation.reachable[form] for form in sorted(_forms(preparation)))
    names = dict.fromkeys(name for way in ways if not isinstance(way, str) for name in way)
    choices = (row.choice for row in preparation.plan.rows.values())
    there = {choice.environment for choice in choices if not choice.version} | {*preparation.request.python}
    return [requirements.read(name, "cpu") for name in names if name not in there]


def _forms(preparation: Preparation) -> set[str]:
    plan, situation = preparation.plan, preparation.situation
    reference = dataset.reference_row(preparation.request, plan, situation)
    return {*plan.forms.values(), *([dataset.form_of(reference, plan, situation)] if reference else [])}


def _is_converted(preparation: Preparation) -> bool:
    """Return whether no step would have to run, as where all of it came with a bundle."""
    request, source = preparation.request, preparation.situation.source
    try:
        prepare_model(
            request, source, _forms(preparation), _refuse, cache_folder("models"), progress=_ignore,
            weight_bits=weight_bits(preparation.machine.int8),
            if_stored=lambda stored: {*preparation.as_stored(stored).plan.forms.values()},
        )  # fmt: skip
        if dataset.preprocess_of(request) == "":
            sources.own_preprocessing(source, step_cache(source, _refuse, cache_folder("models"), _ignore))
    except (_RunsError, InferometerError):
        return False
    return True


def _refuse(environment: str, module: str, request: dict[str, Any]) -> dict[str, Any]:
    raise _RunsError


def _ignore(text: str) -> None:
    pass
