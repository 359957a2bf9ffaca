"""What the user asked for, whole: the one argument of everything that plans or runs."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex, cast

import msgspec

from inferometer.energy.meters.broker import Address
from inferometer.energy.meters.discover import check_names
from inferometer.energy.meters.selection import Selection
from inferometer.errors import UsageError
from inferometer.models.contract import ModelRequest
from inferometer.records import Protocol

ACCELERATORS = ("", "cpu", "cuda12", "cuda13")
LONGEST_S = 1e8  # three years; `select` takes no infinity
# far above what anyone measures, and low enough to fail at once instead of filling the memory first
MOST_IMAGES, MOST_LOOPS, MOST_WARMUP, MOST_ROUNDS, MOST_THREADS = 1_000_000, 100_000, 1_000_000, 10_000, 4096
LAST_SEED = 2**32 - 1  # numpy's and Keras's
REPORT_BATCH_SIZES = (8, 16, 32, 64, 128, 256, 512)


class RunRequest(msgspec.Struct, frozen=True):
    """A matrix to measure and how; `protocol.threads` 0 means every usable core."""

    model: ModelRequest = ModelRequest()
    frameworks: tuple[str, ...] = ("all",)
    batch_sizes: tuple[int, ...] = REPORT_BATCH_SIZES
    precisions: tuple[str, ...] = ("fp32",)
    modes: tuple[str, ...] = ("host",)
    devices: tuple[str, ...] = ("auto",)
    protocol: Protocol = Protocol()
    python: dict[str, Path] = {}  # framework or environment -> the user's own interpreter
    accelerator: str = ""  # cpu, cuda12, cuda13; "": by device and driver
    at_once: bool = False  # all devices at the same time; else in turn
    keep_trying: bool = False  # go on with larger batch sizes after one ran out of memory
    meters: tuple[str, ...] = ()  # terms of `energy.selection`; none: every meter of this machine
    powercap: str = ""  # folder that holds intel-rapl:0, where it is not the usual one
    tolerance: float | None = (
        None  # relative error of outputs that is no fault, instead of the limits of parity
    )

    def check(self) -> None:
        """Raise UsageError for what cannot be measured: a model or weights without a name, numbers beyond their limits."""
        for name, text in (("the model", self.model.model), ("--weights", self.model.weights)):
            if not text.strip():
                raise UsageError(f"{name} is empty; give a name or a file, or leave it out")
        protocol = self.protocol
        _within("--images", protocol.images, 1, MOST_IMAGES)
        _within("--loops", protocol.loops, 1, MOST_LOOPS)
        _within("--warmup", protocol.warmup, 0, MOST_WARMUP)
        _within("--rounds", protocol.rounds, 1, MOST_ROUNDS)
        _within("most_rounds", protocol.most_rounds, 0, MOST_ROUNDS)
        _within("--threads", protocol.threads, 0, MOST_THREADS)
        for seed in (protocol.seed, self.model.seed):
            _within("--seed", seed, 0, LAST_SEED)
        if not 0 < protocol.timeout_s <= LONGEST_S:
            raise UsageError(
                f"--timeout {protocol.timeout_s:g} is no time: give seconds above 0, {LONGEST_S:g} at most"
            )
        if not 0 <= protocol.budget_s <= LONGEST_S:
            raise UsageError(
                f"--budget {protocol.budget_s:g} is no time: give seconds, {LONGEST_S:g} at most, or 0 for none"
            )
        if self.accelerator not in ACCELERATORS:
            raise UsageError(
                f"unknown accelerator '{self.accelerator}' (known: {', '.join(filter(None, ACCELERATORS))})"
            )
        if self.tolerance is not None and not 0 < self.tolerance <= 1:
            raise UsageError(
                f"--tolerance {self.tolerance:g} is no relative error: give a share above 0, 1 at most, such as 0.01"
            )
        check_meters(self.meters)
        for size in self.batch_sizes:
            _within("--batch-sizes", size, 1, MOST_IMAGES)
            if size > protocol.images:
                raise UsageError(
                    f"batch size {size} is larger than the {protocol.images} images of a loop: "
                    f"raise --images to {size} or leave the batch size out"
                )

    def located(self) -> RunRequest:
        """Return the request with absolute paths, so that it means the same from any directory (`run --resume`).

        Links are kept: the interpreter of a virtual environment is known by the link's place.
        """
        python = {name: path.absolute() for name, path in self.python.items()}
        powercap = str(Path(self.powercap).absolute()) if self.powercap else ""
        return msgspec.structs.replace(self, model=self.model.located(), python=python, powercap=powercap)


def check_meters(terms: Iterable[str]) -> None:
    """Raise UsageError for terms that name no meter, before anything is built or measured."""
    selection = Selection.parse(terms)
    addresses = [*selection.urls, *os.environ.get("INFEROMETER_MQTT", "").split()]
    check_names(selection, addresses)
    for url in selection.urls:
        Address.parse(url)


def _within(option: str, value: int, least: int, most: int) -> None:
    if value < least:
        raise UsageError(f"{option} {value} is too small: give at least {least}")
    if value > most:
        raise UsageError(f"{option} {_digits(value)} is too large: give at most {most}")


def _digits(value: int) -> str:
    """Return a number for a message; Python writes none of thousands of digits."""
    return str(value) if value < 10**30 else "of more than 30 digits"


def whole(option: str, value: SupportsIndex) -> int:
    """Return a whole number of any kind (numpy's too) as Python's; UsageError for anything else."""
    try:
        return operator.index(value)
    except TypeError:
        raise UsageError(f"{option} {value!r} is no whole number") from None


def real(option: str, value: SupportsFloat) -> float:
    """Return a number of any kind (numpy's too) as Python's; UsageError for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{option} {value!r} is no number") from None


def batch_sizes_of(given: str | SupportsIndex | Iterable[SupportsIndex]) -> tuple[int, ...]:
    """Return ascending sizes from text (`parse_batch_sizes`), one number or several; UsageError for anything else."""
    if isinstance(given, str):
        return parse_batch_sizes(given)
    try:
        sizes = list(cast("Iterable[SupportsIndex]", given))
    except TypeError:  # one number; numpy's arrays of no dimension cannot be iterated over either
        sizes = [cast("SupportsIndex", given)]
    return tuple(sorted({whole("batch size", size) for size in sizes}))


def parse_batch_sizes(text: str) -> tuple[int, ...]:
    """Return ascending sizes from '8,16,64' or '8..512' (powers of two from the first to the last)."""
    sizes: set[int] = set()
    for part in (part.strip() for part in text.split(",")):
        span = re.fullmatch(r"(\d{1,30})\.\.(\d{1,30})", part)
        if span:
            sizes |= set(_doubling(int(span[1]), int(span[2]), part))
        elif re.fullmatch(r"-?\d{1,30}", part):
            sizes.add(int(part))
        else:
            raise UsageError(f"batch size '{part}' is no whole number and no span: write 8,16,32 or 8..512")
    return tuple(sorted(sizes))


def _doubling(first: int, last: int, text: str) -> Iterable[int]:
    if not 1 <= first <= last:
        raise UsageError(
            f"batch sizes '{text}': a span goes from at least 1 up to a larger number, as in 8..512"
        )
    size = first
    while size <= last:
        yield size
        size *= 2


def to_builtins(request: RunRequest) -> dict[str, Any]:
    """Return the request as JSON data, for run.json."""
    data: dict[str, Any] = msgspec.to_builtins(request, enc_hook=str)
    return data


def from_builtins(data: dict[str, Any]) -> RunRequest:
    """Return the request that `to_builtins` stored."""
    return msgspec.convert(data, RunRequest, dec_hook=lambda kind, value: kind(value))
