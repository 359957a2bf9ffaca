"""The forms a model can take as a graph: its edges are conversions, and a route leads from the source's form to another."""

from __future__ import annotations

import functools
import math
from collections import deque
from dataclasses import dataclass

from inferometer.frameworks import catalogue
from inferometer.models.contract import FORMS, TITLES, Form
from inferometer.models.sources.source import Source

_LONGEST = 4  # conversions in a row: each more is one more place to differ


@dataclass(frozen=True)
class Edge:
    """One conversion: a step of `models.steps` in an environment, which makes ``end`` of ``start``."""

    start: Form
    end: Form
    step: str
    environment: str
    via: str = ""  # its converter, where that is neither framework's own
    check: tuple[str, str] | None = (
        None  # environment and step that run the product; None: the step itself does
    )
    quantises: bool = (
        False  # the product answers otherwise than the source, and the step says what (`quantisation`)
    )

    @property
    def environments(self) -> tuple[str, ...]:
        """Return every environment that it needs."""
        return (self.environment, self.check[0]) if self.check else (self.environment,)

    @property
    def title(self) -> str:
        """Return what it does, for people."""
        by = f" by {self.via}" if self.via else ""
        return f"{TITLES[self.start].partition(' ')[2]} to {TITLES[self.end].partition(' ')[2]}{by}"


_RUN_ONNX, _RUN_LITERT = ("onnxrt", "onnx_outputs"), ("litert", "litert_outputs")
EDGES = (
    Edge("keras", "savedmodel", "keras_savedmodel", "tf"),
    Edge("savedmodel", "tflite", "litert_convert", "tf", check=_RUN_LITERT),
    Edge("keras", "exported", "torch_export", "torch"),
    Edge("exported", "onnx", "torch_onnx", "torch", check=_RUN_ONNX),
    Edge("savedmodel", "onnx", "savedmodel_onnx", "tf2onnx", via="tf2onnx", check=_RUN_ONNX),
    Edge("tflite", "onnx", "tflite_onnx", "tf2onnx", via="tf2onnx", check=_RUN_ONNX),
    Edge("onnx", "exported", "onnx_exported", "torch-models", via="onnx2torch"),
    Edge("onnx", "savedmodel", "onnx_savedmodel", "onnx2tf", via="onnx2tf"),
    Edge("exported", "tflite", "exported_litert", "litert-torch", via="litert-torch", check=_RUN_LITERT),
    Edge("exported", "jaxexport", "exported_jax", "torchax", via="torchax"),
    Edge("onnx", "onnx-int8", "onnx_int8", "onnxrt", quantises=True),
    Edge("onnx", "openvino-int8", "openvino_int8", "nncf", quantises=True),
    Edge("savedmodel", "tflite-int8", "litert_int8", "tf", quantises=True),
    Edge("onnx", "onnx-int8-weights", "onnx_int8_weights", "onnxrt", quantises=True),
    Edge("onnx", "openvino-int8-weights", "openvino_int8_weights", "nncf", quantises=True),
    Edge("savedmodel", "tflite-int8-weights", "litert_int8_weights", "tf", quantises=True),
    Edge("exported", "inductor-int8", "inductor_int8", "torch", quantises=True),
    Edge("exported", "xnnpack-int8", "xnnpack_int8", "executorch", quantises=True),
)
Route = tuple[Edge, ...]


@functools.cache
def routes(start: Form, end: str) -> tuple[Route, ...]:
    """Return every way from one form to another that passes none twice: the shortest first, then the least foreign."""
    found, waiting = [], deque[Route]([()])
    while waiting:
        route = waiting.popleft()
        at = route[-1].end if route else start
        if at == end:
            found.append(route)
        elif len(route) < _LONGEST:
            passed = {start, *(edge.end for edge in route)}
            waiting.extend((*route, edge) for edge in EDGES if edge.start == at and edge.end not in passed)
    return tuple(sorted(found, key=lambda route: (len(route), sum(bool(edge.via) for edge in route))))


def forms_reachable(source: Source) -> dict[str, list[str] | str]:
    """Return for each form the environments that its shortest route needs, or the reason why none leads there."""
    return {form: _environments(source, form) for form in FORMS}


def _environments(source: Source, form: Form) -> list[str] | str:
    found = routes(source.form, form)
    if not found:
        return no_way(source.form, form)
    needed = (*source.environments, *(name for edge in found[0] for name in edge.environments))
    return list(dict.fromkeys(needed))


def is_quantised(form: str) -> bool:
    """Return whether a step quantises the model to make a form."""
    return any(edge.end == form and edge.quantises for edge in EDGES)


def no_way(start: Form, form: Form) -> str:
    """Return why a row that needs a form cannot have it of a model that came as ``start``."""
    return f"needs {TITLES[form]}, and no conversion leads there from {TITLES[start]}"


def conversion_environments() -> set[str]:
    """Return every environment that some conversion runs in."""
    return {name for edge in EDGES for name in edge.environments}


def environment_names() -> tuple[str, ...]:
    """Return every environment that some framework or conversion uses."""
    return tuple(sorted({*catalogue.environment_names(), *conversion_environments()}))


def strangers(source: Source, form: str) -> float:
    """Return how many foreign converters the shortest way from a source to a form passes, infinity where there is none."""
    return next((sum(bool(edge.via) for edge in route) for route in routes(source.form, form)), math.inf)


def via(route: Route) -> str:
    """Return the foreign converters of a route, "" for none."""
    return ", ".join(edge.via for edge in route if edge.via)


def route_words(source: Source, route: Route) -> str:
    """Return a route for people: "onnx -> exported (onnx2torch) -> jaxexport (torchax)"."""
    return " -> ".join(
        [source.form, *(f"{edge.end} ({edge.via})" if edge.via else edge.end for edge in route)]
    )
