"""The keys of figures as small SVG pictures: the same marker and dash that plotly draws."""

from __future__ import annotations

import math
from collections.abc import Callable

from inferometer.report.figures.palette import SYMBOLS, Style

_RADIUS = 4.6


def symbol_sprite() -> str:
    """Return the SVG ``symbol`` elements of every marker, ids ``m-<name>``."""
    return "".join(
        f'<symbol id="m-{name}" viewBox="-7 -7 14 14" overflow="visible"><path d="{_path(name)}"/></symbol>'
        for name in SYMBOLS
    )


_DASH_ARRAYS = {"solid": "", "longdash": "7 3", "dash": "4 2.5", "dashdot": "5 2 1 2", "dot": "1.5 2"}


def dash_array(style: Style) -> str:
    """Return the SVG dash array of a style's line."""
    return _DASH_ARRAYS.get(style.dash, "7 2 1 2")


def outline(name: str) -> list[tuple[float, float]]:
    """Return the corners of a marker in a box of 14 by 14 around (0, 0); of a circle none."""
    if name == "circle":
        return []
    return [
        (round(x, 2), round(y, 2)) for x, y in (_square() if name == "square-cross" else _OUTLINES[name]())
    ]


def _path(name: str) -> str:
    if name == "circle":
        r = _RADIUS * 0.92
        return f"M{r},0A{r},{r} 0 1 1 -{r},0A{r},{r} 0 1 1 {r},0Z"
    if name == "square-cross":
        return _closed(_square()) + "M-4,0H4M0,-4V4"
    return _closed(_OUTLINES[name]())


def _closed(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.2f},{y:.2f}" for x, y in points) + "Z"


def _square() -> list[tuple[float, float]]:
    return [(-4, -4), (4, -4), (4, 4), (-4, 4)]


def _polygon(corners: int, first_degrees: float, radius: float = _RADIUS * 1.08) -> list[tuple[float, float]]:
    angles = (math.radians(first_degrees + 360 * k / corners) for k in range(corners))
    return [(radius * math.cos(a), radius * math.sin(a)) for a in angles]


def _star() -> list[tuple[float, float]]:
    corners = []
    for k in range(10):
        radius = 6.2 if k % 2 == 0 else 2.6
        angle = math.radians(-90 + 36 * k)
        corners.append((radius * math.cos(angle), radius * math.sin(angle)))
    return corners


def _cross(turned: bool) -> list[tuple[float, float]]:
    a, b = 5.2, 1.8
    plus = [
        (-b, -a),
        (b, -a),
        (b, -b),
        (a, -b),
        (a, b),
        (b, b),
        (b, a),
        (-b, a),
        (-b, b),
        (-a, b),
        (-a, -b),
        (-b, -b),
    ]
    if not turned:
        return plus
    half = math.sqrt(0.5)
    return [(half * (x - y), half * (x + y)) for x, y in plus]


_OUTLINES: dict[str, Callable[[], list[tuple[float, float]]]] = {
    "square": _square,
    "diamond": lambda: _polygon(4, 0, 5.6),
    "diamond-tall": lambda: [(0, -6.4), (3.8, 0), (0, 6.4), (-3.8, 0)],
    "triangle-up": lambda: _polygon(3, -90, 5.6),
    "triangle-down": lambda: _polygon(3, 90, 5.6),
    "triangle-left": lambda: _polygon(3, 180, 5.6),
    "triangle-right": lambda: _polygon(3, 0, 5.6),
    "cross": lambda: _cross(turned=False),
    "x": lambda: _cross(turned=True),
    "star": _star,
    "pentagon": lambda: _polygon(5, -90),
    "hexagon": lambda: _polygon(6, -90),
    "hexagon2": lambda: _polygon(6, 0),
    "octagon": lambda: _polygon(8, 22.5),
}
