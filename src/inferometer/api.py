"""The Python interface: `inferometer.run(...)` and what it returns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import msgspec

from inferometer.errors import UsageError, unknown
from inferometer.models.contract import ModelRequest
from inferometer.planning.presets import PRESETS
from inferometer.planning.request import RunRequest, batch_sizes_of, real, whole
from inferometer.running.progress.observer import Observer, SilentObserver
from inferometer.running.run import execute
from inferometer.running.run import resume as resume_run
from inferometer.storage.destinations import RUNS_FOLDER
from inferometer.storage.run_directory import RUN_FILE, StoredRun, read_run

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from inferometer.report.figures.gallery import Gallery
    from inferometer.results.cells import Results


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

    def to_pandas(self) -> Any:
        """Return a DataFrame, a row per cell, columns in SI units; needs pandas."""
        try:
            import pandas
        except ImportError as error:
            raise UsageError("to_pandas needs pandas: pip install 'inferometer[pandas]'") from error
        from inferometer.tables.overview import flat_rows

        return pandas.DataFrame(flat_rows(self.results))

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


def run(
    model: str | Path = "mobilenet_v3_large",
    *,
    frameworks: str | Iterable[str] = "all",
    batch_sizes: str | int | Iterable[int] | None = None,
    precisions: Iterable[str] = ("fp32",),
    modes: Iterable[str] = ("host",),
    device: str | Iterable[str] = "auto",
    at_once: bool = False,
    preset: str = "standard",
    images: int | None = None,
    loops: int | None = None,
    warmup: int | None = None,
    rounds: int | None = None,
    threads: int | None = None,
    timeout_s: float | None = None,
    budget_s: float | None = None,
    seed: int | None = None,
    weights: str | Path = "random",
    image: str | Path | Iterable[str | Path] | None = None,
    inputs: str | Path | None = None,
    shapes: Mapping[str, int] | None = None,
    input_ranges: Mapping[str, tuple[float, float]] | None = None,
    trust_model: bool = False,
    tolerance: float | None = None,
    python: Mapping[str, str | Path] | None = None,
    accelerator: str = "",
    keep_trying: bool = False,
    meters: Iterable[str] = (),
    powercap: str | Path = "",
    out: str | Path | None = None,
    observer: Observer | None = None,
) -> Result:
    """Measure ``model`` and return the result; the arguments mean what the command line's options of those names mean
    (``meters``: the terms of --meter).

    ``observer`` is told of the progress; the default shows it in terminals and notebooks. UsageError (a subclass of
    InferometerError) for anything that cannot be met.
    """
    asked = model_request(
        model, weights=weights, seed=seed, image=image, inputs=inputs, shapes=shapes, input_ranges=input_ranges,
        trust_model=trust_model,
    )  # fmt: skip
    protocol = {
        "images": images, "loops": loops, "warmup": warmup, "rounds": rounds, "threads": threads,
        "timeout_s": timeout_s, "budget_s": budget_s, "seed": seed,
    }  # fmt: skip
    request = make_request(
        asked,
        preset=preset,
        batch_sizes=batch_sizes,
        protocol=protocol,
        frameworks=frameworks,
        precisions=precisions,
        modes=modes,
        devices=device,
        at_once=at_once,
        python={name: Path(path) for name, path in (python or {}).items()},
        accelerator=accelerator,
        keep_trying=keep_trying,
        tolerance=None if tolerance is None else real("tolerance", tolerance),
        meters=tuple(meters),
        powercap=str(powercap),
    )
    path = Path(out) if out else default_out(request)
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
        with shown_progress() if observer is None else contextlib.nullcontext(observer) as watching:
            yield watching
    except KeyboardInterrupt as interruption:
        if (path / RUN_FILE).exists():
            interruption.add_note(f"go on with inferometer.resume({str(path)!r})")
        raise


def model_request(
    model: str | Path,
    *,
    weights: str | Path,
    seed: int | None,
    image: str | Path | Iterable[str | Path] | None,
    inputs: str | Path | None,
    shapes: Mapping[str, int] | None,
    input_ranges: Mapping[str, tuple[float, float]] | None,
    trust_model: bool,
) -> ModelRequest:
    """Return what is asked of the model, paths and mappings in the request's types; None and "" mean not given."""
    return ModelRequest(
        model=str(model),
        weights=str(weights),
        seed=whole("--seed", seed or 0),
        images=_paths(image),
        inputs=Path(inputs) if inputs else None,
        shapes={name: whole(f"shape {name}", size) for name, size in (shapes or {}).items()},
        input_ranges={
            name: (real(f"range of {name}", low), real(f"range of {name}", high))
            for name, (low, high) in (input_ranges or {}).items()
        },
        trust_model=trust_model,
    )


def make_request(
    model: ModelRequest,
    *,
    preset: str,
    batch_sizes: str | int | Iterable[int] | None,
    protocol: Mapping[str, Any],
    **fields: Any,
) -> RunRequest:
    """Return the request: the preset's numbers, replaced by those of ``protocol`` that are not None.

    ``fields`` are those of `RunRequest`; frameworks, precisions, modes and devices may be "a,b" or names.
    """
    if preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    chosen = PRESETS[preset]
    given = {
        name: (real if name.endswith("_s") else whole)(f"--{name.removesuffix('_s')}", value)
        for name, value in protocol.items()
        if value is not None
    }
    if "rounds" in given:
        given.setdefault("most_rounds", 0)  # a number that is asked for stays
    numbers = msgspec.structs.replace(chosen.protocol, **given)
    if batch_sizes is None:
        sizes = tuple(size for size in chosen.batch_sizes if size <= numbers.images)
    else:
        sizes = batch_sizes_of(batch_sizes)
    named = {name: _names(fields[name]) for name in _LISTS if name in fields}
    request = RunRequest(model=model, batch_sizes=sizes, protocol=numbers, **(fields | named))
    request.check()
    return request.located()


def default_out(request: RunRequest) -> Path:
    """Return a new directory name below ./inferometer-runs, by time and model."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return RUNS_FOLDER / f"{stamp}-{Path(request.model.model).stem}"


_LISTS = ("frameworks", "precisions", "modes", "devices")


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(part.strip() for part in parts if part.strip())


def _run_path(path: Path | str) -> Path:
    if path == "":
        raise UsageError("the path of the run is empty; give a run directory, '.' for the current folder")
    return Path(path)


def _paths(value: str | Path | Iterable[str | Path] | None) -> tuple[Path, ...] | None:
    if value is None:
        return None
    paths = (value,) if isinstance(value, str | Path) else tuple(value)
    if "" in paths:  # the current folder, if it became a path
        raise UsageError("--image: the path is empty; give a photo or a folder of them, or leave it out")
    return tuple(Path(path) for path in paths)


__all__ = ["Result", "SilentObserver", "default_out", "load", "make_request", "resume", "run"]
