"""Which row keeps a promise of latency to requests that queue, and is cheapest at it: from results under load (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inferometer.flags import words
from inferometer.recommendation.constraints import Constraints
from inferometer.recommendation.decision import Decision, Reason
from inferometer.recommendation.load_option import LoadOption, at_rate, metered_alike, option_under_load
from inferometer.recommendation.objectives import USUAL_PRICES, Prices
from inferometer.recommendation.price_list import PriceList
from inferometer.recommendation.recommend import recommend
from inferometer.results.cells import Results
from inferometer.results.under_load import AUDIT_PASSED, NOT_MLPERF, LoadSummary, summarise_load
from inferometer.units import duration, listed, significant

NO_QUEUE = "service time, no queue"


@dataclass(frozen=True)
class Wanted:
    """What is asked of every machine."""

    limit_s: float  # of the percentile that was promised
    rate: float | None = None  # requests/s; None: any
    prices: PriceList | None = None  # None: the cheapest is not a matter of money


@dataclass(frozen=True)
class LoadDecision:
    """The choice for one machine, model and percentile."""

    machine: str
    model: str
    percentile: float
    wanted: Wanted
    choice: LoadOption | None
    others: tuple[LoadOption, ...]  # that keep the promise too, the cheapest first
    by: str  # what is cheapest by
    refused: tuple[str, ...]  # a line a row that does not
    doubts: tuple[str, ...]
    without_electricity: bool  # costs lack it, though it has a price


_Place = tuple[str, str, float]  # machine, model, percentile: rows of two of them are not compared


def recommend_under_load(results: Results, wanted: Wanted) -> tuple[LoadDecision, ...]:
    """Return the decision of each machine, model and percentile that was a server under load."""
    places: dict[_Place, list[LoadSummary]] = {}
    loaded = summarise_load(results)
    for summary in _servers(loaded):
        places.setdefault((summary.machine, summary.model, summary.percentile), []).append(summary)
    decisions = (_decide(results, place, found, wanted) for place, found in places.items())
    return tuple(replace(d, doubts=(*d.doubts, *_audits(d, loaded))) for d in decisions)


def _servers(loaded: Sequence[LoadSummary]) -> list[LoadSummary]:
    return [summary for summary in loaded if summary.scenario == "server"]


def _audits(decision: LoadDecision, loaded: Sequence[LoadSummary]) -> list[str]:
    """Return what audits of the chosen row found, in any scenario: a server has none for cached answers."""
    place = (decision.machine, decision.model, decision.choice.summary.row if decision.choice else "")
    rows = (s for s in loaded if (s.machine, s.model, s.row) == place)
    return [f"{s.scenario}: {s.audit}" for s in rows if s.audit not in ("", AUDIT_PASSED)]


def recommend_without_load(results: Results, wanted: Wanted) -> tuple[Decision, ...]:
    """Return the decisions of machines and models with closed loops only: no verdict, since nothing queued there."""
    known = {(summary.machine, summary.model) for summary in _servers(summarise_load(results))}
    asked = f"--scenarios server --latency-bound {wanted.limit_s * 1e3:g}ms"
    reason = Reason(
        "none", "the latency of requests under load was not measured", f"inferometer run MODEL {asked}"
    )
    doubt = (
        f"{NO_QUEUE}: what a batch takes with nobody waiting; requests that come at random wait besides, and their p99 is "
        "often 2 to 6 times as long"
    )
    limits = Constraints(max_latency_s=wanted.limit_s, min_throughput=wanted.rate)
    closed = [s for s in results.summaries if (s.machine, s.model) not in known]
    found: list[Decision] = []
    for machine in dict.fromkeys(s.machine for s in closed):
        own = replace(results, summaries=tuple(s for s in closed if s.machine == machine))
        if wanted.prices and _can_be_priced(own, wanted.prices.of(machine)):
            found += recommend(own, limits, "cost", wanted.prices.of(machine))
        else:
            found += recommend(own, limits, "throughput", USUAL_PRICES)
    return tuple(
        replace(d, grade="none", reasons=(reason, *d.reasons), doubts=(*d.doubts, doubt)) for d in found
    )


def _can_be_priced(results: Results, prices: Prices) -> bool:
    """Return whether some cell of a machine has a cost: by the hour, or by energy that is known."""
    metered = any(s.measured and s.energy_image for s in results.summaries)
    return bool(prices.per_hour or (prices.per_kwh and metered))


def _decide(results: Results, place: _Place, found: Sequence[LoadSummary], wanted: Wanted) -> LoadDecision:
    options, refused = [], []
    for alike in _by_policy(found):
        summary, option = alike[0], _best_of(alike, wanted.limit_s)
        if option is None:
            telling = [one for one in alike if one.failed] or alike
            why = dict.fromkeys(_why_none(one, wanted.limit_s) for one in telling)
            refused.append(f"{_name(summary)}: {'; '.join(why)}")
        elif wanted.rate is not None and option.highest_rate < wanted.rate:
            refused.append(
                f"{_name(summary)}: keeps it up to {significant(option.highest_rate)} requests/s only"
            )
        else:
            options.append(option if wanted.rate is None else at_rate(option, wanted.limit_s, wanted.rate))
    ordered, by, without = _cheapest_first(options, wanted, place[0])
    choice = ordered[0] if ordered else None
    unsure = [_NO_ELECTRICITY] if without else []
    doubts = (*_doubts_of(choice, wanted.limit_s), *unsure, *_not_considered(results, place, found))
    return LoadDecision(*place, wanted, choice, tuple(ordered[1:]), by, tuple(refused), doubts, without)


def _by_policy(found: Sequence[LoadSummary]) -> list[list[LoadSummary]]:
    """Return the summaries of each row and policy, whose rate was searched for one bound or several."""
    groups: dict[tuple[object, ...], list[LoadSummary]] = {}
    for summary in found:
        groups.setdefault((summary.cell, summary.row, summary.batching, summary.preset), []).append(summary)
    return [*groups.values()]


def _best_of(alike: Sequence[LoadSummary], limit_s: float) -> LoadOption | None:
    """Return the highest rate that a row's searches found; None where there is none, or the row failed in one of them."""
    options = [option for summary in alike if (option := option_under_load(summary, limit_s))]
    if any(summary.failed for summary in alike):
        return None
    return max(options, key=lambda option: option.highest_rate, default=None)


def _cheapest_first(
    options: Sequence[LoadOption], wanted: Wanted, machine: str
) -> tuple[list[LoadOption], str, bool]:
    """Return the options in order, what they are ordered by, and whether their costs lack electricity that has a price.

    Joules count where one meter has them all.
    """
    metered = metered_alike(options)
    if wanted.prices:
        prices = wanted.prices.of(machine)
        own = prices if metered else replace(prices, per_kwh=0.0)
        if own.per_hour or own.per_kwh:
            without = bool(options) and own.per_kwh != prices.per_kwh
            priced = [option.priced(own, wanted.rate) for option in options]
            return sorted(priced, key=lambda o: (o.cost or 0.0, -o.highest_rate)), _cost_words(own), without
    if metered:
        return sorted(options, key=lambda o: o.joules or 0.0), "energy a request", False
    unknown = any(not option.meter for option in options)
    why = "not every row's energy is known" if unknown else "their energies are of different meters"
    return sorted(options, key=lambda o: -o.highest_rate), f"requests/s of the machine, since {why}", False


_NO_ELECTRICITY = "the energy of every row by one meter is not known: electricity is not in the cost"


def _cost_words(prices: Prices) -> str:
    parts = ((prices.per_hour, "an hour"), (prices.per_kwh, "a kWh"))
    return f"cost of a million requests ({listed([f'{p:g} {prices.currency} {of}' for p, of in parts if p])})"


def _name(summary: LoadSummary) -> str:
    return f"{summary.row}, batches {summary.batching.words}"


def _why_none(summary: LoadSummary, limit_s: float) -> str:
    problems, promise = "; ".join(summary.problems), f"p{summary.percentile:g} within"
    if not problems:
        return f"no test kept {promise} {duration(limit_s)}"
    if summary.failed or not summary.rounds or not summary.bound_s:
        return problems
    return f"{problems} ({promise} {duration(summary.bound_s)})"


def _doubts_of(choice: LoadOption | None, limit_s: float) -> list[str]:
    if choice is None:
        return []
    doubts, summary = [], choice.summary
    if not summary.is_mlperf_length:
        doubts.append(f"{NOT_MLPERF}: tests of the preset {summary.preset} are shortened")
    if summary.rounds < 2:
        doubts.append("one process only: how far another one would differ is not known (--rounds 3)")
    if summary.bound_s and limit_s < summary.bound_s:
        doubts.append(
            f"LoadGen judged p{summary.percentile:g} within {duration(summary.bound_s)}; that it is within {duration(limit_s)} "
            f"too is the figure of {choice.test.queries} requests, without LoadGen's 99 % confidence"
        )
    return [*doubts, *dict.fromkeys(words(flag) for flag in choice.test.flags)]


def _not_considered(results: Results, place: _Place, found: Sequence[LoadSummary]) -> list[str]:
    rows = {summary.row for summary in found}
    closed = dict.fromkeys(
        s.row
        for s in results.summaries
        if s.measured and (s.machine, s.model) == place[:2] and s.row not in rows
    )
    if not closed:
        return []
    return [f"{NO_QUEUE} of {listed([*closed])}: measured in closed loops only, and not considered"]
