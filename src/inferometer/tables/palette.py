"""Cell colours: the study's orange to green, and a colour-blind-safe alternative."""

from __future__ import annotations

from dataclasses import dataclass

Rgb = tuple[int, int, int]

# worst .. best; cividis (Nunez, Anderton, Renslow 2018) sampled at even steps
PALETTES: dict[str, tuple[Rgb, ...]] = {
    "study": ((240, 150, 60), (250, 200, 130), (253, 244, 215), (170, 217, 150), (70, 160, 85)),
    "cividis": (
        (0, 34, 78), (48, 64, 107), (85, 92, 109), (117, 117, 117), (155, 146, 115), (200, 183, 99), (254, 232, 56),
    ),
}  # fmt: skip
# the same for a terminal of 16 colours, whose nearest to a mixed one would be grey
ANSI_PALETTES = {
    "study": ("black on yellow", "black on bright_yellow", "black on bright_green", "black on green"),
    "cividis": (
        "bright_white on blue",
        "bright_white on bright_black",
        "black on white",
        "black on bright_yellow",
    ),
}


@dataclass(frozen=True)
class Colour:
    """A background and a text colour that reads on it."""

    background: Rgb
    text: Rgb

    @property
    def background_hex(self) -> str:
        """Return the background as #rrggbb."""
        return "#{:02x}{:02x}{:02x}".format(*self.background)

    @property
    def text_hex(self) -> str:
        """Return the text colour as #rrggbb."""
        return "#{:02x}{:02x}{:02x}".format(*self.text)


def colour(shade: float, palette: str = "study") -> Colour:
    """Return the colour of a shade from 0 (worst of its batch size) to 1 (best)."""
    stops = PALETTES[palette]
    position = min(max(shade, 0.0), 1.0) * (len(stops) - 1)
    index = min(int(position), len(stops) - 2)
    share = position - index
    low, high = stops[index], stops[index + 1]
    mixed = (_mix(low[0], high[0], share), _mix(low[1], high[1], share), _mix(low[2], high[2], share))
    dark, light = (0, 0, 0), (255, 255, 255)  # one of the two always reaches 4.5
    return Colour(mixed, max((dark, light), key=lambda text: contrast(mixed, text)))


def ansi_style(shade: float, palette: str = "study") -> str:
    """Return the style of a shade, as of `colour`, in the 16 colours that every terminal has."""
    steps = ANSI_PALETTES[palette]
    return steps[min(int(min(max(shade, 0.0), 1.0) * len(steps)), len(steps) - 1)]


def _mix(low: int, high: int, share: float) -> int:
    return round(low + (high - low) * share)


def contrast(first: Rgb, second: Rgb) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: Rgb) -> float:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
