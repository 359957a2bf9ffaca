"""Kinds of value that an option may take: as words of the command line, from a program, and within which limits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from inferometer.errors import UsageError
from inferometer.planning import values

LONGEST_S = 1e8  # three years; `select` takes no infinity


def _as_given(option: str, value: Any) -> Any:
    return value


def _any(option: str, value: Any) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How values of one kind are read and judged; each function is told the option's name, for its UsageError."""

    word: Literal["text", "whole", "real", "switch", "path", "folder"] = "text"  # on the command line
    many: bool = False  # the command line may give it several times
    from_words: Callable[[str, Any], Any] = _as_given  # what the command line gives -> what a program gives
    read: Callable[[str, Any], Any] = _as_given  # what a program gives -> what the request holds
    check: Callable[[str, Any], None] = _any  # what the request holds, also a stored one


def whole(least: int, most: int) -> Kind:
    """A whole number within limits."""
    return Kind(
        word="whole", read=values.whole, check=lambda option, value: values.within(option, value, least, most)
    )


def seconds(*, zero: bool) -> Kind:
    """A time; ``zero``: none may be given."""
    above, none = ("", ", or 0 for none") if zero else (" above 0", "")

    def check(option: str, value: float) -> None:
        if not (0 < value <= LONGEST_S or (zero and value == 0)):
            raise UsageError(
                f"{option} {value:g} is no time: give seconds{above}, {LONGEST_S:g} at most{none}"
            )

    return Kind(word="real", read=values.real, check=check)


def durations() -> Kind:
    """Times above 0: "20ms", "10ms,1.5s", or numbers of seconds."""

    def check(option: str, given: Iterable[float]) -> None:
        for value in given:
            if not 0 < value <= LONGEST_S:
                raise UsageError(f"{option} {value:g} s is no time to keep: give one above 0, such as 20ms")

    return Kind(read=values.durations, check=check)


def milliseconds() -> Kind:
    """Times from 0 on: "0,2" or [0, 2] in ms, held in seconds."""

    def check(option: str, given: Iterable[float]) -> None:
        for value in given:
            if not 0 <= value <= LONGEST_S:
                raise UsageError(f"{option} {value * 1e3:g} is no time to wait: give milliseconds from 0 on")

    return Kind(read=values.milliseconds, check=check)


def one_number_of(noun: str, known: Iterable[float]) -> Kind:
    """One of some numbers."""

    def check(option: str, value: float) -> None:
        if value not in known:
            raise UsageError(
                f"{option} {value:g}: give a {noun} of {', '.join(f'{each:g}' for each in known)}"
            )

    return Kind(word="real", read=values.real, check=check)


def relative_error() -> Kind:
    """A share above 0; none given is None."""

    def check(option: str, value: float | None) -> None:
        if value is not None and not 0 < value <= 1:
            raise UsageError(
                f"{option} {value:g} is no relative error: give a share above 0, 1 at most, such as 0.01"
            )

    return Kind(word="real", read=values.real, check=check)


def switch() -> Kind:
    """Yes or no."""
    return Kind(word="switch")


def name_or_file() -> Kind:
    """A name, or the path of a file, as text."""

    def check(option: str, value: str) -> None:
        if not value.strip():
            raise UsageError(f"{option} is empty; give a name or a file, or leave it out")

    return Kind(read=lambda option, value: str(value), check=check)


def text() -> Kind:
    """A text, "" for none."""
    return Kind(read=lambda option, value: str(value))


def one_of(noun: str, known: Iterable[str]) -> Kind:
    """One of some names, or "" for none."""
    return Kind(check=lambda option, value: _check_known(noun, [value] if value else [], known))


def names() -> Kind:
    """Several names: "a,b" or ["a", "b"]."""
    return Kind(read=values.names)


def names_of(noun: str, known: Iterable[str]) -> Kind:
    """Several out of some names."""
    return Kind(read=values.names, check=lambda option, given: _check_known(noun, given, known))


def _check_known(noun: str, given: Iterable[str], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise UsageError(f"unknown {noun} '{name}' (known: {', '.join(known)})")


def batch_sizes(most: int, noun: str = "batch size") -> Kind:
    """Sizes, or other counts: "8,16", "8..512", 8 or [8, 16]."""

    def check(option: str, sizes: Iterable[int]) -> None:
        for size in sizes:
            values.within(option, size, 1, most)

    return Kind(read=lambda option, value: values.batch_sizes(option, value, noun), check=check)


def path() -> Kind:
    """A file; "" means none."""
    return Kind(word="path", read=lambda option, value: Path(value) if value else None)


def paths() -> Kind:
    """Files or folders."""
    return Kind(word="path", many=True, read=values.paths)


def folder() -> Kind:
    """A folder, as text; "" means none."""
    return Kind(word="folder", read=lambda option, value: str(value))


def named_sizes() -> Kind:
    """A whole number by name: NAME=N on the command line."""
    return Kind(many=True, from_words=values.word_sizes, read=values.sizes)


def named_ranges() -> Kind:
    """Two numbers, or one, by name: NAME=LOW:HIGH or NAME=VALUE on the command line."""
    return Kind(many=True, from_words=values.word_ranges, read=values.ranges)


def named_axes() -> Kind:
    """An axis or none by name: NAME=AXIS or NAME=none on the command line."""
    return Kind(many=True, from_words=values.word_axes, read=values.axes)


def named_paths() -> Kind:
    """A path by name: NAME=PATH on the command line."""
    return Kind(
        many=True,
        from_words=values.word_pairs,
        read=lambda option, given: {name: Path(path) for name, path in given.items()},
    )


def meter_terms() -> Kind:
    """Terms that choose meters (`energy.meters.selection`); checked before anything is built or measured."""

    def check(option: str, terms: tuple[str, ...]) -> None:
        from inferometer.energy.meters import broker, redfish_service
        from inferometer.energy.meters.discover import check_names
        from inferometer.energy.meters.selection import Selection

        selection = Selection.parse(terms)
        check_names(selection, os.environ)
        for url in selection.urls_of("mqtt"):
            broker.Address.parse(url)
        for url in selection.urls_of("redfish"):
            redfish_service.Address.parse(url)

    return Kind(many=True, read=lambda option, terms: tuple(terms), check=check)


def preprocessing() -> Kind:
    """How images become a model's input (`models.datasets.preprocessing`): a text, or a mapping; "" means none."""

    def read(option: str, value: Any) -> str:
        from inferometer.models.datasets.preprocessing import written

        return written(value)

    def check(option: str, text: str) -> None:
        from inferometer.models.datasets.preprocessing import parsed

        parsed(text)

    return Kind(read=read, check=check)
