"""What `--dataset` names, read as far as it goes without decoding anything: files with their classes, or an .npz."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inferometer.errors import UsageError
from inferometer.models.images import SUFFIXES

_SHAPES = "a folder with a folder a class, a .csv (columns image,label), or an .npz (x, y)"
_MOST_NAMED = 3


@dataclass(frozen=True)
class Images:
    """Image files, each with the number of its class in the model's order."""

    path: Path
    files: tuple[Path, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...] = ()  # their names in the model's order; (): numbers were given

    def check(self, count: int) -> None:
        """Raise UsageError (one line) unless a model of so many classes can give these answers."""
        if self.classes and len(self.classes) != count:
            raise UsageError(
                f"{self.path} has {len(self.classes)} classes, the model {count}: give --labels FILE with a line for each "
                "of the model's classes, in its order"
            )
        check_numbers(self.path, self.labels, count)


@dataclass(frozen=True)
class Arrays:
    """An .npz of rows and answers, unread."""

    path: Path


def check_numbers(path: Path, labels: Sequence[int], count: int) -> None:
    """Raise UsageError for a class number that a model of ``count`` classes does not have."""
    for place, label in enumerate(labels, 1):
        if not 0 <= label < count:
            raise UsageError(
                f"{path}: answer {place} is class {label}; the model's {count} classes are 0 to {count - 1}"
            )


def find(path: Path, labels: Path | None) -> Images | Arrays:
    """Return what a data set holds; UsageError (one line) for what is none, or whose classes have no number."""
    names = read_labels(labels) if labels else ()
    if path.is_dir():
        return _in_folders(path, names)
    if not path.is_file():
        raise UsageError(f"data set {path} does not exist; give {_SHAPES}")
    if path.suffix.lower() == ".csv":
        return _in_csv(path, names)
    if path.suffix.lower() == ".npz":
        if labels:
            raise UsageError(
                f"--labels {labels}: the classes of {path.name} are numbers already; leave it out"
            )
        return Arrays(path)
    raise UsageError(f"data set {path} is none: give {_SHAPES}")


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the model's classes in its order, a line each; UsageError if the file cannot be read or names one twice."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--labels {path} cannot be read as text: {_reason(error)}") from error
    names = tuple(line.strip() for line in lines)
    while names and not names[-1]:
        names = names[:-1]
    if not names:
        raise UsageError(f"--labels {path} is empty; give a line a class, in the model's order")
    seen: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if name in seen or not name:
            told = f"names '{name}' twice, as {seen[name]} too" if name else "is empty"
            raise UsageError(f"--labels {path}, line {number}: {told}; give a line a class")
        seen[name] = number
    return names


def _numbers(names: Sequence[str], path: Path) -> dict[str, int]:
    """Return the class number of each name in a file of labels, and of its first word where that is one line's alone."""
    numbers = {name: number for number, name in enumerate(names)}
    words = [name.split()[0].rstrip(",:") for name in names]
    counts = Counter(words)
    firsts = {word: number for number, word in enumerate(words) if counts[word] == 1 and word not in numbers}
    return {**firsts, **numbers}


def _in_folders(path: Path, names: tuple[str, ...]) -> Images:
    folders = sorted(item for item in path.iterdir() if item.is_dir() and not item.name.startswith("."))
    if not folders:
        raise UsageError(f"data set {path} has no folder in it; give {_SHAPES}")
    classes = names or tuple(folder.name for folder in folders)
    if not names:
        _check_order(path, classes)
    numbers = _numbers(names, path) if names else {name: number for number, name in enumerate(classes)}
    unknown = [folder.name for folder in folders if folder.name not in numbers]
    if unknown:
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        raise UsageError(
            f"{path}: --labels has no line for the folders {', '.join(unknown[:_MOST_NAMED])}{more}"
        )
    pairs = [(file, numbers[folder.name]) for folder in folders for file in _images_in(folder)]
    return Images(path, tuple(file for file, _ in pairs), tuple(number for _, number in pairs), classes)


def _check_order(path: Path, classes: Sequence[str]) -> None:
    """Raise UsageError for folders called by numbers whose order as text is another: either may be the model's."""
    if all(name.isdecimal() for name in classes) and sorted(classes, key=int) != list(classes):
        raise UsageError(
            f"{path}: its class folders are numbers, whose order as text ({', '.join(classes[:3])}, ...) is another than as "
            "numbers; give --labels FILE with a folder's name a line, in the model's order"
        )


def _images_in(folder: Path) -> list[Path]:
    files = sorted(
        item
        for item in folder.iterdir()
        if item.suffix.lower() in SUFFIXES and not item.name.startswith(".") and item.is_file()
    )
    if not files:
        raise UsageError(
            f"class folder {folder} holds no image ({', '.join(sorted(SUFFIXES))}); fill it or remove it"
        )
    return files


def _in_csv(path: Path, names: tuple[str, ...]) -> Images:
    rows = list(_csv_rows(path))
    if not rows:
        raise UsageError(f"{path} has no line after its header; give a line an image")
    told = [label for _, label in rows]
    files = tuple(file for file, _ in rows)
    if not names and all(label.lstrip("-").isdecimal() for label in told):
        return Images(path, files, tuple(int(label) for label in told))
    classes = names or tuple(sorted(set(told)))
    numbers = _numbers(names, path) if names else {name: number for number, name in enumerate(classes)}
    for number, label in enumerate(told, 2):
        if label not in numbers:
            raise UsageError(f"{path}, line {number}: --labels has no line for '{label}'")
    return Images(path, files, tuple(numbers[label] for label in told), classes)


def _csv_rows(path: Path) -> Iterator[tuple[Path, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            if not {"image", "label"} <= set(reader.fieldnames or ()):
                raise UsageError(f"{path} has no columns image,label; its first line must name them")
            for row in reader:
                yield _csv_row(path, reader.line_num, row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as CSV: {_reason(error)}") from error


def _csv_row(path: Path, number: int, row: dict[str, str | None]) -> tuple[Path, str]:
    image, label = (row["image"] or "").strip(), (row["label"] or "").strip()
    if not image or not label:
        raise UsageError(f"{path}, line {number}: give an image and its label")
    try:
        file = path.parent / image
        there = file.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise UsageError(f"{path}, line {number}: image {image[:200]} does not exist beside it")
    return file, label


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
