"""`recommend`: the choice of framework, precision and batch size under constraints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from click.core import ParameterSource

from inferometer.cli.carbon import carbon_options, factors
from inferometer.cli.common import RUNS, notice, prices_options, print_parts, results_of, share
from inferometer.errors import UsageError, unknown
from inferometer.planning.values import parse_batch_sizes
from inferometer.recommendation.objectives import OBJECTIVES, Objective

if TYPE_CHECKING:
    from inferometer.recommendation.constraints import Constraints
    from inferometer.recommendation.objectives import Prices
    from inferometer.recommendation.price_list import PriceList
    from inferometer.recommendation.under_load import Wanted
    from inferometer.results.cells import Results


@click.command("recommend")
@RUNS
@click.option("--max-latency-ms", type=float, help="Of a batch: p99 where batches were timed one by one.")
@click.option(
    "--max-request-latency-ms",
    type=float,
    help="Of a request that queues: the percentile of a server under load (run --scenarios server).",
)
@click.option("--rate", type=float, help="Requests/s that are to be answered within it.")
@click.option("--max-power-w", type=float, help="Mean power of the device that does the work.")
@click.option("--max-energy-mj", type=float, help="Energy an image, millijoules.")
@click.option("--max-memory-gb", type=float, help="Peak memory, 10^9 bytes.")
@click.option(
    "--min-agreement",
    metavar="SHARE",
    help="Inputs with the reference's top-1 class, by the 95 % interval's lower bound: 90% or 0.9.",
)
@click.option(
    "--max-accuracy-loss",
    metavar="SHARE",
    help="Accuracy lost against fp32 on the run's data set, by the 95 % interval's upper end: 1% or 0.01.",
)
@click.option(
    "--min-accuracy",
    metavar="SHARE",
    help="Top-1 accuracy on the run's data set, by the 95 % interval's lower end: 90% or 0.9.",
)
@click.option("--max-cost", type=float, help="Of a million images, in the currency of the prices.")
@click.option("--batch-sizes", metavar="LIST", help="Only these: 8,16 or 8..64.")
@click.option("--frameworks", metavar="LIST", help="Only these, as the runs name them: onnxrt,torch.")
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default="throughput",
    show_default=True,
)
@carbon_options
@prices_options
@click.option(
    "--prices",
    "price_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Prices of several machines, by their names (TOML).",
)
@click.option(
    "--format", "format_", type=click.Choice(["text", "md", "json"]), default="text", show_default=True
)
def recommend_command(
    *,
    runs: tuple[Path, ...],
    max_request_latency_ms: float | None,
    rate: float | None,
    objective: str,
    price_per_kwh: float,
    price_per_hour: float,
    currency: str,
    price_file: Path | None,
    format_: str,
    **given: Any,
) -> int:
    """Choose framework, precision and batch size for each machine under constraints.

    A figure that was not measured breaks the constraint on it. Exit status 1 if no machine has a choice that its data carry.
    Without results under load, --max-request-latency-ms has no verdict: the service times of batches are shown in their place.
    """
    from inferometer.recommendation import render
    from inferometer.recommendation.objectives import Prices
    from inferometer.recommendation.recommend import recommend
    from inferometer.recommendation.under_load import Wanted
    from inferometer.results.completeness import unfinished

    constraints = _constraints(given)
    prices = Prices(price_per_kwh, price_per_hour, currency, factors(given))
    results = results_of(runs)
    request_latency = _positive(max_request_latency_ms, "--max-request-latency-ms")
    if request_latency is not None:
        priced = _refuse_others()
        price_list = _price_list(price_file, prices, results)
        promise = Wanted(request_latency / 1e3, _positive(rate, "--rate"), price_list if priced else None)
        return _under_load(results, promise, format_)
    if rate is not None:
        raise UsageError("--rate is for --max-request-latency-ms; give it, or leave the rate out")
    known = {s.cell.framework for s in results.summaries}
    for name in constraints.frameworks:
        if name not in known:
            raise unknown("framework", name, known)
    listed = _price_list(price_file, prices, results)
    found = recommend(results, constraints, cast(Objective, objective), listed)
    for line in unfinished(results) if not found else ():  # else they are among the reasons of the grades
        notice(line)
    if format_ == "text":
        print_parts(render.to_text(found))
    else:
        click.echo((render.to_markdown if format_ == "md" else render.to_json)(found), nl=False)
    return 0 if any(a.choice and a.grade != "none" for a in found) else 1


def _price_list(file: Path | None, usual: Prices, results: Results) -> PriceList:
    """Return the prices of all machines; names of the file that mean none of these are told, UsageError if all do."""
    from inferometer.recommendation.price_list import PriceList, read_prices

    if file is None:
        return PriceList(usual)
    found, machines = read_prices(file, usual), {machine for machine, _, _ in results.scopes}
    found.check(machines)
    if idle := found.of_none(machines):
        notice(f"--prices {file}: these runs do not have {', '.join(idle)}")
    return found


def _constraints(given: dict[str, Any]) -> Constraints:
    """Take the options on what a cell must keep out of those given, and return them; UsageError for one that cannot be."""
    from inferometer.recommendation.constraints import Constraints

    def limit(name: str, times: float = 1.0, per: float = 1.0) -> float | None:
        value = _positive(given.pop(name), f"--{name.replace('_', '-')}")
        return None if value is None else value * times / per

    def share_of(name: str) -> float | None:
        text = given.pop(name)
        return None if text is None else share(text, f"--{name.replace('_', '-')}", whole=True)

    return Constraints(
        max_latency_s=limit("max_latency_ms", per=1e3),
        max_power_w=limit("max_power_w"),
        max_energy_j=limit("max_energy_mj", per=1e3),
        max_memory_bytes=limit("max_memory_gb", times=1e9),
        min_agreement=share_of("min_agreement"),
        max_accuracy_loss=share_of("max_accuracy_loss"),
        min_accuracy=share_of("min_accuracy"),
        max_cost=limit("max_cost"),
        batch_sizes=_sizes(given.pop("batch_sizes")),
        frameworks=tuple(name.strip() for name in (given.pop("frameworks") or "").split(",") if name.strip()),
    )


def _under_load(results: Results, wanted: Wanted, format_: str) -> int:
    """Print what keeps a promise to requests that queue; of what was measured in closed loops only, without a verdict."""
    from inferometer.recommendation import load_words, render
    from inferometer.recommendation.under_load import recommend_under_load, recommend_without_load

    closed, found = recommend_without_load(results, wanted), recommend_under_load(results, wanted)
    if format_ == "json":
        click.echo(load_words.to_json(found, closed), nl=False)
    else:
        for line in (load_words.to_text if format_ == "text" else load_words.to_markdown)(found):
            click.echo(line)
        if closed:
            print_parts(render.to_text(closed)) if format_ == "text" else click.echo(
                render.to_markdown(closed), nl=False
            )
    return 0 if any(d.choice for d in found) else 1


_PRICES = ("price_per_kwh", "price_per_hour", "currency", "price_file")


def _refuse_others() -> bool:
    """Return whether prices were given; UsageError for constraints that results under load are not held against."""
    context = click.get_current_context()
    names = {
        parameter.name: parameter.opts[0]
        for parameter in context.command.params
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    }
    priced = any(name in names for name in _PRICES)
    allowed = ("runs", "max_request_latency_ms", "rate", "format_", *_PRICES)
    given = [option for name, option in names.items() if name not in allowed]
    if given:
        raise UsageError(
            f"--max-request-latency-ms goes with --rate, prices and --format only: leave out {', '.join(given)}"
        )
    return priced


def _sizes(text: str | None) -> tuple[int, ...]:
    """Return the batch sizes of "8,16" or "8..64" (powers of two); none for no limit."""
    sizes = () if text is None else parse_batch_sizes(text)
    if sizes and sizes[0] < 1:
        raise UsageError(f"--batch-sizes {text}: {sizes[0]} is too small: give at least 1")
    return sizes


def _positive(value: float | None, name: str) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise UsageError(f"{name} is {value:g}: give a finite number above 0, or leave it out for no limit")
    return value
