import itertools
import re

import numpy as np
import pytest

from inferometer.frameworks.catalogue import FRAMEWORKS
from inferometer.report.figures.palette import (
    COPYING,
    DARK,
    DARK_GROUND,
    LIGHT,
    LIGHT_GROUND,
    REGISTRY,
    Palette,
)
from inferometer.report.page.html import ASSETS

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
OKLAB_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
OKLAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip


def linear(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    bright, dim = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def oklab(rgb):
    return OKLAB @ np.cbrt(OKLAB_LMS @ np.clip(rgb, 0, 1))


@pytest.mark.parametrize(("colours", "ground"), [(LIGHT, LIGHT_GROUND), (DARK, DARK_GROUND)])
def test_every_colour_stands_out_from_its_ground(colours, ground):
    assert min(contrast(colour, ground) for colour in colours) >= 3


def test_hatching_stands_out_from_both_grounds():
    assert contrast(COPYING, LIGHT_GROUND) >= 3
    style = (ASSETS / "report.css").read_text()
    on_light, on_dark = re.findall(r"--soft: (#\w+);", style)  # of the page's hatching
    assert contrast(on_light, LIGHT_GROUND) >= 3 and contrast(on_dark, DARK_GROUND) >= 3


@pytest.mark.parametrize("colours", [LIGHT, DARK])
@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_differ_under_colour_blindness(colours, sight):
    seen = [oklab(SIGHTS[sight] @ linear(colour)) for colour in colours]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 0.1


def test_no_two_of_128_frameworks_look_alike():
    palette = Palette(f"framework{number:03}" for number in range(128))
    looks = {(style.light, style.symbol) for style in map(palette.style, palette.frameworks)}
    assert len(looks) == 128


def test_frameworks_of_one_colour_have_markers_that_differ_at_a_glance():
    palette = Palette([*REGISTRY, *(f"framework{number:02}" for number in range(64 - len(REGISTRY)))])
    styles = [palette.style(name) for name in palette.frameworks]
    plain = {"circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star"}
    assert {style.symbol for style in styles} == plain
    assert len({style.light for style in styles}) == 8


def test_a_framework_keeps_its_colour_and_marker_at_every_precision():
    palette = Palette(["b", "a", "b"])
    styles = [palette.style("b", precision) for precision in ("fp32", "fp16", "int8", "int4")]
    assert len({(style.light, style.dark, style.symbol) for style in styles}) == 1
    assert len({style.dash for style in styles}) == 4
    assert styles[1].plotly_symbol == f"{styles[0].plotly_symbol}-open"


def test_what_was_measured_has_the_first_colours():
    palette = Palette(["torch", "onnxrt"], ["onnxrt", "aaa-never-ran"])
    assert palette.frameworks == ("onnxrt", "torch", "aaa-never-ran")


def test_a_framework_looks_the_same_in_every_report():
    few, many = Palette(["torch", "mine"]), Palette(["aaa", "mine", "torch:channels_last", *REGISTRY])
    for name in ("torch", "mine"):
        assert few.style(name).index == many.style(name).index
    assert many.style("torch:channels_last").light == many.style("torch").light
    assert many.style("torch:channels_last").symbol != many.style("torch").symbol


def test_every_framework_has_a_place_and_those_of_the_study_a_colour_of_their_own():
    assert set(FRAMEWORKS) == set(REGISTRY) and len(REGISTRY) == len(FRAMEWORKS) < 64
    study = ("tf", "tfxla", "keras", "kerasxla", "tensorrt", "tftrt", "onnxrt", "torch")
    palette = Palette(study)
    assert len({palette.style(name).light for name in study}) == len(study)
