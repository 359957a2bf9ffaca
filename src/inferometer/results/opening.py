"""Runs as results: from the cache of a big run where it is of its content, else from its records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from inferometer.results import summary_cache
from inferometer.results.cells import Results
from inferometer.results.packed import Packed
from inferometer.results.parts import read_and_summarise
from inferometer.results.summary import summarise
from inferometer.storage.find import Notice, locate_runs, read_found


def open_results(
    paths: Sequence[Path | str],
    *,
    notice: Notice = lambda text: None,
    keep: Callable[[Results, Packed], None] = summary_cache.store,
) -> Results:
    """Return the runs that ``paths`` mean, summarised together; StoreError if a path holds none. ``notice``: see `find_runs`.

    The summaries of one big run are kept beside it, by ``keep``. Those of several depend on each other, and are computed.
    """
    runs = locate_runs(paths, notice=notice)
    if len(runs.paths) != 1 or not summary_cache.is_worth_it(runs.paths[0]):
        return summarise(read_found(runs, notice=notice))
    found = summary_cache.load(runs.paths[0])
    if found is None:
        found, packed = read_and_summarise(runs.paths[0])
        if packed:
            keep(found, packed)
    return found
