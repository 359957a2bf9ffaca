"""The model's file opened before anything is built or measured (`run --dry-run`)."""

from __future__ import annotations

from collections.abc import Callable

from inferometer.models.inspection import Inspection, inspect
from inferometer.running.ready_environments import ReadyEnvironments
from inferometer.running.run import Preparation
from inferometer.storage.cache import cache_folder


def open_model(preparation: Preparation, progress: Callable[[str], None]) -> Inspection | str:
    """Return what the model's file says, or why it was not opened: an environment that is not built yet, which is not built here.

    InputError or UsageError (one line) where the file, what it is to be fed, or an interpreter that was given will not do.
    """
    request, source = preparation.request, preparation.situation.source
    ready = ReadyEnvironments(request, preparation.plan, cache_folder("logs"), progress)
    ready.take_built()
    ready.check_given()
    missing = [name for name in source.environments if not ready.has(name)]
    if missing:
        names = ", ".join(missing)
        return f"not opened, since environment {names} is not built yet: inferometer env build {names}"
    return inspect(request.model, source, ready.run_step, cache_folder("models"), progress=progress)
