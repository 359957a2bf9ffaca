"""From what the user asked to artifacts that frameworks load, each checked against the source's outputs.

keras.applications, FILE.keras   -> Keras file -> SavedModel
                                               -> exported program -> ONNX
FILE.onnx                        -> itself
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from inferometer.frameworks import requirements
from inferometer.models import keras_models, onnx_models
from inferometer.models.artifact_cache import ArtifactCache
from inferometer.models.contract import FORMS, ModelRequest, PreparedModel, StepRunner
from inferometer.models.sources import Source, conversion_environments, forms_reachable
from inferometer.models.step_cache import StepCache


def prepare(
    request: ModelRequest,
    source: Source,
    forms: set[str],
    run_step: StepRunner,
    cache: Path,
    *,
    progress: Callable[[str], None],
    pins: Mapping[str, str] | None = None,
) -> PreparedModel:
    """Return the model at ``source`` (`sources.resolve`) in ``forms``, made or found in ``cache``; a form that cannot be had is in ``missing``.

    ``pins`` says per environment what is installed in it (default: its requirement file for the CPU, where conversions
    run); a change makes its artifacts anew. Raises UsageError for
    what the request gets wrong and ModelError where the source itself cannot be loaded, run or judged; a conversion
    that fails or differs is no error but a missing form.
    """
    unknown = sorted(forms.difference(FORMS))
    if unknown:
        raise ValueError(f"unknown forms: {', '.join(unknown)} (known: {', '.join(FORMS)})")
    steps = StepCache(run_step, ArtifactCache(cache), progress, _default_pins() if pins is None else pins)
    if source.kind == "onnx":
        reasons = {
            form: reason for form, reason in forms_reachable(source).items() if isinstance(reason, str)
        }
        return onnx_models.prepare(request, source, forms, steps, reasons)
    return keras_models.prepare(request, source, forms, steps)


def _default_pins() -> dict[str, str]:
    return {name: "\n".join(requirements.read(name, "cpu").lines) for name in conversion_environments()}
