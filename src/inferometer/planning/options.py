"""Every option of a measurement, once: `inferometer run`, `inferometer.run` and the request are made from this table.

To add one, add an entry: the keyword of `inferometer.run` with its type, the name on the command line, the kind of value,
the help and the request's field that it fills. A field that does not exist yet is added to `RunRequest` or `Protocol`, with
what it was before there was an option: stored requests of older versions are read with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict, get_args, get_type_hints

from inferometer.planning import kinds
from inferometer.planning.accuracy_options import AccuracyOptions
from inferometer.planning.kinds import Kind
from inferometer.planning.load_options import LoadOptions
from inferometer.planning.option import Option
from inferometer.planning.presets import PRESETS

ACCELERATORS = ("cpu", "cuda12", "cuda13")
PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8", "int8-weights")
MODES = ("host", "device", "host-pipelined")
# far above what anyone measures, and low enough to fail at once instead of filling the memory first
MOST_IMAGES, MOST_LOOPS, MOST_WARMUP, MOST_ROUNDS, MOST_THREADS = 1_000_000, 100_000, 1_000_000, 10_000, 4096
LAST_SEED = 2**32 - 1  # numpy's and Keras's


class MatrixOptions(TypedDict, total=False):
    """What is measured."""

    preset: Annotated[
        str,
        Option("--preset", Kind(), f"Protocol: {', '.join(PRESETS)}.", default="standard"),
    ]
    frameworks: Annotated[
        str | Iterable[str],
        Option(
            "--frameworks", kinds.names(), "tf,onnxrt@1.30.0,torch:channels_last,... or all.", ("frameworks",),
            default="all",
        ),
    ]  # fmt: skip
    batch_sizes: Annotated[
        str | int | Iterable[int] | None,
        Option(
            "--batch-sizes", kinds.batch_sizes(MOST_IMAGES),
            "8,16,64 or 8..512 (powers of two).  [default: the preset's]", ("batch_sizes",),
        ),
    ]  # fmt: skip
    precisions: Annotated[
        str | Iterable[str],
        Option(
            "--precisions", kinds.names_of("precision", PRECISIONS),
            "fp32,tf32,fp16,bf16,int8,int8-weights (quantised after training).", ("precisions",), default="fp32",
        ),
    ]  # fmt: skip
    modes: Annotated[
        str | Iterable[str],
        Option(
            "--modes", kinds.names_of("mode", MODES),
            "host (numpy to numpy), device (resident), host-pipelined.", ("modes",), default="host",
        ),
    ]  # fmt: skip
    device: Annotated[
        str | Iterable[str],
        Option(
            "--device", kinds.names(),
            "cpu, cuda:N (as nvidia-smi counts), auto (the first visible GPU, or cpu); several with commas.",
            ("devices",), default="auto",
        ),
    ]  # fmt: skip
    at_once: Annotated[
        bool,
        Option(
            "--at-once", kinds.switch(),
            "Measure several devices at the same time, not in turn; every row says so.", ("at_once",), default=False,
        ),
    ]  # fmt: skip


class ProtocolOptions(TypedDict, total=False):
    """How it is measured."""

    images: Annotated[int | None, Option("--images", kinds.whole(1, MOST_IMAGES), "Images a loop.", ("protocol.images",))]  # fmt: skip
    loops: Annotated[
        int | None,
        Option("--loops", kinds.whole(1, MOST_LOOPS), "Loops a cell and round.", ("protocol.loops",)),
    ]
    warmup: Annotated[
        int | None,
        Option("--warmup", kinds.whole(0, MOST_WARMUP), "Batches before the loops.", ("protocol.warmup",)),
    ]
    rounds: Annotated[
        int | None,
        Option(
            "--rounds", kinds.whole(1, MOST_ROUNDS),
            "Fresh processes a cell.  [default: the preset's, which may grow with the noise]", ("protocol.rounds",),
        ),
    ]  # fmt: skip
    budget_s: Annotated[
        float | None,
        Option(
            "--budget", kinds.seconds(zero=True), "Seconds after which a slow cell's loops end (0: never).",
            ("protocol.budget_s",),
        ),
    ]  # fmt: skip
    time_limit_s: Annotated[
        float | None,
        Option(
            "--time-limit", kinds.seconds(zero=True),
            "Seconds for all rounds: one that would not fit is not begun, the first always is (0: none).",
            ("protocol.time_limit_s",),
        ),
    ]  # fmt: skip
    timeout_s: Annotated[
        float | None,
        Option(
            "--timeout", kinds.seconds(zero=False), "Seconds after which a cell is stopped; a step that prepares the model, after six times as many.", ("protocol.timeout_s",)
        ),
    ]  # fmt: skip
    energy_window_s: Annotated[
        float | None,
        Option(
            "--energy-window", kinds.seconds(zero=True),
            "Seconds that a cell's loops last at least, so that meters can tell.  [default: as these need]",
            ("protocol.energy_window_s",),
        ),
    ]  # fmt: skip
    threads: Annotated[
        int | None,
        Option(
            "--threads", kinds.whole(0, MOST_THREADS),
            "CPU threads of every framework; 0, the default: all usable cores, with --at-once shared evenly.",
            ("protocol.threads",),
        ),
    ]  # fmt: skip
    seed: Annotated[
        int | None,
        Option(
            "--seed", kinds.whole(0, LAST_SEED), "Of random weights, generated inputs and the order.",
            ("protocol.seed", "model.seed"),
        ),
    ]  # fmt: skip
    keep_trying: Annotated[
        bool,
        Option(
            "--keep-trying", kinds.switch(), "Go on with larger batch sizes after one ran out of memory.",
            ("keep_trying",), default=False,
        ),
    ]  # fmt: skip


class ModelOptions(TypedDict, total=False):
    """The model and what it is fed."""

    weights: Annotated[
        str | Path,
        Option(
            "--weights", kinds.name_or_file(), "random, imagenet, pretrained, or a file.",
            ("model.weights",), "random",
        ),
    ]  # fmt: skip
    architecture: Annotated[
        str,
        Option(
            "--architecture", kinds.text(),
            "Of a file of PyTorch weights: timm:NAME, torchvision:NAME, hf:FOLDER or FILE.py:FACTORY.",
            ("model.architecture",), "",
        ),
    ]  # fmt: skip
    image: Annotated[
        str | Path | Iterable[str | Path] | None,
        Option("--image", kinds.paths(), "A photo or a folder of them.", ("model.images",)),
    ]
    inputs: Annotated[
        str | Path | Mapping[str, Any] | None,
        Option("--input", kinds.path(), "FILE.npz with an array per input, FILE.npy for one, or a folder of INPUT.npy.", ("model.inputs",)),
    ]  # fmt: skip
    shapes: Annotated[
        Mapping[str, int] | None,
        Option("--shape", kinds.named_sizes(), "NAME=N or INPUT.AXIS=N for an open dimension.", ("model.shapes",)),
    ]  # fmt: skip
    batch_axes: Annotated[
        Mapping[str, int | None] | None,
        Option(
            "--batch-axis", kinds.named_axes(),
            "INPUT=AXIS where the rows of an ONNX input do not come first; INPUT=none: the same for every row.",
            ("model.batch_axes",),
        ),
    ]  # fmt: skip
    input_ranges: Annotated[
        Mapping[str, tuple[float, float] | float] | None,
        Option(
            "--input-range", kinds.named_ranges(), "NAME=LOW:HIGH, or NAME=VALUE, for a generated input.",
            ("model.input_ranges",),
        ),
    ]  # fmt: skip
    calibration: Annotated[
        str | Path | None,
        Option(
            "--calibration", kinds.path(), "Rows (.npz) or a folder of photos for int8.  [default: the inputs]",
            ("model.calibration",),
        ),
    ]  # fmt: skip
    tolerance: Annotated[
        float | None,
        Option(
            "--tolerance", kinds.relative_error(),
            "Relative error of outputs that is no fault, such as 0.01, instead of the limits of parity; every table says so.",
            ("tolerance",),
        ),
    ]  # fmt: skip
    trust_model: Annotated[
        bool,
        Option(
            "--trust-model", kinds.switch(), "Let a model run code of its own: Lambda layers, pickles, FILE.py:FACTORY.",
            ("model.trust_model",), default=False,
        ),
    ]  # fmt: skip


class PlaceOptions(TypedDict, total=False):
    """What it is measured with."""

    python: Annotated[
        Mapping[str, str | Path] | None,
        Option(
            "--python", kinds.named_paths(), "NAME=PATH: an interpreter that has the framework.", ("python",)
        ),
    ]
    accelerator: Annotated[
        str,
        Option(
            "--accelerator", kinds.one_of("accelerator", ACCELERATORS),
            "cuda12 or cuda13 requirements instead of the choice by driver and GPU.", ("accelerator",), default="",
        ),
    ]  # fmt: skip
    meters: Annotated[
        Iterable[str],
        Option(
            "--meter", kinds.meter_terms(),
            "Meters to use: nvml, rapl, type=gpu, name=*H100*, uid=...; !TERM to leave out; mqtt://host:1883/topic to "
            "add.", ("meters",), default=(), metavar="TERM",
        ),
    ]  # fmt: skip
    powercap: Annotated[
        str | Path,
        Option(
            "--powercap", kinds.folder(), "Folder that holds intel-rapl:0 (where a container mounts the host's).",
            ("powercap",), default="", metavar="DIR",
        ),
    ]  # fmt: skip


class Options(
    MatrixOptions, ProtocolOptions, LoadOptions, ModelOptions, AccuracyOptions, PlaceOptions, total=False
):
    """The keywords of `inferometer.run`."""


_GROUPS: Mapping[str, type] = {
    "What is measured": MatrixOptions,
    "How it is measured": ProtocolOptions,
    "Under load, by MLPerf's LoadGen": LoadOptions,
    "The model and what it is fed": ModelOptions,
    "Accuracy on your own data": AccuracyOptions,
    "What it is measured with": PlaceOptions,
}
_HINTS = get_type_hints(Options, include_extras=True)
# title in the help -> keywords
GROUPS: Mapping[str, tuple[str, ...]] = {
    title: tuple(group.__annotations__) for title, group in _GROUPS.items()
}
OPTIONS: Mapping[str, Option] = {
    name: get_args(_HINTS[name])[1] for names in GROUPS.values() for name in names
}


def type_of(name: str) -> Any:
    """Return what a program may give for an option."""
    return get_args(_HINTS[name])[0]


def fields_of(given: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """Return what the options given, and the defaults of the others, put into each part of a request ("": itself).

    None means not given. TypeError for a keyword that is no option, as for any function.
    """
    for name in given:
        if name not in OPTIONS:
            raise TypeError(f"run() got an unexpected keyword argument '{name}'")
    parts: dict[str, dict[str, Any]] = {"": {}, "model": {}, "protocol": {}, "load": {}}
    for name, option in OPTIONS.items():
        value = given.get(name)
        value = option.default if value is None else value
        for field in option.fills if value is not None else ():
            part, _, key = field.rpartition(".")
            parts[part][key] = option.kind.read(option.flag, value)
    return parts
