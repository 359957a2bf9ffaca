"""The options of scenarios under load, a part of the table in `options`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypedDict

from inferometer.planning import kinds
from inferometer.planning.load_request import SCENARIO_PRESETS
from inferometer.planning.option import Option
from inferometer.records import PADDINGS, SCENARIOS

MOST_BATCH, MOST_INSTANCES = 65_536, 1024
PERCENTILES = (50.0, 90.0, 95.0, 97.0, 99.0, 99.9)  # that LoadGen logs


class LoadOptions(TypedDict, total=False):
    """Under load, by MLPerf's LoadGen."""

    scenarios: Annotated[
        str | Iterable[str],
        Option(
            "--scenarios", kinds.names_of("scenario", SCENARIOS), f"{','.join(SCENARIOS)}: run after the rounds.",
            ("load.scenarios",), default=(),
        ),
    ]  # fmt: skip
    latency_bound: Annotated[
        str | float | Iterable[str | float] | None,
        Option(
            "--latency-bound", kinds.durations(), "Latency that the server is to keep, such as 20ms; of several each is tried: 10ms,50ms.", ("load.bounds_s",)
        ),
    ]  # fmt: skip
    percentile: Annotated[
        float | None,
        Option(
            "--percentile", kinds.one_number_of("percentile", PERCENTILES), "Of requests that keep the bound.  [default: 99]", ("load.percentile",)
        ),
    ]  # fmt: skip
    scenario_preset: Annotated[
        str,
        Option(
            "--scenario-preset", kinds.one_of("scenario preset", SCENARIO_PRESETS),
            "; ".join(f"{name}: {preset.title}" for name, preset in SCENARIO_PRESETS.items()) + ".",
            ("load.preset",), default="quick",
        ),
    ]  # fmt: skip
    max_batch: Annotated[
        str | int | Iterable[int] | None,
        Option(
            "--max-batch", kinds.batch_sizes(MOST_BATCH), "Requests answered at once, at most; several are tried: 1,8.  [default: 8]",
            ("load.max_batch",),
        ),
    ]  # fmt: skip
    max_wait_ms: Annotated[
        str | float | Iterable[float] | None,
        Option(
            "--max-wait-ms", kinds.milliseconds(),
            "Milliseconds for which the oldest request waits for others; several are tried: 0,2.  [default: 0]",
            ("load.max_wait_s",),
        ),
    ]  # fmt: skip
    padding: Annotated[
        str,
        Option(
            "--padding", kinds.one_of("padding", PADDINGS),
            "Fill batches up to powers of two, of four (fours), to 1 or the largest (largest), to the largest always (one), or none (every size is prepared).", ("load.padding",),
            default="powers",
        ),
    ]  # fmt: skip
    instances: Annotated[
        str | int | Iterable[int] | None,
        Option(
            "--instances", kinds.batch_sizes(MOST_INSTANCES, "instances"),
            "Processes that answer one queue on a CPU, each pinned to its share of the cores; several are tried: 1,2.  [default: 1]",
            ("load.instances",),
        ),
    ]  # fmt: skip
    audit: Annotated[
        bool,
        Option(
            "--audit", kinds.switch(), "Test for caching, and accuracy in performance runs, as MLPerf's audits do.",
            ("load.audit",), default=False,
        ),
    ]  # fmt: skip
