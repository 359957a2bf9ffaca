"""What the user asked for, whole: the one argument of everything that plans or runs."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any, Unpack

import msgspec

from inferometer.errors import UsageError, unknown
from inferometer.models.contract import ModelRequest
from inferometer.models.datasets.request import DatasetRequest
from inferometer.planning import values
from inferometer.planning.load_request import LoadRequest
from inferometer.planning.options import MOST_ROUNDS, OPTIONS, Options, fields_of
from inferometer.planning.presets import PRESETS, STUDY_BATCH_SIZES
from inferometer.records import Protocol


class RunRequest(msgspec.Struct, frozen=True):
    """A matrix to measure and how; `protocol.threads` 0 means every usable core."""

    model: ModelRequest = ModelRequest()
    frameworks: tuple[str, ...] = ("all",)
    batch_sizes: tuple[int, ...] = STUDY_BATCH_SIZES
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

    load: LoadRequest = LoadRequest()
    dataset: Path | None = None  # the user's own data, on which rows are evaluated
    labels: Path | None = None  # their classes, in the model's order
    preprocess: str = ""  # `models.datasets.preprocessing`

    @property
    def data(self) -> DatasetRequest | None:
        """Return what is asked to be evaluated, None for nothing."""
        return DatasetRequest(self.dataset, self.labels, self.preprocess) if self.dataset else None

    def check(self) -> None:
        """Raise UsageError for what cannot be measured: a model without a name, values beyond their option's limits."""
        if not self.model.model.strip():
            raise UsageError("the model is empty; give a name or a file, or leave it out")
        for option in OPTIONS.values():
            for field in option.fills:
                option.kind.check(option.flag, attrgetter(field)(self))
        values.within("most_rounds", self.protocol.most_rounds, 0, MOST_ROUNDS)
        self.load.check()
        if not self.dataset and (self.labels or self.preprocess):
            given = "--labels" if self.labels else "--preprocess"
            raise UsageError(f"{given} is for --dataset; give one, or leave it out")
        for size in self.batch_sizes:
            if size > self.protocol.images:
                raise UsageError(
                    f"batch size {size} is larger than the {self.protocol.images} images of a loop: "
                    f"raise --images to {size} or leave the batch size out"
                )

    def check_used(self) -> None:
        """Raise UsageError for an option that changes nothing. Stored runs that have one are resumed all the same."""
        self.load.check_used()
        if self.model.calibration and "int8" not in self.precisions:
            raise UsageError("--calibration is for --precisions int8: give that too, or leave it out")

    def located(self) -> RunRequest:
        """Return the request with absolute paths, so that it means the same from any directory (`run --resume`).

        Links are kept: the interpreter of a virtual environment is known by the link's place.
        """
        python = {name: path.absolute() for name, path in self.python.items()}
        powercap = str(Path(self.powercap).absolute()) if self.powercap else ""
        return msgspec.structs.replace(
            self,
            model=self.model.located(),
            python=python,
            powercap=powercap,
            dataset=self.dataset and self.dataset.absolute(),
            labels=self.labels and self.labels.absolute(),
        )


def make_request(model: str | Path = ModelRequest.model, **options: Unpack[Options]) -> RunRequest:
    """Return what the options ask for: the preset's numbers, replaced by those that are given (None: not given).

    UsageError for what cannot be measured.
    """
    fields = fields_of(options)
    name = options.get("preset") or OPTIONS["preset"].default
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    preset = PRESETS[name]
    if "rounds" in fields["protocol"]:
        fields["protocol"]["most_rounds"] = 0  # a number that is asked for stays
    if "loops" in fields["protocol"]:
        fields["protocol"]["least_s"] = 0.0
    protocol = msgspec.structs.replace(preset.protocol, **fields["protocol"])
    sizes = tuple(size for size in preset.batch_sizes if size <= protocol.images)
    asked = ModelRequest(str(model), **fields["model"])
    request = RunRequest(
        model=asked,
        protocol=protocol,
        load=LoadRequest(**fields["load"]),
        **{"batch_sizes": sizes, **fields[""]},
    )
    request.check()
    request.check_used()
    return request.located()


def to_builtins(request: RunRequest) -> dict[str, Any]:
    """Return the request as JSON data, for run.json."""
    data: dict[str, Any] = msgspec.to_builtins(request, enc_hook=str)
    return data


def from_builtins(data: dict[str, Any]) -> RunRequest:
    """Return the request that `to_builtins` stored."""
    return msgspec.convert(data, RunRequest, dec_hook=lambda kind, value: kind(value))
