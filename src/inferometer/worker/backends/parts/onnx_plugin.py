"""Execution providers that come as packages of their own (`onnxruntime-ep-NAME`) and are registered with ONNX Runtime."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from typing import Any

from inferometer.worker.backend import Opening
from inferometer.worker.failures import Misplaced, Unsupported
from inferometer.worker.flags import Flag, flag

Nodes = dict[str, list[tuple[str, str]]]  # provider -> its nodes, each name and kind


@dataclass(frozen=True)
class Plugin:
    """A registered provider and the devices that it offers of the kind asked for."""

    provider: str  # as ONNX Runtime calls it
    version: str
    devices: list[Any]
    settings: dict[str, str]

    def add_to(self, options: Any) -> None:
        """Let a session with these options run on the provider's devices."""
        options.add_provider_for_devices(self.devices, self.settings)

    def check(self, nodes: Nodes) -> None:
        """Raise Misplaced if ONNX Runtime gave the provider nothing of the model: its own CPU provider would be measured."""
        if nodes and not nodes.get(self.provider):
            total = sum(len(found) for found in nodes.values())
            raise Misplaced(
                f"{self.provider} took none of the model's {total} nodes; they ran in {', '.join(nodes)}"
            )

    def flags(self, nodes: Nodes) -> list[Flag]:
        """Say how many nodes ran in other providers."""
        left = sum(len(found) for provider, found in nodes.items() if provider != self.provider)
        total = sum(len(found) for found in nodes.values())
        return [flag("left-to-onnxruntime", count=left, total=total, provider=self.provider)] if left else []


def register(runtime: Any, opening: Opening) -> Plugin:
    """Return the provider that the opening's option `plugin` names; Unsupported if it is not installed or has no device."""
    name = opening.options["plugin"]
    package = f"onnxruntime-ep-{name}"
    try:
        module = importlib.import_module(package.replace("-", "_"))
    except ImportError as error:
        raise Unsupported(f"the package {package} is not installed beside onnxruntime: {error}") from error
    if not hasattr(runtime, "register_execution_provider_library"):
        raise Unsupported(f"onnxruntime {runtime.__version__} takes no providers by registration; 1.23 does")
    runtime.register_execution_provider_library(name, module.get_library_path())
    (provider, *_) = module.get_ep_names()
    kind = "GPU" if opening.device == "cuda" else "CPU"
    offered = [device for device in runtime.get_ep_devices() if device.ep_name == provider]
    devices = [found for found in offered if found.device.type.name == kind]
    if not devices:
        seen = {f"{found.device.type.name} of {found.device.vendor}" for found in runtime.get_ep_devices()}
        raise Unsupported(
            f"{provider} offers no {kind} on this machine (ONNX Runtime sees: {', '.join(sorted(seen))})"
        )
    version = devices[0].ep_metadata.get("version", "")
    return Plugin(provider, version, devices[:1], _SETTINGS.get(name, lambda _: {})(opening))


def _openvino(opening: Opening) -> dict[str, str]:
    """Return the settings as OpenVINO itself has them: of the provider's own names some are ignored, and a CPU with AMX computes in bf16."""
    kind = "GPU" if opening.device == "cuda" else "CPU"
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    if kind == "CPU":
        settings["INFERENCE_NUM_THREADS"] = str(opening.threads)
    return {"load_config": json.dumps({kind: settings})}


_SETTINGS = {"openvino": _openvino}  # of providers that must be told threads and precision
