"""The options that give the factors of carbon: the same for every command that states it. None has a default."""

from __future__ import annotations

from typing import Any

import click

from inferometer.cli.common import with_options
from inferometer.errors import UsageError
from inferometer.results.carbon import CarbonFactors, Embodied, Factor

_DATE = "YYYY[-MM[-DD]]"

# they arrive as keyword arguments: hand them on to `factors`
carbon_options = with_options(
    click.option("--intensity", type=float, metavar="G", help="Grams of CO2e a kWh of your electricity."),
    click.option("--intensity-source", metavar="TEXT", help="Who published that intensity."),
    click.option("--intensity-date", metavar=_DATE, help="The date that it is of."),
    click.option("--pue", type=float, help="The facility's energy over its machines'; 1 where there is none around them."),
    click.option("--pue-source", metavar="TEXT", help="Where that PUE comes from."),
    click.option("--pue-date", metavar=_DATE, help="The date that it is of."),
    click.option("--embodied-kg", type=float, metavar="KG", help="CO2e of making the hardware; left out if not given."),
    click.option("--embodied-source", metavar="TEXT", help="Who published that."),
    click.option("--embodied-date", metavar=_DATE, help="The date that it is of."),
    click.option("--life-years", type=float, metavar="N", help="With --embodied-kg: how long the hardware is used."),
    click.option("--hardware-share", type=float, metavar="SHARE", help="With --embodied-kg: the work's share of it, 1 for all."),
)  # fmt: skip


def factors(given: dict[str, Any]) -> CarbonFactors | None:
    """Return the factors that the options give; None where none is given; UsageError where some are missing."""
    if all(value is None for value in given.values()):
        return None
    embodied = None
    made = ("embodied_kg", "embodied_source", "embodied_date", "life_years", "hardware_share")
    if any(given[name] is not None for name in made):
        _all_of(given, made)
        total = Factor(given["embodied_kg"], given["embodied_source"], given["embodied_date"])
        embodied = Embodied(total, given["life_years"], given["hardware_share"])
    usual = ("intensity", "intensity_source", "intensity_date", "pue", "pue_source", "pue_date")
    _all_of(given, usual)
    return CarbonFactors(
        Factor(given["intensity"], given["intensity_source"], given["intensity_date"]),
        Factor(given["pue"], given["pue_source"], given["pue_date"]),
        embodied,
    )


def required(given: dict[str, Any], what: str) -> CarbonFactors:
    """Return the factors, without which ``what`` cannot be; UsageError where they are missing."""
    found = factors(given)
    if found is None:
        raise UsageError(
            f"{what} needs --intensity and --pue, each with --...-source and --...-date, which have no default"
        )
    return found


def _all_of(given: dict[str, Any], names: tuple[str, ...]) -> None:
    missing = [f"--{name.replace('_', '-')}" for name in names if given[name] is None]
    if missing:
        raise UsageError(
            f"{', '.join(missing)} missing: a factor of carbon is stated with its source and date"
        )
