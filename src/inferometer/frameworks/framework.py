"""What is registered of a framework, and a framework as the user chose it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inferometer.host.gpus import is_older
from inferometer.precisions import holds_integers, is_stored
from inferometer.records import Gpu

# the first compute capability with arithmetic for a precision (CUDA programming guide); older cards compute such models
# in fp32, and the row would be called what it is not
_CAPABILITIES = {"tf32": "8.0", "bf16": "8.0"}


@dataclass(frozen=True)
class Variant:
    """A named configuration of a framework: settings that replace or add to its own, and where they can be had."""

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    devices: tuple[str, ...] = ("cpu", "cuda")
    precisions: tuple[str, ...] = ()  # (): whatever the framework has
    modes: tuple[str, ...] = ()  # (): likewise
    excludes: tuple[str, ...] = ()  # variants that contradict this one
    takes: str = ""  # the option that `NAME=VALUE` sets; "": the variant has no value
    values: tuple[str, ...] = ()  # those known, each with an environment of its own
    environment: str = ""  # which, as in "onnxrt-ep-{value}"; "": the framework's


@dataclass(frozen=True, kw_only=True)
class Framework:
    """One row of a result table: a runtime in one configuration."""

    name: str
    title: str
    backend: str  # module below worker/backends
    environment: str  # folder below pins/: what its packages are, shared by frameworks that need the same
    form: str  # of the artifact that it takes best (`models.contract` lists the forms)
    distribution: str  # the package whose version `name@version` replaces
    module: str  # what must be importable in a given interpreter
    precisions: Mapping[str, tuple[str, ...]]  # on each kind of device that it runs on: cpu, cuda
    options: Mapping[str, Any] = field(default_factory=dict)  # what its backend finds in `Opening.options`
    forms_by_precision: Mapping[str, str] = field(
        default_factory=dict
    )  # where one needs another, as int8 does
    other_forms: tuple[str, ...] = ()  # that it takes as well, where foreign converters lead to `form`
    modes: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"cpu": ("host", "device"), "cuda": ("host", "device")}
    )
    variants: Mapping[str, Variant] = field(default_factory=dict)
    capabilities: tuple[
        str, ...
    ] = ()  # compute capabilities that it has code for, as in 8.6; (): does not say
    named_only: bool = False  # left out of "all": it takes minutes to prepare
    only_given: str = ""  # why it has no requirement set and runs in an interpreter of the user's only
    # rough figures for the estimate of a run's length only: images/s of MobileNetV3-Large on two CPU cores, seconds to prepare
    nominal_images_per_s: float = 100.0
    nominal_prepare_s: float = 3.0

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the kinds of device that it runs on."""
        return tuple(self.precisions)

    def forms_at(self, precision: str) -> tuple[str, ...]:
        """Return the forms of artifacts that can be loaded for a precision, the best first."""
        if precision in self.forms_by_precision:
            return (self.forms_by_precision[precision],)
        return (self.form, *self.other_forms)

    def opened_at(self, precision: str, kind: str) -> str:
        """Return the precision that its backend is asked for on a kind of device, to measure a cell.

        A file measured as it is asks for fp32, of what is in floats there; where quantised files are what a framework has int8 for, that.
        """
        if not is_stored(precision):
            return precision
        own = "int8" in self.precisions.get(kind, ()) and "int8" not in self.forms_by_precision
        return "int8" if own and holds_integers(precision) else "fp32"


@dataclass(frozen=True)
class FrameworkChoice:
    """A framework as the user named it: `onnxrt@1.30.0:io-binding`."""

    framework: Framework
    version: str = ""
    variants: tuple[str, ...] = ()
    precision: str = ""  # that its name fixes (`tftrtfp16`); "": those of the request

    @property
    def label(self) -> str:
        """Return the name of the row."""
        version = f"@{self.version}" if self.version else ""
        variant = f":{'+'.join(self.variants)}" if self.variants else ""
        return f"{self.framework.name}{version}{variant}"

    @property
    def options(self) -> dict[str, Any]:
        """Return the framework's settings with the variants' on top."""
        merged = dict(self.framework.options)
        for variant, value in self._chosen():
            merged.update({**variant.options, **({variant.takes: value} if value else {})})
        return merged

    @property
    def environment(self) -> str:
        """Return the environment that it runs in: the framework's, unless a variant's value has one of its own."""
        own = (variant.environment.format(value=value) for variant, value in self._chosen())
        return next(filter(None, own), self.framework.environment)

    def _chosen(self) -> list[tuple[Variant, str]]:
        """Return each variant and its value."""
        parts = (text.partition("=") for text in self.variants)
        return [(self.framework.variants[name], value) for name, _, value in parts]

    def unsupported_reason(self, device: str, precision: str, mode: str, gpu: Gpu | None = None) -> str:
        """Return why this choice cannot run on a kind of device ("cpu", "cuda"), at a precision, in a mode; or "".

        ``gpu``: the card, where it is known; None says nothing of its abilities.
        """
        framework = self.framework
        known = framework.precisions.get(device, ())
        if precision not in known:
            return f"{framework.name} on {device} computes in {', '.join(known)}, not {precision}"
        floor = _CAPABILITIES.get(precision, "")
        if gpu and is_older(gpu, floor):
            return f"{precision} needs compute capability {floor} or newer, {gpu.name} has {gpu.compute_capability}"
        if mode not in framework.modes.get(device, ()):
            return f"{framework.name} on {device} has no mode '{mode}' (it has {', '.join(framework.modes.get(device, ()))})"
        reasons = (self._variant_unsupported_reason(name, device, precision, mode) for name in self.variants)
        return next(filter(None, reasons), "")

    def _variant_unsupported_reason(self, name: str, device: str, precision: str, mode: str) -> str:
        variant, title = self.framework.variants[name.partition("=")[0]], f"{self.framework.name}:{name}"
        if device not in variant.devices:
            return f"{title} needs a device of kind {', '.join(variant.devices)}, not {device}"
        if variant.precisions and precision not in variant.precisions:
            return f"{title} is for {', '.join(variant.precisions)}, not {precision}"
        if variant.modes and mode not in variant.modes:
            return f"{title} is for mode {', '.join(variant.modes)}, not {mode}"
        clash = next((other for other in self.variants if other in variant.excludes), "")
        return f"variants '{name}' and '{clash}' of {self.framework.name} exclude each other" if clash else ""
