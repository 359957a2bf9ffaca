"""Ties of a recommendation are those of the table."""

import json
from pathlib import Path

import pytest

from advised import advise
from inferometer import findings
from inferometer.recommendation import render
from inferometer.recommendation.constraints import Constraints
from inferometer.recommendation.objectives import Prices
from inferometer.recommendation.recommend import recommend
from inferometer.report.page.verdict import verdicts
from inferometer.results.metrics import METRICS
from inferometer.results.ranking import rank_cells
from inferometer.results.summary import summarise
from inferometer.results.tie_test import TieTest
from inferometer.storage.run_directory import read_run
from simulated_runs import cell, rounds_of, run


def test_a_runner_up_inside_the_noise_is_a_tie():
    records = [*rounds_of(cell("a"), [1000.0, 1010.0, 990.0]), *rounds_of(cell("b"), [995.0, 1011.0, 992.0])]
    (found,) = recommend(summarise([run(records)]))
    assert found.tie


def test_every_tie_is_named():
    records = [r for name in ("a", "b", "c") for r in rounds_of(cell(name), [1000.0, 1010.0, 990.0])]
    (found,) = recommend(summarise([run([*records, *rounds_of(cell("slow"), [10.0, 10.1, 9.9])])]))
    names = {found.choice.summary.row, *(o.summary.row for o in found.ties)}
    assert names == {"a", "b", "c"} and found.runner_up == found.ties[0]
    (said,) = [text for kind, text in render.lines(found) if kind == "grade"]
    tied = " and ".join(sorted(f"{name} at batch size 8" for name in names - {found.choice.summary.row}))
    assert said == f"verdict tie: the data cannot tell it from {tied}"
    (row,) = json.loads(render.to_json([found]))
    assert row["tie"] and [o["framework"] for o in row["ties"]] == [o.summary.row for o in found.ties]


def test_no_lead_over_a_framework_whose_noisy_cell_ties():
    """The other framework's nominal best is clear, and another cell of it is not."""
    records = [
        *rounds_of(cell("a"), [1000.0, 1001.0, 999.0], power_w=50.0),
        *rounds_of(cell("b"), [100.0, 1800.0, 400.0], power_w=50.0),
        *rounds_of(cell("b", 1), [900.0, 901.0, 899.0], power_w=50.0),
    ]
    results = summarise([run(records)])
    best, noisy, clear = results.summaries
    rule = TieTest(results.summaries, METRICS["throughput"])
    assert (
        rule.judge(best, noisy).standing in ("tie", "unclear") and rule.judge(best, clear).standing == "told"
    )
    (found,) = recommend(results)
    assert (
        found.choice.name == "a at batch size 8" and found.runner_up.name == "b at batch size 8" and found.tie
    )
    (verdict,) = verdicts(results, "mobilenet", "host")
    assert verdict.fastest.why.startswith("A tie with b at batch size 8")
    assert verdict.efficient.why.startswith("A tie with b at batch size 8")
    (efficient,) = findings.energy.efficient(results)
    assert "no clear lead over b at batch size 8" in efficient.text


@pytest.mark.parametrize(("asked", "nearest"), [(9, 8), (40, 64), (400, 64)])
def test_the_nearest_batch_size_is_the_one_that_is_near(asked, nearest):
    told = advise(batch_sizes=(asked,)).nearest
    assert told.endswith(f" at batch size {nearest}: asked for batch size {asked} only")


EXAMPLES = sorted(path.parent for path in (Path(__file__).parents[2] / "examples").rglob("run.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_at_one_batch_size_the_tables_rule_of_ties_holds(path):
    results = summarise([read_run(path)])
    places = rank_cells(results.summaries, METRICS["throughput"])
    for size in results.batch_sizes:
        for found in recommend(results, Constraints(batch_sizes=(size,))):
            if found.runner_up:
                place = places[found.runner_up.summary.key]
                if not place.judged:  # nor does the advice judge it
                    assert found.grade != "firm", (found.machine, size)
                    continue
                assert found.tie or place.p <= 0.05, (found.machine, size)  # no more than the table says
                assert not found.tie or place.p > 0.05 / 3, (found.machine, size)


def test_the_report_calls_a_tie_what_the_table_calls_one():
    """Few rounds of two cells, and a machine whose other cells say how noisy it is."""
    quiet = [r for n in range(6) for r in rounds_of(cell(f"f{n}"), [500.0, 501.0, 499.0])]
    lucky = [*rounds_of(cell("a"), [1000.0, 1001.0]), *rounds_of(cell("b"), [996.0, 997.0])]
    for others in (quiet, [r for n in range(6) for r in rounds_of(cell(f"f{n}"), [500.0, 560.0, 450.0])]):
        results = summarise([run([*lucky, *others])])
        (place,) = (p for k, p in rank_cells(results.summaries, METRICS["throughput"]).items() if "/b/" in k)
        (found,) = recommend(results)
        assert found.tie == bool(found.lead.ties) == place.tie
        assert found.grade == "preliminary"  # a third round of the two was planned


def test_cost_is_told_apart_by_costs_not_by_energy():
    """Nearly all of the cost is the machine's hours, of which the two take the same."""
    records = [
        *rounds_of(cell("a"), [1000.0, 1010.0, 990.0], power_w=100.0),
        *rounds_of(cell("b"), [999.0, 1008.0, 995.0], power_w=50.0),
    ]
    results = summarise([run(records)])
    (found,) = recommend(results, objective="cost", prices=Prices(0.3, 100.0))
    assert found.tie
    assert not recommend(results, objective="cost", prices=Prices(0.3))[0].tie


def test_ties_are_those_of_the_table_whatever_else_was_measured():
    """The noise that cells of another mode show is known of these too."""
    noisy = [1000.0, 1100.0, 900.0]
    records = [r for name in ("x", "y") for r in rounds_of(cell(name, 8, mode="device"), noisy)]
    records += rounds_of(cell("a"), [1000.0, 1001.0, 999.0]) + rounds_of(cell("b"), [985.0, 987.0, 983.0])
    results = summarise([run(records)])
    places = rank_cells(results.summaries, METRICS["throughput"])
    tied = {s.row: places[s.key].tie for s in results.summaries if s.cell.mode == "host"}
    (found,) = [found for found in recommend(results) if found.mode == "host"]
    (verdict,) = verdicts(results, "mobilenet", "host")
    assert tied["b"] == found.tie == verdict.fastest.why.startswith("A tie")
