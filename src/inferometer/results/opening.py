"""Runs as results: from the cache of a big run where it is of its content, else from its records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inferometer.results import summary_cache
from inferometer.results.cells import Results
from inferometer.results.summary import summarise
from inferometer.storage.find import Notice, run_paths
from inferometer.storage.run_directory import read_run


def open_results(paths: Sequence[Path | str], *, notice: Notice = lambda text: None) -> Results:
    """Return the runs that ``paths`` mean, summarised together; StoreError if a path holds none. ``notice``: see `find_runs`.

    The summaries of one big run are kept beside it. Those of several depend on each other, and are computed.
    """
    runs = run_paths(paths, notice=notice)
    if len(runs) != 1 or not summary_cache.is_worth_it(runs[0]):
        return summarise([read_run(run) for run in runs])
    found = summary_cache.load(runs[0])
    if found is None:
        found = summarise([read_run(runs[0])])
        summary_cache.store(found)
    return found
