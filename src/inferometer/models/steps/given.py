"""The user's own rows (`--input`): an .npz, a .npy for a model with one input, or a folder with one .npy an input.

Whatever a file says of its sizes is held against what it has, and against the free memory, before it is read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inferometer.models.steps import archives
from inferometer.worker.saved_arrays import UNREADABLE, SavedArray
from inferometer.worker.system import memory

KINDS = "FILE.npz with an array for each input, FILE.npy for one input, or a folder with INPUT.npy for each"


def files(path: Path) -> dict[str, Path]:
    """Return the files that rows are read from, by the input that a .npy is named as; ValueError (one line) for no rows."""
    if not path.exists():
        raise ValueError(f"input file {path} does not exist; give {KINDS}")
    if path.is_dir():
        return _inside(path)
    if path.suffix.lower() not in (".npz", ".npy"):
        raise ValueError(f"input {path} is neither .npz nor .npy; give {KINDS}")
    return {path.stem: path}


def _inside(folder: Path) -> dict[str, Path]:
    visible = sorted(item for item in folder.iterdir() if item.is_file() and not item.name.startswith("."))
    arrays = [item for item in visible if item.suffix.lower() == ".npy"]
    archived = [item for item in visible if item.suffix.lower() == ".npz"]
    if len(archived) > 1 or (arrays and archived):
        raise ValueError(
            f"input folder {folder} holds {archived[0].name} and others; give the one that is meant"
        )
    if not (arrays or archived):
        images = any(item.suffix.lower() in (".jpg", ".jpeg", ".png", ".bmp", ".webp") for item in visible)
        remedy = f"it holds images: give --image {folder}" if images else f"give {KINDS}"
        raise ValueError(f"input folder {folder} holds no .npy and no .npz; {remedy}")
    return {item.stem: item for item in archived or arrays}


def load(path: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the arrays that a file or folder gives, by input; ``names``: the model's inputs in order.

    ValueError (one line) for anything that is no array, is for no input, or is larger than the free memory.
    """
    return dict(_each(path, names, SavedArray.numbers, others=False))


def shapes(path: str, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of these arrays, and of those for no input; their heads alone are read."""
    return dict(_each(path, names, lambda array: array.shape, others=True))


def _each(
    path: str, names: Sequence[str], take: Callable[[SavedArray], Any], *, others: bool
) -> Iterator[tuple[str, Any]]:
    """Yield for each array its input and what is taken of it; ``others``: those for no input are no error."""
    found = files(Path(path))
    first = next(iter(found.values()))
    try:
        if first.suffix.lower() == ".npz":
            yield from _in_archive(first, names, take, others=others)
            return
        if not Path(path).is_dir():
            found = {_only(path, names): first}
        _check_names(path, found, found if others else names)
        _check_size(path, sum(file.stat().st_size for file in found.values()))
        for name, file in found.items():
            with file.open("rb") as opened:
                yield name, take(SavedArray.of(opened, file.stat().st_size, str(file)))
    except UNREADABLE as error:
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"cannot read {path}: {told}") from error


def _only(path: str, names: Sequence[str]) -> str:
    if len(names) != 1:
        told = ", ".join(names)
        raise ValueError(
            f"{path} is one array and the model takes {told}; give FILE.npz with these, or a folder with "
            f"{' and '.join(f'{name}.npy' for name in names)}"
        )
    return names[0]


def _check_names(path: str, given: Mapping[str, Any], names: Collection[str]) -> None:
    absent, extra = sorted(set(names) - set(given)), sorted(set(given) - set(names))
    if extra:
        lacks = f"lacks {', '.join(absent)}; " if absent else ""
        raise ValueError(
            f"{path} {lacks}has unknown {', '.join(extra)}; the model's inputs are {', '.join(names)}"
        )


def _check_size(path: str, size: int) -> None:
    free = memory.free_bytes()
    if size > free:
        raise ValueError(
            f"{path} holds {size / 2**30:.1f} GiB, with {free / 2**30:.1f} GiB of memory free; give fewer rows"
        )


def _in_archive(
    file: Path, names: Sequence[str], take: Callable[[SavedArray], Any], *, others: bool
) -> Iterator[tuple[str, Any]]:
    if not zipfile.is_zipfile(file):
        raise ValueError(
            f"cannot read {file} as a .npz of arrays: it is no zip archive; save it with numpy.savez"
        )
    archives.check_archive(file, memory.free_bytes())
    with zipfile.ZipFile(file) as archive:
        members = {item.filename.removesuffix(".npy"): item for item in archive.infolist()}
        _check_names(str(file), members, members if others else names)
        for name, item in members.items():
            with archive.open(item) as opened:
                yield name, take(SavedArray.of(opened, item.file_size, f"{file}: '{name}'"))
