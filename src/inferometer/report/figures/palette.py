"""One look per framework, the same in every figure: a colour, a marker and (by precision) a dash.

The eight colours of each theme were searched for the largest smallest OKLab distance under normal, protanopic and
deuteranopic sight (simulation matrices: Machado, Oliveira and Fernandes 2009) at a contrast of at least 3:1 with the
theme's background (WCAG 2.2, 1.4.11). `tests/report/test_report_palette.py` checks both. Beyond eight frameworks the marker
tells them apart: no pair of colour and marker occurs twice among the first 128, and frameworks of one colour get markers
that are told apart at a glance (not a circle and a hexagon) among the first 64.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from inferometer.frameworks.catalogue import FRAMEWORKS

LIGHT = ("#0569be", "#b15605", "#05a586", "#ab3a7d", "#b98d05", "#3a9ad9", "#332e33", "#754126")
DARK = ("#4a5fe8", "#fa892a", "#2bc49a", "#c184ea", "#eadb47", "#9dd2fa", "#f3fae5", "#b8655a")
COPYING = "#59626b"  # of hatched parts of bars; on a dark ground the page's script has its own
LIGHT_GROUND = "#ffffff"
DARK_GROUND = "#15181c"

# plotly's name of a marker -> matplotlib's
MARKERS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "triangle-down": "v",
    "cross": "P",
    "x": "X",
    "star": "*",
    "hexagon": "h",
    "pentagon": "p",
    "triangle-left": "<",
    "triangle-right": ">",
    "diamond-tall": "d",
    "octagon": "8",
    "hexagon2": "H",
    "square-cross": "$\\boxplus$",
}
SYMBOLS = tuple(MARKERS)  # the first as many as there are colours are told apart at a glance
_TURNS = (0, 4, 2, 6, 1, 5, 3, 7)  # by how many markers the colours of each further eight are moved on

# plotly's dash, matplotlib's, and how the marker is filled
_DASHES = {
    "fp32": ("solid", "-", "full"),
    "tf32": ("longdash", (0, (8, 3)), "full"),
    "fp16": ("dash", (0, (4, 2)), "open"),
    "bf16": ("dashdot", (0, (4, 2, 1, 2)), "open"),
    "int8": ("dot", (0, (1, 1.6)), "dotted"),
}
_OTHER_DASH = ("longdashdot", (0, (8, 2, 1, 2)), "dotted")


@dataclass(frozen=True)
class Style:
    """How one framework at one precision is drawn."""

    index: int  # of the framework; colours and symbols follow from it
    symbol: str  # plotly's
    dash: str  # plotly's
    line: str | tuple[int, tuple[float, ...]]  # matplotlib's dash
    fill: str  # "full", "open" or "dotted"

    @property
    def light(self) -> str:
        """Return the colour on a light ground."""
        return LIGHT[self.index % len(LIGHT)]

    @property
    def dark(self) -> str:
        """Return the colour on a dark ground."""
        return DARK[self.index % len(DARK)]

    @property
    def plotly_symbol(self) -> str:
        """Return plotly's marker name with the precision's fill."""
        suffix = {"full": "", "open": "-open", "dotted": "-open-dot"}[self.fill]
        return self.symbol + suffix


# Each framework's place among the looks, the same in every report; of places eight apart the colour is one, so those that are
# compared most (the study's eight, the fastest on a CPU) are not. Frameworks that came later follow as in the catalogue.
_CHOSEN = (
    "onnxrt", "openvino", "torch", "torch-compile", "tf", "tfxla", "litert", "jax",
    "ncnn", "tensorrt", "opencv", "kerasxla", "executorch", "mnn", "tftrt", "keras",
    "torch-aot", "onnxrt-tensorrt", "tensorrt-rtx", "torch-tensorrt",
)  # fmt: skip
REGISTRY = (*_CHOSEN, *(name for name in FRAMEWORKS if name not in _CHOSEN))
_PLACES = 8 * len(SYMBOLS)  # different looks
_GLANCE = 64  # of which the first are told apart at a glance
_OTHERS = range(24, _GLANCE)  # for names that are not registered


class Palette:
    """The looks of a set of frameworks in the order of their names; ``others`` come after them."""

    def __init__(self, frameworks: Iterable[str], others: Iterable[str] = ()) -> None:
        first = sorted(set(frameworks))
        self.frameworks = (*first, *sorted(set(others) - set(first)))
        self._index = {name: index for index, name in enumerate(self.frameworks)}
        self._places = _places(self.frameworks)

    def index(self, framework: str) -> int:
        """Return the framework's number in the page."""
        return self._index[framework]

    def style(self, framework: str, precision: str = "fp32") -> Style:
        """Return the look of ``framework`` at ``precision``."""
        index = self._places[framework]
        dash, line, fill = _DASHES.get(precision, _OTHER_DASH)
        symbol = _symbol(index)
        return Style(index, symbol, dash, line, fill)  # type: ignore[arg-type]


def _places(names: Sequence[str]) -> dict[str, int]:
    """Return each framework's place among the looks: its registered one, else one of its family's colour that is free."""
    places = {name: REGISTRY.index(name) for name in names if name in REGISTRY}
    for name in sorted(set(names) - set(places)):
        taken = set(places.values())
        places[name] = next((place for place in _wanted(name) if place not in taken), len(places))
    return places


def _wanted(name: str) -> Iterator[int]:
    """Yield the places that a name without a registered one may have: its family's colour first, the same in every report."""
    family = re.split("[@: ]", name)[0]
    number = (
        REGISTRY.index(family) if family in REGISTRY else int(hashlib.sha256(name.encode()).hexdigest(), 16)
    )
    yield from (place for place in _OTHERS if place % len(LIGHT) == number % len(LIGHT))
    yield from _OTHERS
    yield from range(len(REGISTRY), _GLANCE)
    yield from range(_PLACES)


def _symbol(index: int) -> str:
    eight, place = divmod(index, len(LIGHT))
    family, turn = divmod(eight, len(_TURNS))
    start = family * len(LIGHT) % len(SYMBOLS)
    return SYMBOLS[start + (place + _TURNS[turn]) % len(LIGHT)]
