"""The Python interface: `inferometer.run(...)` and what it returns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from inferometer.errors import UsageError
from inferometer.host.processes import children_heard
from inferometer.models.contract import ModelRequest
from inferometer.models.live import saved, saved_rows
from inferometer.planning.options import Options
from inferometer.planning.request import make_request
from inferometer.planning.signature import shows_options
from inferometer.running.progress.observer import Observer, SilentObserver
from inferometer.running.run import execute
from inferometer.running.run import resume as resume_run
from inferometer.storage.cache import cache_folder
from inferometer.storage.destinations import default_out
from inferometer.storage.run_directory import RUN_FILE, StoredRun, read_run

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from inferometer.recommendation.constraints import Constraints
    from inferometer.recommendation.decision import Decision
    from inferometer.recommendation.objectives import Objective, Prices
    from inferometer.recommendation.price_list import PriceList
    from inferometer.report.figures.gallery import Gallery
    from inferometer.results.carbon import CarbonFactors
    from inferometer.results.cells import Results
    from inferometer.results.under_load import LoadSummary
    from inferometer.statement.boundary import Boundary
    from inferometer.statement.statement import Statement


class Result:
    """A run: raw records, and statistics derived from them on demand."""

    def __init__(self, run: StoredRun) -> None:
        self.run = run

    @property
    def path(self) -> Path:
        """Return the run's directory."""
        return self.run.path

    @property
    def results(self) -> Results:
        """Return the cells summarised (`inferometer.results.summary.Results`)."""
        from inferometer.results.summary import summarise

        return summarise([self.run])

    @property
    def under_load(self) -> tuple[LoadSummary, ...]:
        """Return what rows did under load (`inferometer.results.under_load.LoadSummary`); () where no scenarios were run."""
        from inferometer.results.under_load import summarise_load

        return summarise_load(self.results)

    def to_pandas(self) -> Any:
        """Return a DataFrame, a row per cell, columns in SI units; needs pandas."""
        try:
            import pandas
        except ImportError as error:
            raise UsageError("to_pandas needs pandas: pip install 'inferometer[pandas]'") from error
        from inferometer.tables.overview import flat_rows

        return pandas.DataFrame(flat_rows(self.results))

    def recommend(
        self,
        *,
        objective: Objective = "throughput",
        constraints: Constraints | None = None,
        prices: Prices | PriceList | None = None,
    ) -> tuple[Decision, ...]:
        """Return what to use, for each machine and mode, as `inferometer recommend` and the reports say it.

        Each has the ``choice``, its ``grade`` (firm, tie, weak, preliminary or none) and the ``reasons``. Constraints and prices
        are those of `inferometer.recommendation`; default: none, and those of the command line.
        The objective "carbon" takes ``prices=Prices(carbon=CarbonFactors(...))``; a `PriceList` prices machines by name.
        """
        from inferometer.recommendation.constraints import ANYTHING
        from inferometer.recommendation.objectives import USUAL_PRICES
        from inferometer.recommendation.recommend import recommend

        return recommend(self.results, constraints or ANYTHING, objective, prices or USUAL_PRICES)

    def statement(
        self, factors: CarbonFactors, *, unit: int = 1000, boundary: Boundary = "device", least_s: float = 0.0
    ) -> Statement:
        """Return energy and carbon of ``unit`` inferences of each cell, as `inferometer statement` writes it.

        ``factors``: `inferometer.results.carbon.CarbonFactors`; ``boundary``: "device" or "metered"; ``least_s``: seconds that
        every round was metered for at least. `inferometer.statement.render` makes Markdown and JSON of it.
        """
        from inferometer.statement.statement import Terms, state

        return state(self.results, Terms(factors, unit, boundary, least_s))

    @overload
    def plot(self, name: str, *, machine: str | None = None, **which: str) -> Figure: ...

    @overload
    def plot(self, name: None = None, *, machine: str | None = None, **which: str) -> Gallery: ...

    def plot(self, name: str | None = None, *, machine: str | None = None, **which: str) -> Figure | Gallery:
        """Return the plotly figure called ``name``, or all of them by name, which a notebook shows one below the other.

        Names: power-throughput, throughput-by-batch, throughput, latency, power, energy, energy_time, memory,
        prepare_time, images_per_joule-by-batch, images_per_watt-by-batch, latency-distribution, phases.
        ``machine``, ``model`` and ``mode`` choose where there are several; UsageError for a name that is not among these.
        """
        from inferometer.report.figures.gallery import Gallery
        from inferometer.report.figures.plotly_figure import figure

        if name is None:
            return Gallery(self.results, machine=machine, **which)
        return figure(self.results, name, machine=machine, **which)

    def __repr__(self) -> str:
        return f"<inferometer.Result of {len(self.run.records)} records in {self.path}>"

    def _repr_html_(self) -> str:
        from inferometer.tables.overview import to_html

        return to_html(self.results)


def load(path: Path | str) -> Result:
    """Return the result in a run directory."""
    return Result(read_run(_run_path(path)))


@shows_options
def run(
    model: Any = ModelRequest.model,
    *,
    example_inputs: Any = None,
    out: str | Path | None = None,
    observer: Observer | None = None,
    **options: Unpack[Options],
) -> Result:
    """Measure ``model`` and return the result; the options mean what the command line's of those names mean.

    ``model``: a name or file as on the command line, a torch.nn.Module with ``example_inputs`` (a tensor, a sequence of
    tensors, or a dictionary of them by name, the batch first; they show what it takes), or a Keras model.
    ``out``: the run's directory, by default below ./inferometer-runs. ``observer`` is told of the progress; the default
    shows it in terminals and notebooks. UsageError (a subclass of InferometerError) for anything that cannot be met.
    """
    if not isinstance(model, (str, Path)):
        model = saved(model, example_inputs, cache_folder("given"))
    inputs = options.get("inputs")
    if inputs is not None and not isinstance(inputs, (str, Path)):
        options["inputs"] = saved_rows(inputs, cache_folder("given"))
    request = make_request(model, **options)
    path = Path(out) if out else default_out(request.model.model)
    with _watching(observer, path) as watching:
        return Result(execute(request, path, watching))


def resume(path: Path | str, *, observer: Observer | None = None) -> Result:
    """Go on with an interrupted run: only cells with no ended record are measured."""
    directory = _run_path(path)
    with _watching(observer, directory) as watching:
        return Result(resume_run(directory, watching))


@contextlib.contextmanager
def _watching(observer: Observer | None, path: Path) -> Iterator[Observer]:
    """Yield the observer, or one that shows the progress; an interruption says how to go on."""
    from inferometer.running.progress.terminal import shown_progress

    try:
        with (
            children_heard(),
            shown_progress() if observer is None else contextlib.nullcontext(observer) as watching,
        ):
            yield watching
    except KeyboardInterrupt as interruption:
        if (path / RUN_FILE).exists():
            interruption.add_note(f"go on with inferometer.resume({str(path)!r})")
        raise


def _run_path(path: Path | str) -> Path:
    if path == "":
        raise UsageError("the path of the run is empty; give a run directory, '.' for the current folder")
    given = Path(path)
    return given.parent if given.name == RUN_FILE else given  # as the command line's readers take it


__all__ = ["Result", "SilentObserver", "load", "resume", "run"]
