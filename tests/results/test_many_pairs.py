"""Many pairs judged at once are judged as each alone is, to the last digit."""

import itertools

import numpy as np
import pytest

import simulated_runs as simulated
from inferometer.results import stats
from inferometer.results.judging import MANY, SUBJECTS, Judge
from inferometer.results.many_pairs import STANDINGS, ManyPairs
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from inferometer.results.tie_test import TieTest
from inferometer.storage.run_directory import read_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return results of one run, of two pooled, and of one round."""
    folder = tmp_path_factory.mktemp("pairs")
    board, frameworks = simulated.BOARDS[0], ("onnxrt", "openvino", "torch", "mnn", "tf")
    several = [
        simulated.write_run(
            folder / str(n), board, frameworks=frameworks, batch_sizes=(8, 512), rounds=n, seed=n
        )
        for n in (4, 3, 1)
    ]
    first, second, alone = [read_run(path) for path in several]
    return {
        name: summarise(of) for name, of in (("one", [first]), ("two", [first, second]), ("alone", [alone]))
    }


def competing(results, metric):
    """Return the cells of one machine, model and mode that have the metric, the best first."""
    (cells,) = results.scopes.values()
    return Judge.of(results, metric).ranked(cells)


@pytest.mark.parametrize("name", ["throughput", "energy", "p99", "prepare_time", "agreement", "memory"])
@pytest.mark.parametrize("which", ["one", "two", "alone"])
def test_as_one_by_one(runs, which, name):
    results, metric = runs[which], METRICS[name]
    cells = competing(results, metric)
    many, rule = ManyPairs(TieTest(results.summaries, metric), cells), TieTest(results.summaries, metric)
    for best in range(len(cells)):
        others = np.arange(best + 1, len(cells))
        standings, ps = many.judged(best, others)
        for other, standing, p in zip(others, standings, ps, strict=True):
            found = rule.judge(cells[best], cells[other])
            assert (STANDINGS[standing], p) == (found.standing, found.p)


@pytest.mark.parametrize("which", ["one", "two", "alone"])
def test_claims_are_the_most_that_hold(runs, which):
    results, metric = runs[which], METRICS["throughput"]
    judge, cells = Judge.of(results, metric), competing(results, metric)
    among = judge.among(cells)
    for best, other in itertools.combinations(range(len(cells)), 2):
        (borne,) = among.claims_borne(best, [other])
        assert among.standings(best, [other]) == [judge.judge(cells[best], cells[other]).standing]
        told = [judge.judge(cells[best], cells[other], claims).told for claims in (max(borne, 1), borne + 1)]
        assert told == [borne > 0, borne == MANY]
        (near,) = among.claims_borne(best, [other], near_counts=True)
        assert near == (
            borne
            if judge.judges(cells[best], cells[other])
            else MANY * (not judge.near(cells[best], cells[other]))
        )


def test_a_row_times_a_row_is_what_it_is_alone():
    rng = np.random.default_rng(5)
    for count in (1, 2, 3, 8, 10, 33, 129):
        rows, other = rng.normal(size=(2, 50, count))
        assert stats.dots(rows, other).tolist() == [float(x @ y) for x, y in zip(rows, other, strict=True)]
        assert stats.dots(rows, other[0]).tolist() == [float(row @ other[0]) for row in rows]
    assert SUBJECTS * stats.ALPHA < 1
