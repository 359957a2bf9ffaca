"""The artifact of a measured cell: in the models' cache, by the keys in the run's record, or made again by the same steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.errors import InferometerError, StoreError
from inferometer.frameworks.catalogue import FrameworkChoice
from inferometer.host.instructions import weight_bits
from inferometer.models.artifact_cache import hash_file, read_entry
from inferometer.models.contract import FORMS, Artifact, Checks, Form, PreparedModel
from inferometer.models.sources import resolve
from inferometer.models.step_cache import CachedStep, artifact, checks_in
from inferometer.planning.request import from_builtins
from inferometer.records import Cell
from inferometer.running.converted import converters
from inferometer.running.preparing import prepare_model
from inferometer.storage.cache import cache_folder
from inferometer.storage.commands import again
from inferometer.storage.run_directory import StoredRun
from inferometer.storage.temporary import TemporaryFolder

Progress = Callable[[str], None]
_KEY_LENGTH = 32  # of a key (`artifact_cache.key_of`), where a file's hash has 64


@dataclass(frozen=True)
class Located:
    """An artifact, and the rows that it was checked and measured with."""

    artifact: Artifact
    inputs: Path
    reference: Path
    checks: Checks
    source_layout: str
    made_again: bool = False


def locate(run: StoredRun, cell: Cell, choice: FrameworkChoice, progress: Progress) -> Located:
    """Return the artifact that a cell of a run was measured with; StoreError, with what to do, where it cannot be had."""
    form = _form_of(run, cell, choice)
    return _in_cache(run, form) or _made_again(run, form, progress)


def _form_of(run: StoredRun, cell: Cell, choice: FrameworkChoice) -> Form:
    """Return the form in which a cell took the model; of runs that do not say, the first that the fewest converters made."""
    conversions = run.info.model.conversions
    row = run.info.environments.get(f"{cell.framework} on {cell.device}", {})
    told = row.get("forms", {}).get(cell.precision)
    taken = [told] if told else list(choice.framework.forms_at(cell.precision))
    known = {form: form for form in FORMS if form in taken and form in conversions}
    if not known:
        raise StoreError(
            f"{run.path} does not say from which file {cell.key} was measured; measure again: {_command(run)}"
        )
    foreign = {
        form: conversions[form].get("via", "").count(",") + bool(conversions[form].get("via"))
        for form in known
    }
    return min(known.values(), key=lambda form: (foreign[form], taken.index(form)))


def _in_cache(run: StoredRun, form: Form) -> Located | None:
    """Return what the keys in the record lead to, None where a part of it is gone or not what was measured."""
    conversions = run.info.model.conversions
    start = next((name for name, facts in conversions.items() if not facts.get("route")), "")
    source, made = (_entry(conversions.get(name, {})) for name in (start, form))
    if source is None or made is None:
        return None
    found = artifact(form, made, conversions[form].get("via", ""))
    if not found.path.exists() or not _is_measured(found, conversions[form].get("file_hash", "")):
        return None
    return Located(
        found,
        source.folder / "inputs.npz",
        found.own.reference if found.own else source.folder / "reference.npz",
        found.own.checks if found.own else checks_in(source.folder, source.answer),
        source.answer["layout"],
    )


def _is_measured(found: Artifact, recorded: str) -> bool:
    """Return whether a file is the one that a run's record names; of a user's ONNX file, runs before 2026-11-29 name the key of its parts."""
    return recorded == (found.hash if len(recorded) == _KEY_LENGTH else hash_file(found.path))


def _entry(facts: dict[str, Any]) -> CachedStep | None:
    """Return the entry of the models' cache that a conversion's facts name, if it is there."""
    folder = cache_folder("models") / str(facts.get("key") or "unknown")
    made = read_entry(folder)
    return None if made is None else CachedStep(folder, made)


def _made_again(run: StoredRun, form: Form, progress: Progress) -> Located:
    progress("the record does not lead to the model in the cache: its steps are gone through again")
    try:
        model = _prepared(run, form, progress)
    except (InferometerError, OSError, TypeError, ValueError) as error:
        raise _gone(run, str(error)) from error
    if model.info.hash != run.info.model.hash:
        raise _gone(run, "what its steps make now is another model, or has other inputs")
    if form in model.missing:
        raise _gone(run, model.missing[form])
    found = model.artifacts[form]
    reference, checks = (
        (found.own.reference, found.own.checks) if found.own else (model.reference, model.checks)
    )
    recorded = run.info.model.conversions[form].get("file_hash", "")
    # of a key, the model's hash has told already
    differs = len(recorded) != _KEY_LENGTH and found.hash != recorded
    return Located(found, model.inputs, reference, checks, model.layout, made_again=differs)


def _prepared(run: StoredRun, form: Form, progress: Progress) -> PreparedModel:
    """Return the model as it was measured, converted here, whatever machine measured it."""
    request = from_builtins(run.info.request)
    with TemporaryFolder() as temporary:
        run_step = converters(request, temporary.path, progress).run_step
        return prepare_model(
            request, resolve(request.model), {form}, run_step, cache_folder("models"), progress=progress,
            weight_bits=weight_bits(run.info.machine.int8),
        )  # fmt: skip


def _gone(run: StoredRun, cause: str) -> StoreError:
    return StoreError(
        f"the model that {run.path} measured is gone from the cache and cannot be made again: {cause}; "
        f"measure again: {_command(run)}"
    )


def _command(run: StoredRun) -> str:
    """Return the command that measures what a run measured."""
    return again(run.info.command or "inferometer run")
