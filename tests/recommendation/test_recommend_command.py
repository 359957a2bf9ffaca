"""`inferometer recommend` and its table."""

import io
import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from advised import sample
from inferometer.cli.recommend import recommend_command
from inferometer.errors import UsageError
from inferometer.recommendation import render
from inferometer.recommendation.objectives import Prices
from inferometer.recommendation.recommend import recommend
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import RunWriter
from simulated_runs import cell, record, run


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
    assert "EUR a million images" in call(tmp_path, "--format", "md").output
    dollars = call(tmp_path, "--currency", "USD", "--max-cost", "0.000001").output
    assert "USD, limit 1e-06 USD" in dollars and "EUR" not in dollars


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-power-w", "-1"],
        ["--max-latency-ms", "nan"],
        ["--batch-sizes", "x"],
        ["--price-per-kwh", "-1"],
        ["--price-per-hour", "inf"],
        ["--currency", ""],
        ["--currency", "pieces of eight"],
        ["--batch-sizes", "0"],
        ["--min-agreement", "200%"],
        ["--price-per-kwh", "-1"],
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, arguments):
    error = call(tmp_path, *arguments).exception
    assert isinstance(error, UsageError) and "\n" not in str(error)


def test_the_front_is_a_table_without_empty_columns():
    from inferometer.recommendation import render

    (found,) = recommend(sample())
    titles, *rows = render.front(found)
    assert titles == (
        "framework",
        "batch",
        "images/s",
        "latency",
        "W",
        "mJ an image",
        "EUR a million",
    )
    assert [" at batch size ".join(row[:2]) for row in rows] == [o.name for o in found.front]
    bare = summarise([run([record(cell("a", 8), rate=1000.0), record(cell("a", 64), rate=2000.0)])])
    titles, *rows = render.front(recommend(bare)[0])
    assert titles == ("framework", "batch", "images/s", "latency") and len(rows) == 2
    assert "  | framework | batch | images/s |" in render.to_markdown([found])


def test_sixty_columns_cut_no_figure_and_indent_every_line():
    screen = Console(width=60, record=True, file=io.StringIO())
    for part in render.to_text(recommend(sample())):
        screen.print(part)
    lines = screen.export_text().splitlines()
    assert "…" not in "".join(lines) and max(map(len, lines)) <= 60
    assert any(
        line.split() == ["framework", "batch", "images/s", "latency", "W", "image", "million"]
        for line in lines
    )


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -1.0, 1e308])
def test_a_price_that_cannot_be_is_refused(price):
    with pytest.raises(UsageError, match="a price is a number of at least 0, 1e\\+09 at most"):
        Prices(per_hour=price)
