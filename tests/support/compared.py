"""Simulated runs to compare, and what was found of each cell."""

from inferometer.results.summary import summarise
from inferometer.storage.run_directory import RunWriter
from simulated_runs import cell, rounds_of, run

QUIET = (0.999, 1.0, 1.001)


def results(cells, path="a", **more):
    """Return results of one run; ``cells``: {cell: rates by round}."""
    records = [r for the_cell, rates in cells.items() for r in rounds_of(the_cell, rates)]
    return summarise([run(records, path, **more)])


def matrix(slow=1.0, path="a", **more):
    rates = {}
    for number, framework in enumerate(("tf", "onnxrt", "torch")):
        for size in (8, 16):
            level = 1000 * (number + 1) * (slow if framework == "torch" else 1.0)
            rates[cell(framework, size)] = [level * q for q in QUIET]
    return results(rates, path, **more)


def stored(tmp_path, found):
    """Write the one run of results; return its folder."""
    (stored_run,) = found.runs
    folder = tmp_path / str(stored_run.path)
    writer = RunWriter.create(folder, stored_run.info)
    for item in stored_run.records:
        writer.append(item)
    return str(folder)


def verdicts(found):
    return {change.name: change.verdict for change in found.changes}
