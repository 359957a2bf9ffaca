"""From an ONNX file to a serialised TensorRT engine: `tensorrt` 8 to 11 and `tensorrt_rtx`, whose interfaces agree.

Building needs no GPU with `tensorrt_rtx` and a named target; `tensorrt` tries kernels on the GPU it builds for.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.worker.backends.parts import trt_onnx
from inferometer.worker.failures import Unsupported

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8")
_TYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "int8": "int8"}
_WEAK_FLAGS = {"fp16": ("FP16",), "bf16": ("BF16",), "int8": ("INT8", "FP16")}


@dataclass(frozen=True)
class Engine:
    """A serialised engine and how it came about."""

    data: bytes
    facts: dict[str, Any]  # typing, target, layer_types, build_s, cached, ...: what `actual` shows


def build_engine(
    trt: Any,
    onnx: Path,
    precision: str,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    target: str = "",
    device: str = "",
    cache: Path | None = None,
) -> Engine:
    """Return an engine for inputs of exactly ``shapes`` (name -> shape), from ``cache`` if it is there.

    ``target`` names a compute capability to build for without its GPU (sm_86; `tensorrt_rtx` only); empty: the GPU of
    this process, whose name and capability ``device`` gives for the cache's key. Raises Unsupported for a precision or
    target that the builder lacks, RuntimeError with the builder's own words where it fails.
    """
    if precision not in PRECISIONS:
        raise Unsupported(f"{trt.__name__} builds {', '.join(PRECISIONS)}, not {precision}")
    if precision == "int8" and not trt_onnx.is_quantized(onnx):
        raise Unsupported("int8 needs an ONNX file with QuantizeLinear nodes; calibration is not done here")
    folder = cache / _key(trt, onnx, precision, shapes, target or device) if cache else None
    if folder and (folder / "facts.json").exists():
        facts = json.loads((folder / "facts.json").read_text())
        return Engine((folder / "engine.plan").read_bytes(), {**facts, "cached": True})
    timing = cache / f"timing-{_digest(trt.__version__, target or device)}.cache" if cache else None
    engine = _Build(trt, onnx, precision).run(shapes, target, timing)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "engine.plan").write_bytes(engine.data)
        (folder / "facts.json").write_text(json.dumps(engine.facts))  # last: says that the entry is whole
    return engine


def is_strongly_typed(trt: Any) -> bool:
    """Return whether precision must be in the graph: TensorRT 11 and RTX have no precision flags any more."""
    return not hasattr(trt.BuilderFlag, "FP16")


def targets(trt: Any) -> tuple[str, ...]:
    """Return the targets that can be built for without their GPU: ("sm_75", ...), none for plain TensorRT."""
    kinds = getattr(trt, "ComputeCapability", None)
    names = kinds.__members__ if kinds else ()
    return tuple(f"sm_{name[2:]}" for name in names if name.startswith("SM"))


@functools.cache
def logger(trt: Any) -> Any:
    """Return the process' one logger for a module: TensorRT keeps the first that it is given and ignores others.

    Builders answer None and write the reason elsewhere, so its attribute `last` holds the last error.
    """
    errors = (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR)

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.last = ""

        def log(self, severity: Any, message: str) -> None:
            if severity in errors:
                self.last = message
            if severity in (*errors, trt.ILogger.WARNING):
                sys.stdout.write(f"{trt.__name__}: {message}\n")  # the worker's log
                sys.stdout.flush()

    return Logger()


class _Build:
    """One build."""

    def __init__(self, trt: Any, onnx: Path, precision: str) -> None:
        self._trt = trt
        self._onnx = onnx
        self._precision = precision
        self._log = logger(trt)
        self._strong = is_strongly_typed(trt)

    def run(self, shapes: Mapping[str, tuple[int, ...]], target: str, timing: Path | None) -> Engine:
        trt = self._trt
        start = time.monotonic()
        self._log.last = ""
        builder = trt.Builder(self._log)
        if builder is None:
            raise RuntimeError(self._said("cannot make a builder"))
        network = builder.create_network(self._network_flags())
        self._parse(network)
        config = builder.create_builder_config()
        self._set_precision(config)
        self._set_target(config, target)
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        self._add_profile(builder, network, config, shapes)
        cache = self._timing_cache(config, timing)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise RuntimeError(self._said("the build failed"))
        if cache is not None and timing:
            timing.parent.mkdir(parents=True, exist_ok=True)
            timing.write_bytes(memoryview(config.get_timing_cache().serialize()))
        return Engine(bytes(plan), self._facts(network, config, target, time.monotonic() - start))

    def _network_flags(self) -> int:
        kinds = self._trt.NetworkDefinitionCreationFlag
        if self._strong:
            return 1 << int(kinds.STRONGLY_TYPED)
        return 1 << int(kinds.EXPLICIT_BATCH)

    def _parse(self, network: Any) -> None:
        parser = self._trt.OnnxParser(network, self._log)
        if self._strong and self._precision in ("fp16", "bf16"):
            model = trt_onnx.to_half(self._onnx, self._precision)
        else:
            model = self._onnx.read_bytes()
        if not parser.parse(model, path=str(self._onnx)):
            errors = "; ".join(str(parser.get_error(i).desc()) for i in range(parser.num_errors))
            raise Unsupported(f"{self._trt.__name__} cannot parse the ONNX file: {errors or self._log.last}")

    def _set_precision(self, config: Any) -> None:
        flags = self._trt.BuilderFlag
        if self._precision == "tf32":
            config.set_flag(flags.TF32)
        else:
            config.clear_flag(flags.TF32)  # on by default
        if self._strong:
            return
        for name in _WEAK_FLAGS.get(self._precision, ()):
            if not hasattr(flags, name):
                raise Unsupported(f"{self._trt.__name__} {self._trt.__version__} has no {self._precision}")
            config.set_flag(getattr(flags, name))

    def _set_target(self, config: Any, target: str) -> None:
        if not target:
            return
        if target not in targets(self._trt):
            known = ", ".join(targets(self._trt)) or "only the GPU that it runs on"
            raise Unsupported(f"{self._trt.__name__} does not build for {target} (it knows: {known})")
        config.num_compute_capabilities = 1
        capability = getattr(self._trt.ComputeCapability, f"SM{target[3:]}")
        if not config.set_compute_capability(capability, 0):
            raise RuntimeError(self._said(f"target {target} was refused"))

    def _add_profile(
        self, builder: Any, network: Any, config: Any, shapes: Mapping[str, tuple[int, ...]]
    ) -> None:
        """Fix every dynamic input to one shape: kernels are then chosen for this batch size and no other."""
        profile, dynamic = builder.create_optimization_profile(), False
        for index in range(network.num_inputs):
            tensor = network.get_input(index)
            wanted, declared = tuple(shapes[tensor.name]), tuple(tensor.shape)
            if -1 in declared:
                profile.set_shape(tensor.name, wanted, wanted, wanted)
                dynamic = True
            elif declared != wanted:
                raise Unsupported(f"the ONNX file fixes input '{tensor.name}' to {declared}, not {wanted}")
        if dynamic:
            config.add_optimization_profile(profile)

    def _timing_cache(self, config: Any, path: Path | None) -> Any:
        """Reuse the timings of earlier builds; RTX does not time kernels when it builds."""
        if path is None or targets(self._trt):
            return None
        cache = config.create_timing_cache(path.read_bytes() if path.exists() else b"")
        config.set_timing_cache(cache, False)
        return cache

    def _facts(self, network: Any, config: Any, target: str, seconds: float) -> dict[str, Any]:
        return {
            "typing": "strong: precision in the graph" if self._strong else "weak: builder flags",
            "profile": "one engine a batch size, its profile fixed to that size",
            "target": target or "this GPU",
            "tf32": bool(config.get_flag(self._trt.BuilderFlag.TF32)),
            "layer_types": self._layer_types(network) if self._strong else {},
            "build_s": round(seconds, 3),
            "cached": False,
        }

    def _layer_types(self, network: Any) -> dict[str, int]:
        """Count layers by the type of their first output: a strongly typed engine keeps to it."""
        kinds = {getattr(self._trt, name, None): ours for name, ours in _TYPES.items()}
        layers = (network.get_layer(index) for index in range(network.num_layers))
        return dict(Counter(kinds.get(each.get_output(0).dtype, "other") for each in layers))

    def _said(self, what: str) -> str:
        reason = f": {self._log.last}" if self._log.last else ""
        return f"{self._trt.__name__} {self._trt.__version__}: {what}{reason}"


def _key(trt: Any, onnx: Path, precision: str, shapes: Mapping[str, tuple[int, ...]], where: str) -> str:
    parts = (trt.__name__, trt.__version__, precision, json.dumps(dict(shapes), sort_keys=True), where)
    return _digest(_content(onnx), *parts)


def _content(onnx: Path) -> str:
    """Return a hash of the file and of the weights that it keeps in others."""
    digest = hashlib.sha256()
    for path in [onnx, *_weight_files(onnx)]:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


def _weight_files(onnx: Path) -> list[Path]:
    """Return the files that the model names; all beside it where there is no package onnx to read the names with."""
    try:
        return trt_onnx.weight_files(onnx)
    except ImportError:
        return sorted(path for path in onnx.parent.rglob("*") if path.is_file() and path != onnx)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]
