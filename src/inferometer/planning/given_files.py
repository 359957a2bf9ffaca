"""The files and folders of the user's own that a request names, and the same request where they lie elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from inferometer.models.companions import companions
from inferometer.models.contract import NAMED_WEIGHTS, is_path
from inferometer.planning.request import RunRequest
from inferometer.storage import archives


def given_files(request: RunRequest) -> list[Path]:
    """Return what must be there for a request to mean the same on another machine; interpreters are left out."""
    model = request.model
    found = [_path_in(model.model), _path_in(model.architecture)]
    found += [] if model.weights in NAMED_WEIGHTS else [Path(model.weights)]
    found += [*(model.images or ()), model.inputs, model.calibration, request.dataset, request.labels]
    return list(dict.fromkeys(path for path in found if path))


def prefixes(request: RunRequest) -> list[str]:
    """Return what is typed before the path of each of `given_files`: "hf:" before a folder that is a model by it, else nothing."""
    named = request.model.model, request.model.architecture
    return ["hf:" if f"hf:{path}" in named else "" for path in given_files(request)]


def carried(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield what travels for a file or folder, each with its name there: itself, all in it, and what it names beside it.

    Of links what they lead to. UsageError for what cannot travel.
    """
    yield from archives.members(path)
    if path.is_file():
        for name in companions(path):
            yield name, path.parent / name


def placed(request: RunRequest, places: Mapping[Path, Path]) -> RunRequest:
    """Return a request with its files where ``places`` says; those it does not know stay.

    What lay where the request says need not be on this machine.
    """

    def at(path: Path | None) -> Path | None:
        return places.get(path, path) if path else None

    def named(name: str) -> str:
        path = _path_in(name, places)
        return name.replace(str(path), str(places[path])) if path and path in places else name

    model = request.model
    return msgspec.structs.replace(
        request,
        model=replace(
            model,
            model=named(model.model),
            architecture=named(model.architecture),
            weights=named(model.weights) if model.weights not in NAMED_WEIGHTS else model.weights,
            images=model.images and tuple(places.get(path, path) for path in model.images),
            inputs=at(model.inputs),
            calibration=at(model.calibration),
        ),
        dataset=at(request.dataset),
        labels=at(request.labels),
    )


def _path_in(name: str, known: Collection[Path] = ()) -> Path | None:
    """Return the file or folder that a name holds: FILE, FILE.py:FACTORY, hf:FOLDER; None for other names.

    ``hf:`` is followed by a folder where it is here, or one of the ``known``, else by a name of the hub.
    """
    prefix, colon, rest = name.partition(":")
    if colon and prefix.endswith(".py"):
        return Path(prefix)
    if colon:
        folder = Path(rest)
        return folder if prefix == "hf" and (folder in known or folder.is_dir()) else None
    return Path(name) if name and is_path(name) else None
