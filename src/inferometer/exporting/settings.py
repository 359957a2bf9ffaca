"""Which template a row takes, what its constants become, and which rows cannot be exported and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from inferometer.device import Device
from inferometer.errors import UsageError
from inferometer.exporting.assembled import constants_of, has_template
from inferometer.frameworks.catalogue import FrameworkChoice, parse_choice
from inferometer.models.contract import Artifact
from inferometer.precisions import holds_integers
from inferometer.records import Cell
from inferometer.worker.backends.jax import MATMUL
from inferometer.worker.backends.openvino import HINTS
from inferometer.worker.backends.parts.copier import copying_threads
from inferometer.worker.backends.torch import TYPES, inductor_mode

_UNTESTED = ("tensorrt", "torch_tensorrt", "tftrt")


@dataclass(frozen=True)
class Row:
    """A cell with all that decides how its framework was driven."""

    cell: Cell
    choice: FrameworkChoice
    artifact: Artifact
    threads: int
    trust: bool = False  # code in the model's file may run

    @property
    def precision(self) -> str:
        """Return the precision that its backend was asked for."""
        return precision_of(self.cell, self.choice)

    @property
    def options(self) -> Mapping[str, Any]:
        """Return the framework's and the variants' settings."""
        return self.choice.options

    @property
    def on_gpu(self) -> bool:
        """Return whether it was measured on a GPU."""
        return Device.parse(self.cell.device).kind == "cuda"


@dataclass(frozen=True)
class Settings:
    """A template, its constants, and which of its parts another takes the place of."""

    template: str
    constants: dict[str, Any]
    parts: dict[str, str] = field(default_factory=dict)
    memory_layout: str = ""  # of images, where it differs from the artifact's


def settings_of(row: Row) -> Settings:
    """Return what infer.py of a row is made of; UsageError for one that cannot be exported."""
    refuse(row.cell, row.choice)
    found = _of_backend(row)
    common = {
        "ARTIFACT": row.artifact.path.name,
        "BATCH": row.cell.batch_size,
        "THREADS": row.threads,
        "DEVICE": Device.parse(row.cell.device).kind,
    }
    return Settings(found.template, {**common, **found.constants}, found.parts, found.memory_layout)


def refuse(cell: Cell, choice: FrameworkChoice) -> None:
    """Raise UsageError for a cell that nothing here could write and test."""
    if cell.mode != "host":
        raise UsageError(
            f"{cell.key} was measured in mode '{cell.mode}', and infer.py takes numpy and gives numpy: name a cell of mode host"
        )
    backend = choice.framework.backend
    if backend in _UNTESTED or choice.options.get("provider"):
        raise UsageError(
            f"{cell.framework} cannot be exported: TensorRT's libraries are on no package registry, so that its infer.py "
            "could be tested nowhere; name a cell of another framework"
        )
    if backend not in _BACKENDS and not has_template(backend):
        raise UsageError(
            f"{cell.framework} cannot be exported: there is no template for its backend '{backend}' "
            "(docs/adding-a-framework.md tells how to write one); name a cell of another framework"
        )


def precision_of(cell: Cell, choice: FrameworkChoice) -> str:
    """Return the precision that a cell's backend was asked for, which its model's file need not be."""
    return choice.framework.opened_at(cell.precision, Device.parse(cell.device).kind)


def choice_of(cell: Cell) -> FrameworkChoice:
    """Return the framework of a cell; UsageError where this version does not know it."""
    return parse_choice(cell.framework)


def _of_backend(row: Row) -> Settings:
    backend = row.choice.framework.backend
    if backend in _BACKENDS:
        return _BACKENDS[backend](row)
    known = constants_of(backend)
    return Settings(backend, {name: value for name, value in _names(row).items() if name in known})


def _names(row: Row) -> dict[str, Any]:
    artifact = row.artifact
    return {
        "INPUTS": [spec.name for spec in artifact.inputs],
        "OUTPUTS": [spec.name for spec in artifact.outputs],
    }


def _onnxruntime(row: Row) -> Settings:
    if row.on_gpu:
        kinds = {"HALF": row.precision == "fp16", "TF32": row.precision == "tf32"}
        ways = {"GRAPH": bool(row.options.get("cudagraph")), "COPIED": bool(row.options.get("naive"))}
        return Settings("onnxruntime_cuda", {**kinds, **ways})
    if plugin := row.options.get("plugin"):
        return Settings("onnxruntime_plugin", {"PLUGIN": plugin})
    return Settings("onnxruntime_bound" if row.options.get("binding") else "onnxruntime", {})


def _openvino(row: Row) -> Settings:
    execution = "ACCURACY" if row.precision == "fp32" else "PERFORMANCE"
    constants = {"PRECISION": HINTS[row.precision], "EXECUTION": execution}
    return Settings("openvino", {**constants, **_names(row)})


def _tensorflow(row: Row) -> Settings:
    options = row.options
    shared = {"XLA": bool(options.get("xla")), "SHARED": not options.get("naive")}
    shared |= {"TF32": row.precision == "tf32"} if row.on_gpu else {}
    parts = {"tensorflow_host": "tensorflow_cuda"} if row.on_gpu else {}
    if row.artifact.form != "keras":
        return Settings("tensorflow_saved", {**shared, **_names(row)}, parts)
    kinds = {"FUNCTION": bool(options.get("function")), "PREDICT": bool(options.get("predict"))}
    return Settings("tensorflow_keras", {**shared, **kinds, "TRUST": row.trust}, parts)


def _torch(row: Row) -> Settings:
    options = row.options
    compiled = bool(options.get("compile"))
    constants = {
        "PRECISION": TYPES[row.precision],
        "COMPILE": compiled,
        "MODE": inductor_mode(options) or "",
        "AUTOCAST": bool(options.get("autocast")),
        "COPIED": bool(options.get("naive")),
    }
    if not row.on_gpu:
        return _of_program("torch", row, constants, by_inductor=compiled)
    ways = {"TF32": row.precision == "tf32", "GRAPH": bool(options.get("cudagraph"))}
    return _of_program("torch_cuda", row, {**constants, **ways}, by_inductor=False)


def _torch_aot(row: Row) -> Settings:
    return _of_program("torch_aot", row, {"PRECISION": TYPES[row.precision]}, by_inductor=True)


def _of_program(template: str, row: Row, constants: dict[str, Any], *, by_inductor: bool) -> Settings:
    last = bool(row.options.get("channels_last"))
    parts, own = _program(row, by_inductor=by_inductor)
    return Settings(template, {**constants, **own, "CHANNELS_LAST": last}, parts, "NHWC" if last else "")


def _executorch(row: Row) -> Settings:
    parts, constants = _program(row, by_inductor=False)
    return Settings("executorch", constants, parts)


def _program(row: Row, *, by_inductor: bool) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the part that loads the program, where it is not the plain one, and its constants."""
    if row.precision == "int8" or holds_integers(row.cell.precision):
        return {"program": "program_quantised"}, {"INDUCTOR": by_inductor}
    return {}, {}


def _jax(row: Row) -> Settings:
    pieces = copying_threads(row.threads) if row.on_gpu and not row.options.get("naive") else 1
    if row.artifact.form == "jaxexport":
        return Settings("jax", {"PIECES": pieces})
    return Settings("jax_keras", {"PIECES": pieces, "PRODUCTS": MATMUL[row.precision], "TRUST": row.trust})


# Backends whose template depends on the row. Any other has the template of its name, which is given the names it declares.
_BACKENDS: Mapping[str, Callable[[Row], Settings]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "tensorflow": _tensorflow,
    "torch": _torch,
    "torch_aot": _torch_aot,
    "executorch": _executorch,
    "jax": _jax,
}
