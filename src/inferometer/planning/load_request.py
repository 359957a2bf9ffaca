"""What is asked for under load: scenarios, the promise that the server is to keep, and how batches are formed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from inferometer.errors import UsageError
from inferometer.records import Batching, Padding, ScenarioName
from inferometer.units import counted, listed

MOST_TESTS = 8  # of a search for the highest rate
_AUDIT_TESTS = 2


@dataclass(frozen=True)
class ScenarioPreset:
    """How long LoadGen's tests are."""

    title: str
    min_s: float
    max_s: float  # 0: no end
    queries: int  # at least, of single streams
    enough_queries: (
        int  # at least, where a 99th percentile is judged: LoadGen's early stopping needs 662 of them
    )
    offline_samples: int
    is_mlperf_length: bool = False

    def least_rate(self, percentile: float) -> float:
        """Return the requests/s below which a server test may end before it has the queries that a verdict needs.

        Arrivals are Poisson's: so many are expected that fewer than needed come in one test of 700.
        """
        needed = self.queries_of("server", percentile)
        return (needed + 3 * math.sqrt(needed)) / self.max_s if self.max_s else 0.0

    def queries_of(self, scenario: ScenarioName, percentile: float = 99.0) -> int:
        """Return how many queries a test has at least; ``percentile``: that a server is judged by.

        How many show a percentile with one confidence grows as 1 / log(percentile): 662 for the 99th, 64 for the 90th.
        """
        if scenario == "offline":
            return self.offline_samples
        if scenario == "single-stream":
            return self.queries
        if scenario == "multi-stream" or self.is_mlperf_length:
            return self.enough_queries
        return math.ceil(self.enough_queries * math.log(0.99) / math.log(percentile / 100))


SCENARIO_PRESETS: Mapping[str, ScenarioPreset] = {
    "quick": ScenarioPreset("5 s a test", 5.0, 60.0, 64, 662, 100),
    "standard": ScenarioPreset("60 s a test", 60.0, 600.0, 1024, 5000, 1000),
    # the lengths of mlperf.conf for vision and language models
    "mlperf": ScenarioPreset("600 s a test", 600.0, 0.0, 100, 662, 24_576, is_mlperf_length=True),
}


class LoadRequest(msgspec.Struct, frozen=True):
    """Scenarios to run after the rounds, and how; none: nothing is run under load."""

    scenarios: tuple[ScenarioName, ...] = ()
    bounds_s: tuple[float, ...] = ()  # of the percentile of latencies, in the server scenario; a search each
    percentile: float = 99.0
    preset: str = "quick"
    max_batch: tuple[int, ...] = (8,)  # several are tried
    max_wait_s: tuple[float, ...] = (0.0,)  # likewise
    padding: Padding = "powers"
    instances: tuple[int, ...] = (1,)  # likewise
    audit: bool = False

    def check(self) -> None:
        """Raise UsageError for a server without a promise, or instances of a single stream."""
        if "server" in self.scenarios and not self.bounds_s:
            raise UsageError(
                "--scenarios server needs the latency to promise: give --latency-bound, such as 20ms"
            )
        if max(self.instances) > 1 and not {*self.scenarios} - {"single-stream"}:
            raise UsageError(
                "--instances is for the scenarios server, offline and multi-stream: a single stream waits for each answer"
            )

    def check_used(self) -> None:
        """Raise UsageError for an option that was given and would change nothing."""
        if "server" not in self.scenarios:
            self._refuse(("--latency-bound", "--percentile", "--max-wait-ms"), "--scenarios server")
        if not self.scenarios:
            self._refuse(("--scenario-preset", "--max-batch", "--padding", "--audit"), "--scenarios")

    def _refuse(self, options: Iterable[str], meant_for: str) -> None:
        for option in options:
            if getattr(self, _FIELDS[option]) != getattr(_DEFAULTS, _FIELDS[option]):
                raise UsageError(f"{option} is for {meant_for}: give that too, or leave it out")

    @property
    def length(self) -> ScenarioPreset:
        """Return how long tests are."""
        return SCENARIO_PRESETS[self.preset]

    def words(self) -> str:
        """Return what is asked for in one line."""
        bounds = ", ".join(f"{bound_s * 1e3:g} ms" for bound_s in self.bounds_s)
        promise = f", p{self.percentile:g} within {bounds}" if bounds else ""
        several = f", instances {listed([*map(str, self.instances)])}" if self.instances != (1,) else ""
        return f"{', '.join(self.scenarios)}{promise}, {self.length.title}{several}"

    def tests_s(self, rows: int, rounds: int) -> tuple[float, float]:
        """Return how long the tests of so many rows take, in seconds: from the fewest that a search takes to the most.

        As long as a preset's tests usually are; what loads, prepares and rehearses a row comes on top.
        """
        fewest = most = 0
        for scenario in self.scenarios:
            searches = len(self.policies(scenario)) * len(self.promises(scenario))
            audits = _AUDIT_TESTS * self.audit
            fewest += searches * (1 + audits)
            most += searches * ((MOST_TESTS if scenario == "server" else 1) + audits)
        each_s = rows * rounds * self.length.min_s
        return fewest * each_s, most * each_s

    def promises(self, scenario: ScenarioName) -> tuple[float | None, ...]:
        """Return the bounds that a scenario is run with."""
        return self.bounds_s if scenario == "server" else (None,)

    def policies(self, scenario: ScenarioName) -> tuple[Batching, ...]:
        """Return the batchings to try; only the server's requests come one by one and can be waited for.

        A single stream keeps one instance busy, however many there are.
        """
        if scenario == "single-stream":
            return (Batching(1, 0.0, self.padding),)
        waits = self.max_wait_s if scenario == "server" else (0.0,)
        # nothing is waited for where a batch is one request
        found = {
            Batching(size, wait if size > 1 else 0.0, self.padding, count): None
            for count in self.instances
            for size in self.max_batch
            for wait in waits
        }
        return tuple(found)


_FIELDS = {
    "--latency-bound": "bounds_s",
    "--percentile": "percentile",
    "--max-wait-ms": "max_wait_s",
    "--scenario-preset": "preset",
    "--max-batch": "max_batch",
    "--padding": "padding",
    "--audit": "audit",
}
_DEFAULTS = LoadRequest()


def check_instances(load: LoadRequest, threads: int, devices: Iterable[str], cpus: int | None = None) -> None:
    """Raise UsageError for more instances than threads to share out, more threads than CPUs, or instances of a GPU.

    ``cpus``: to which processes may be pinned, None for those of this process.
    """
    most = max(load.instances)
    if most == 1:
        return
    others = [device for device in devices if device != "cpu"]
    if others:
        raise UsageError(
            f"--instances {most} shares out the cores of a CPU: leave it out for {others[0]}, or give --device cpu"
        )
    if most > threads:
        raise UsageError(
            f"--instances {most} is more than the {counted(threads, 'CPU thread')} to share out: give {threads} at most"
        )
    if cpus is None:
        if not hasattr(os, "sched_setaffinity"):
            raise UsageError(f"--instances {most} pins processes to cores, which this system cannot")
        cpus = len(os.sched_getaffinity(0))
    if max(threads // count * count for count in load.instances if count > 1) > cpus:
        raise UsageError(
            f"--instances {most} gives each thread a CPU, and {counted(cpus, 'CPU')} may be used here: give --threads {cpus}"
        )


def sizes_of(batching: Batching, fixed: int | None = None) -> tuple[int, ...]:
    """Return the batch sizes that a policy prepares, ascending; ``fixed``: the only one that the model takes."""
    if fixed:
        return (fixed,)
    most = batching.max_batch
    if batching.padding == "none":
        return tuple(range(1, most + 1))
    if batching.padding == "largest":
        return tuple(sorted({1, most}))
    if batching.padding == "one":
        return (most,)
    base = 4 if batching.padding == "fours" else 2
    powers = (base**power for power in range(most.bit_length()))
    return tuple(sorted({*(size for size in powers if size <= most), most}))
