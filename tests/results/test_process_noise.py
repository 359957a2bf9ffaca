import math

import pytest
from openpyxl import load_workbook

from inferometer import tables
from inferometer.cli import invoke
from inferometer.report.xlsx import write_workbook
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from inferometer.tables import overview
from simulated_runs import cell, rounds_of, run

NOISE = METRICS["process_noise"]


def summary_of(rates):
    return summarise([run(rounds_of(cell(), rates))]).summaries[0]


def test_every_time_of_a_batch_is_in_ms_and_every_share_in_percent_where_one_unit_is_for_all():
    assert {
        METRICS[name].figure_scale.unit for name in ("latency", "p50", "p90", "p99", "copy_in", "compute")
    } == {"ms"}
    assert {
        METRICS[name].figure_scale.unit for name in ("process_noise", "agreement", "accuracy", "top5")
    } == {"%"}


def test_noise_by_hand():
    found = NOISE.of(summary_of([990.0, 1000.0, 1010.0]))
    rates = (990.0, 1000.0, 1010.0)
    logs = [math.log(rate) for rate in rates]
    middle = sum(logs) / 3
    deviation = math.sqrt(sum((log - middle) ** 2 for log in logs) / 2)
    assert found.value == pytest.approx(deviation) == pytest.approx(0.01, rel=1e-3)
    # chi-square with 2 degrees of freedom: 0.0506356 and 7.377759
    assert found.low == pytest.approx(deviation * math.sqrt(2 / 7.377759), rel=1e-3)
    assert found.high == pytest.approx(deviation * math.sqrt(2 / 0.0506356), rel=1e-2)
    assert (found.unit, found.n) == ("share", 3)


def test_rounds_that_agree_have_no_noise():
    assert NOISE.of(summary_of([1000.0, 1000.0])).value == 0.0


def test_one_round_has_none_and_the_table_says_why():
    results = summarise([run(rounds_of(cell(), [1000.0], loops=5))])
    assert NOISE.of(results.summaries[0]) is None
    (table,) = tables.build(results, NOISE)
    assert table.is_empty
    assert table.why_empty() == "noise between rounds takes two rounds or more"


def test_its_registration_alone_brings_it_everywhere(tmp_path, capsys):
    results = summarise([run(rounds_of(cell(), [990.0, 1000.0, 1010.0]))])
    (table,) = tables.build(results, tables.metric_named("process-noise"))
    assert table.title.startswith("Noise between rounds, of the throughput [%]")
    assert table.rows[0].cells[0].text == "1.000"
    (row,) = tables.long_rows(results, NOISE)
    assert (row["metric"], row["unit"]) == ("process_noise", "share")
    (flat,) = overview.flat_rows(results)
    assert flat["process_noise_low"] < flat["process_noise"] < flat["process_noise_high"]
    write_workbook(results, tmp_path / "book.xlsx")
    assert "process_noise" in load_workbook(tmp_path / "book.xlsx").sheetnames
    assert invoke(["table", "--help"]) == 0
    assert "process_noise" in capsys.readouterr().out
