"""From what the user asked to artifacts that frameworks load, each checked against the source's outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from inferometer.frameworks import requirements
from inferometer.models import calibration_rows, sources
from inferometer.models.artifact_cache import ArtifactCache
from inferometer.models.contract import FORMS, Artifact, ModelRequest, PreparedModel, StepRunner
from inferometer.models.conversions import Conversions
from inferometer.models.identity import identity
from inferometer.models.routes import conversion_environments
from inferometer.models.sources import Source
from inferometer.models.sources.source import Origin, rows_left_out
from inferometer.models.step_cache import StepCache, checks_in
from inferometer.precisions import Stored, stored_as
from inferometer.records import InputFacts, ModelInfo


def prepare(
    request: ModelRequest,
    source: Source,
    forms: set[str],
    run_step: StepRunner,
    cache: Path,
    *,
    progress: Callable[[str], None],
    pins: Mapping[str, str] | None = None,
    weight_bits: int = 8,
    if_stored: Callable[[Stored], set[str]] | None = None,
    preprocess: str | None = None,
) -> PreparedModel:
    """Return the model at ``source`` (`sources.resolve`) in ``forms``, made or found in ``cache``; a form that cannot be had is in ``missing``.

    ``pins`` says per environment what is installed in it (default: its requirement file for the CPU, where conversions
    run); a change makes its artifacts anew. ``weight_bits``: of quantised weights. ``if_stored`` tells the forms
    that are wanted instead where the file is measured as it is (`precisions`). ``preprocess``: of the data set's images, and
    so of photos to calibrate by. Raises UsageError for
    what the request gets wrong and ModelError where the source itself cannot be loaded, run or judged; a conversion
    that fails or differs is no error but a missing form.
    """
    unknown = sorted(forms.difference(FORMS))
    if unknown:
        raise ValueError(f"unknown forms: {', '.join(unknown)} (known: {', '.join(FORMS)})")
    steps = step_cache(source, run_step, cache, progress, pins)
    origin = sources.make(request, source, steps)
    calibration = calibration_rows.given(
        request.calibration, origin.step.answer["inputs"], steps, preprocess,
        lambda: sources.own_preprocessing(source, steps),
    )  # fmt: skip
    conversions = Conversions(
        steps, source.form, origin.step, request.trust_model, {"weight_bits": weight_bits}, calibration
    )
    note = _note(request, origin.step.answer)
    if note:
        progress(note)
    stored = stored_in(origin.step.answer)
    wanted = if_stored(stored) if stored and if_stored else forms
    found: dict[str, Artifact | str] = {form: conversions.reach(form) for form in FORMS if form in wanted}
    prepared = _prepared(source, origin, found, conversions.facts(), note)
    return replace(prepared, entries=tuple(steps.cache.asked))


def _prepared(
    source: Source,
    origin: Origin,
    found: Mapping[str, Artifact | str],
    conversions: dict[str, Any],
    note: str,
) -> PreparedModel:
    """Return the model as its source's step made it, with the forms that were reached or the reasons why not."""
    made, answer = origin.step, origin.step.answer
    rows = made.folder / "inputs.npz"
    return PreparedModel(
        info=ModelInfo(
            name=source.name,
            source=origin.source,
            weights=origin.weights,
            hash=identity(origin.content, answer["inputs"], rows),
            parameters=answer.get("parameters"),
            macs=answer.get("macs"),
            inputs=_input_facts(answer),
            data=origin.data,
            inputs_note=note,
            reference=origin.reference,
            conversions=conversions,
        ),
        artifacts={form: reached for form, reached in found.items() if not isinstance(reached, str)},
        missing={form: reached for form, reached in found.items() if isinstance(reached, str)},
        inputs=rows,
        reference=made.folder / "reference.npz",
        checks=checks_in(made.folder, answer),
        layout=answer["layout"],
        stored=stored_in(answer),
    )


def stored_in(answer: Mapping[str, Any]) -> Stored | None:
    """Return what a source's file is measured as, by its step's answer; None for an fp32 model, or one that was widened to it."""
    held = answer.get("holds")
    return None if held is None else stored_as(answer["stored"], held)


def _input_facts(answer: dict[str, Any]) -> tuple[InputFacts, ...]:
    drawn = answer.get("drawn", {})
    facts = [{**spec, "drawn": drawn.get(spec["name"])} for spec in answer["inputs"]]
    known = [{key: value for key, value in fact.items() if value is not None} for fact in facts]
    return cast("tuple[InputFacts, ...]", tuple(known))


def _note(request: ModelRequest, answer: dict[str, Any]) -> str:
    """Return what a reader of a table must know of the inputs: what generated ones are, or which rows were left out."""
    if left_out := rows_left_out(request, answer["inputs"]):
        return f"inputs: {left_out}"
    drawn = ", ".join(f"{name} {words}" for name, words in answer.get("drawn", {}).items())
    return f"inputs generated: {drawn}" if drawn else ""


def step_cache(
    source: Source,
    run_step: StepRunner,
    cache: Path,
    progress: Callable[[str], None],
    pins: Mapping[str, str] | None = None,
) -> StepCache:
    """Return where a source's steps run and keep what they make; ``pins`` as of `prepare`."""
    known = _default_pins(source) if pins is None else pins
    return StepCache(run_step, ArtifactCache(cache, progress), progress, known)


def _default_pins(source: Source) -> dict[str, str]:
    names = {*source.environments, *conversion_environments()}
    return {name: "\n".join(requirements.read(name, "cpu").lines) for name in sorted(names)}
