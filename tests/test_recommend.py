import json

import pytest
from click.testing import CliRunner

from inferometer.cli.recommend import recommend_command
from inferometer.errors import UsageError
from inferometer.recommend import Constraints, Prices, cost_per_million, option, pareto, recommend
from inferometer.records import Parity, Record
from inferometer.store import RunWriter
from inferometer.summary import summarise
from simulated_runs import cell, record, rounds_of, run


def sample():
    records = [
        *rounds_of(cell("fast", 8), [1000.0, 1001.0, 999.0], power_w=100.0),  # 8 ms a batch, 100 mJ
        *rounds_of(cell("fast", 64), [2000.0, 2001.0, 1999.0], power_w=100.0),  # 32 ms, 50 mJ
        *rounds_of(cell("frugal", 64), [1500.0, 1501.0, 1499.0], power_w=30.0),  # 42.7 ms, 20 mJ
        *rounds_of(cell("poor", 64), [1400.0, 1401.0, 1399.0], power_w=90.0),
        Record(cell("broken", 64), 0, "crashed", cause="SIGSEGV"),
        *rounds_of(cell("wrong", 8), [900.0, 901.0, 899.0], parity=Parity(True, 0, 0, 1, 0.9, 1, 64)),
    ]
    return summarise([run(records)])


def advise(objective="throughput", prices=None, **constraints):
    (found,) = recommend(sample(), Constraints(**constraints), objective, prices or Prices())
    return found


def test_the_fastest_and_the_best_of_another_framework():
    found = advise()
    assert found.choice.name == "fast at batch size 64"
    assert found.runner_up.name == "frugal at batch size 64" and not found.tie
    assert ("crashed", 1) in found.refused


def test_every_objective():
    assert advise("latency").choice.name == "fast at batch size 8"
    assert advise("energy").choice.name == "frugal at batch size 64"
    assert advise("cost", prices=Prices(0.3, per_hour=1000.0)).choice.name == "fast at batch size 64"


@pytest.mark.parametrize(
    ("constraint", "choice"),
    [
        ({"max_latency_s": 0.010}, "fast at batch size 8"),
        ({"max_power_w": 50.0}, "frugal at batch size 64"),
        ({"max_energy_j": 0.03}, "frugal at batch size 64"),
        ({"batch_sizes": (8,)}, "fast at batch size 8"),
        ({"min_agreement": 0.95, "batch_sizes": (8,)}, "fast at batch size 8"),
        ({"max_memory_bytes": 3e9}, "fast at batch size 64"),
    ],
)
def test_constraints(constraint, choice):
    assert advise(**constraint).choice.name == choice


def test_nothing_fits_says_what_came_nearest():
    found = advise(max_power_w=20.0)
    assert found.choice is None
    assert found.nearest == "frugal at batch size 64: power 30 W, limit 20 W"
    assert ("power not known", 1) in found.refused


def test_the_front_is_not_dominated():
    assert [o.name for o in advise().front] == [
        "fast at batch size 64",
        "frugal at batch size 64",
        "fast at batch size 8",
    ]
    options = [option(s) for s in sample().summaries if s.ranked]
    assert {o.name for o in pareto(options)} == {o.name for o in advise().front}


def test_cost_by_hand():
    # 0.36 J an image: 1e6 images are 0.36 MJ = 0.1 kWh; 1e6 images at 1000/s are 1000 s of an hour
    assert cost_per_million(1000.0, 0.36, Prices(0.30)) == pytest.approx(0.03)
    assert cost_per_million(1000.0, 0.36, Prices(0.30, 3.6)) == pytest.approx(0.03 + 1.0)


def test_a_runner_up_inside_the_noise_is_a_tie():
    records = [*rounds_of(cell("a"), [1000.0, 1010.0, 990.0]), *rounds_of(cell("b"), [995.0, 1011.0, 992.0])]
    (found,) = recommend(summarise([run(records)]))
    assert found.tie


def call(tmp_path, *arguments):
    stored = sample().runs[0]
    if not (tmp_path / "run").exists():
        writer = RunWriter.create(tmp_path / "run", stored.info)
        for item in stored.records:
            writer.append(item)
    return CliRunner().invoke(recommend_command, [str(tmp_path / "run"), *arguments], standalone_mode=False)


def test_command(tmp_path):
    result = call(tmp_path, "--max-latency-ms", "10")
    assert result.return_value == 0 and "use fast at batch size 8: 1,000 images/s, 8.0" in result.output
    assert call(tmp_path, "--max-power-w", "1").return_value == 1
    (found,) = json.loads(call(tmp_path, "--format", "json", "--batch-sizes", "32..64").output)
    assert found["choice"]["batch_size"] == 64 and found["left_out"] == {
        "crashed": 1,
        "another batch size": 2,
    }
    assert "per million images" in call(tmp_path, "--format", "md").output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-power-w", "-1"],
        ["--max-latency-ms", "nan"],
        ["--batch-sizes", "x"],
        ["--batch-sizes", "0"],
        ["--min-agreement", "200%"],
        ["--price-per-kwh", "-1"],
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, arguments):
    error = call(tmp_path, *arguments).exception
    assert isinstance(error, UsageError) and "\n" not in str(error)


def test_an_agreement_that_is_not_known_is_said_so():
    wrong = Parity(True, 1e-3, 1e-3, 0.99, 0.9, 1e-2, 64)
    (found,) = recommend(summarise([run([record(cell(), parity=wrong)])]), Constraints(min_agreement=0.995))
    assert found.refused == (("agreement below 99.5 %", 1),)
    assert found.nearest.endswith("agreement 90 %, limit 99.5 %")
    unknown = summarise([run([record(cell(), parity=None)])])
    (found,) = recommend(unknown, Constraints(min_agreement=0.99))
    assert found.refused == (("agreement not known", 1),)


def test_the_front_is_a_table_without_empty_columns():
    from inferometer import advice

    (found,) = recommend(sample())
    titles, *rows = advice.front(found)
    assert titles == (
        "option",
        "images/s",
        "batch latency, p99 of a batch",
        "W",
        "mJ an image",
        "cost of a million",
    )
    assert [row[0] for row in rows] == [o.name for o in found.front]
    bare = summarise([run([record(cell("a", 8), rate=1000.0), record(cell("a", 64), rate=2000.0)])])
    titles, *rows = advice.front(recommend(bare)[0])
    assert titles == ("option", "images/s", "batch latency, p99 of a batch") and len(rows) == 2
    assert "  | option | images/s |" in advice.to_markdown([found], Prices())
