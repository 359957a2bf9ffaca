"""What a cell's device draws: power, energy an image, and how far a joule or a watt goes."""

from __future__ import annotations

from functools import partial

from inferometer.results.cells import CellSummary
from inferometer.results.estimates import NOT_METERED
from inferometer.results.metrics.metric import Column, Metric, Place, Reason, Words, number, product_of
from inferometer.results.metrics.quantities import (
    IMAGES_PER_JOULE,
    IMAGES_PER_SECOND_AND_WATT,
    JOULE_SECONDS,
    JOULES,
    MICROJOULE_SECONDS,
    MILLIJOULES,
    WATTS,
)

_LESS_ENERGY = Words("less energy", "more energy")
_EFFICIENT = Words("more efficient", "less efficient")
_REST = "no energy beyond that at rest could be shown: it lies within the noise, or the power at rest is not known"


def _unmetered(summary: CellSummary) -> Reason:
    return summary.energy_absence or NOT_METERED, summary.energy_reason


def _no_rest(summary: CellSummary) -> Reason:
    return ("unresolved", _REST) if summary.energy_image else _unmetered(summary)


def _no_share(summary: CellSummary) -> Reason:
    return (
        ("not known", "a share is told of processors' energy alone")
        if summary.energy_image
        else _unmetered(summary)
    )


def _energy_column(summary: CellSummary) -> str:
    return number(summary.energy_image) or summary.energy_absence


_metered = partial(Metric, family="energy", metered=True, why_none=_unmetered)

ENERGY = _metered(
    "energy",
    "Energy per image",
    quantity=JOULES,
    higher_is_better=False,
    of=lambda s: s.energy_image,
    series=product_of(("energy_image", 1)),
    words=_LESS_ENERGY,
    per="an image",
    figure=MILLIJOULES,
    shown_in=frozenset(Place),
    columns=(Column("J/image", _energy_column, drop_order=1, place=7),),
)
POWER = _metered(
    "power",
    "Power",
    quantity=WATTS,
    higher_is_better=False,
    of=lambda s: s.power,
    series=product_of(("power", 1)),
    words=Words("less power", "more power"),
    shown_in=frozenset(Place),
)
METRICS = (
    POWER,
    ENERGY,
    _metered(
        "idle_power",
        "Power at rest",
        quantity=WATTS,
        higher_is_better=False,
        of=lambda s: s.idle_power,
        series=product_of(("idle_power", 1)),
        why_none=_no_rest,
        words=Words("less power", "more power"),
    ),
    _metered(
        "energy_net",
        "Energy per image, net of rest",
        quantity=JOULES,
        higher_is_better=False,
        of=lambda s: s.energy_net,
        series=product_of(("energy_net", 1)),
        why_none=_no_rest,
        words=_LESS_ENERGY,
        per="an image",
    ),
    _metered(
        "energy_share",
        "Energy per image, the worker's share of the processors' (estimated)",
        quantity=JOULES,
        higher_is_better=False,
        of=lambda s: s.energy_share,
        why_none=_no_share,
        competes=False,
        words=_LESS_ENERGY,
        per="an image",
    ),
    _metered(
        "energy_time",
        "Energy x time per image",
        quantity=JOULE_SECONDS,
        higher_is_better=False,
        of=lambda s: s.energy_time,
        series=product_of(("energy_image", 1), ("throughput", -1)),
        words=_EFFICIENT,
        figure=MICROJOULE_SECONDS,
        shown_in=frozenset({Place.PAGE, Place.WORKBOOK, Place.ACROSS}),
    ),
    _metered(
        "images_per_joule",
        "Images per joule",
        quantity=IMAGES_PER_JOULE,
        higher_is_better=True,
        of=lambda s: s.images_per_joule,
        series=product_of(("energy_image", -1)),
        words=_EFFICIENT,
        shown_in=frozenset({Place.PAGE, Place.WORKBOOK}),
        by_batch="How far a joule of the measured device goes. Bars are 95 % intervals.",
    ),
    _metered(
        "images_per_watt",
        "Throughput per watt",
        quantity=IMAGES_PER_SECOND_AND_WATT,
        higher_is_better=True,
        of=lambda s: s.images_per_watt,
        series=product_of(("throughput", 1), ("power", -1)),
        words=_EFFICIENT,
        shown_in=frozenset({Place.PAGE}),
        by_batch="Throughput for each watt drawn; it differs from images per joule only where power and "
        "energy were metered over different windows.",
    ),
)
