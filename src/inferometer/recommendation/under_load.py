"""Which row keeps a promise of latency to requests that queue, and is cheapest at it: from results under load (pure)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from inferometer.recommendation.constraints import Constraints
from inferometer.recommendation.decision import Decision
from inferometer.recommendation.objectives import USUAL_PRICES, Prices
from inferometer.recommendation.recommend import recommend
from inferometer.records import STILL_MISSING, LoadTest
from inferometer.results.cells import Results
from inferometer.results.under_load import (
    NOT_MLPERF,
    LoadSummary,
    by_place,
    joules_a_request,
    summarise_load,
    watts,
)
from inferometer.units import duration, listed, significant

NO_QUEUE = "service time, no queue"


@dataclass(frozen=True)
class LoadOption:
    """A row that keeps the promise, and the test whose figures are shown: at its highest rate, or next above the wanted one."""

    summary: LoadSummary
    test: LoadTest
    highest_rate: float  # requests/s at which it kept the promise in every round

    @property
    def rate(self) -> float:
        """Return the requests/s of the test whose figures are shown."""
        return self.test.target_rate or 0.0

    @property
    def joules(self) -> float | None:
        """Return the energy a request at that rate, what the device takes at rest in it."""
        return joules_a_request(self.test)

    @property
    def words(self) -> str:
        """Return it in one line."""
        name = f"{self.summary.percentile:g}"
        most, rate = (f"{significant(found)} requests/s" for found in (self.highest_rate, self.rate))
        latency = f"p{name} {duration(self.test.latency_s[name])}"
        said = f"{most}, {latency}" if most == rate else f"up to {most}; at {rate}: {latency}"
        parts = [f"{self.summary.row}, batches {self.summary.batching.words}: {said}"]
        if self.joules is not None:
            parts.append(f"{significant(1e3 * self.joules)} mJ a request")
        if (power := watts(self.test)) is not None:
            parts.append(f"{significant(power)} W")
        return ", ".join(parts)


@dataclass(frozen=True)
class LoadDecision:
    """The choice for one machine and model."""

    machine: str
    model: str
    limit_s: float
    rate: float | None  # that is wanted; None: any
    choice: LoadOption | None
    others: tuple[LoadOption, ...]  # that keep the promise too, the cheapest first
    by: str  # what is cheapest by
    refused: tuple[str, ...]  # a line a row that does not
    doubts: tuple[str, ...]


def recommend_under_load(
    results: Results, limit_s: float, rate: float | None = None
) -> tuple[LoadDecision, ...]:
    """Return the decision of each machine and model that was a server under load; ``rate``: requests/s that are wanted."""
    places = by_place(_servers(results))
    return tuple(_decide(results, place, found, limit_s, rate) for place, found in places.items())


def _servers(results: Results) -> list[LoadSummary]:
    return [summary for summary in summarise_load(results) if summary.scenario == "server"]


def recommend_without_load(
    results: Results, limit_s: float, prices: Prices = USUAL_PRICES
) -> tuple[Decision, ...]:
    """Return the decisions of machines and models with closed loops only, each with the doubt that nothing queued there."""
    known = {(summary.machine, summary.model) for summary in _servers(results)}
    asked = f"--scenarios server --latency-bound {limit_s * 1e3:g}ms"
    doubt = (
        f"{NO_QUEUE}: what a batch takes with nobody waiting; requests that come at random wait besides, and their p99 is "
        f"often 2 to 6 times as long; measure it: inferometer run MODEL {asked}"
    )
    found = recommend(results, Constraints(max_latency_s=limit_s), "throughput", prices)
    return tuple(replace(d, doubts=(*d.doubts, doubt)) for d in found if (d.machine, d.model) not in known)


def _decide(
    results: Results, place: tuple[str, str], found: Sequence[LoadSummary], limit_s: float, rate: float | None
) -> LoadDecision:
    options, refused = [], []
    for summary in found:
        option = _option(summary, limit_s)
        if option is None:
            refused.append(f"{_name(summary)}: {_why_none(summary, limit_s)}")
        elif rate is not None and option.highest_rate < rate:
            refused.append(
                f"{_name(summary)}: keeps it up to {significant(option.highest_rate)} requests/s only"
            )
        else:
            options.append(option if rate is None else _at(option, limit_s, rate))
    metered = bool(options) and all(option.joules is not None for option in options)
    options.sort(key=lambda o: (o.joules or 0.0) if metered else -o.highest_rate)
    by = "energy a request" if metered else "requests/s of the machine, since not every row's energy is known"
    choice = options[0] if options else None
    return LoadDecision(
        *place, limit_s, rate, choice, tuple(options[1:]), by, tuple(refused), _doubts(results, place, found, choice)
    )  # fmt: skip


def _option(summary: LoadSummary, limit_s: float) -> LoadOption | None:
    """Return what a row can promise: of every round's highest rate within the limit the lowest; None where a round has none, or failed."""
    bests = []
    for result in summary.results:
        if result.status in STILL_MISSING:
            continue
        held = [test for test in result.tests if _keeps(test, summary, limit_s)]
        if result.status != "ok" or not held:
            return None
        bests.append(max(held, key=_rate_of))
    if not bests:
        return None
    lowest = min(bests, key=_rate_of)
    return LoadOption(summary, lowest, _rate_of(lowest))


def _rate_of(test: LoadTest) -> float:
    return test.target_rate or 0.0


def _keeps(test: LoadTest, summary: LoadSummary, limit_s: float) -> bool:
    latency_s = test.latency_s.get(f"{summary.percentile:g}")
    return bool(test.valid and test.target_rate and latency_s is not None and latency_s <= limit_s)


def _at(option: LoadOption, limit_s: float, rate: float) -> LoadOption:
    """Return the option by its test at the lowest rate that is enough, whose energy is nearest to what will be used."""
    tests = [
        test
        for result in option.summary.results
        for test in result.tests
        if _keeps(test, option.summary, limit_s) and _rate_of(test) >= rate
    ]
    metered = [test for test in tests if joules_a_request(test) is not None] or tests
    return replace(option, test=min(metered, key=_rate_of))


def _name(summary: LoadSummary) -> str:
    return f"{summary.row}, batches {summary.batching.words}"


def _why_none(summary: LoadSummary, limit_s: float) -> str:
    problems = "; ".join(summary.problems)
    return problems or f"no test kept p{summary.percentile:g} within {duration(limit_s)}"


def _doubts(
    results: Results, place: tuple[str, str], found: Sequence[LoadSummary], choice: LoadOption | None
) -> tuple[str, ...]:
    doubts = []
    if choice and not choice.summary.is_mlperf_length:
        doubts.append(f"{NOT_MLPERF}: tests of the preset {choice.summary.preset} are shortened")
    if choice and choice.summary.rounds < 2:
        doubts.append("one process only: how far another one would differ is not known (--rounds 3)")
    rows = {summary.row for summary in found}
    closed = dict.fromkeys(
        s.row for s in results.summaries if s.measured and (s.machine, s.model) == place and s.row not in rows
    )
    if closed:
        doubts.append(f"{NO_QUEUE} of {listed([*closed])}: measured in closed loops only, and not considered")
    return tuple(doubts)


def lines(decision: LoadDecision) -> list[str]:
    """Return what to say about one machine and model, a line each."""
    wanted = f", {significant(decision.rate)} requests/s" if decision.rate else ""
    head = f"{decision.machine}: {decision.model}, requests within {duration(decision.limit_s)}{wanted}"
    if decision.choice is None:
        said = [f"nothing keeps the promise: {'; '.join(decision.refused)}"]
    else:
        said = [f"take {decision.choice.words}", f"cheapest by {decision.by}"]
        said += [f"also: {other.words}" for other in decision.others[:3]]
        said += [f"left out: {reason}" for reason in decision.refused]
    return [head, *(f"  {line}" for line in said), *(f"  doubt: {doubt}" for doubt in decision.doubts)]


def to_json(decisions: Sequence[LoadDecision]) -> str:
    """Return the decisions as JSON."""
    return json.dumps([_data(d) for d in decisions], indent=1, ensure_ascii=False) + "\n"


def _data(decision: LoadDecision) -> dict[str, Any]:
    return {
        "machine": decision.machine,
        "model": decision.model,
        "limit_s": decision.limit_s,
        "rate": decision.rate,
        "choice": _option_data(decision.choice) if decision.choice else None,
        "others": [_option_data(other) for other in decision.others],
        "by": decision.by,
        "refused": list(decision.refused),
        "doubts": list(decision.doubts),
    }


def _option_data(option: LoadOption) -> dict[str, Any]:
    cell, batching = option.summary.cell, option.summary.batching
    return {
        "framework": cell.framework,
        "precision": cell.precision,
        "device": cell.device,
        "max_batch": batching.max_batch,
        "max_wait_s": batching.max_wait_s,
        "instances": batching.instances,
        "rate": option.rate,
        "highest_rate": option.highest_rate,
        "latency_s": option.test.latency_s,
        "energy_request_j": option.joules,
        "power_w": watts(option.test),
    }
