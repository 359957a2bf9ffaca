"""`inferometer compare`: exit statuses, and shares that are read."""

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from compared import matrix, stored
from inferometer.cli.common import share
from inferometer.cli.compare import compare_command
from inferometer.comparison.compare import compare
from inferometer.errors import UsageError
from inferometer.records import Loop, Record
from inferometer.results.summary import summarise
from simulated_runs import cell, rounds_of, run


def test_shares_are_read_and_refused():
    assert [share(text, "--x") for text in ("3%", "0.03", "3 %")] == pytest.approx([0.03] * 3)
    for text in ("", "x%", "-1%", "300%", "100%"):
        with pytest.raises(UsageError, match=r"--x .* is no share"):
            share(text, "--x")
    assert share("100%", "--x", whole=True) == 1.0


def test_command_exits_with_3_when_slower_and_1_when_nothing_compares(tmp_path):
    a, b = stored(tmp_path, matrix()), stored(tmp_path, matrix(slow=0.9, path="b"))
    other = stored(tmp_path, matrix(path="c", model_hash="zzz"))

    def call(*arguments):
        return CliRunner().invoke(compare_command, list(arguments), standalone_mode=False)

    assert call(a, b).return_value == 0
    result = call(a, b, "--fail-if-slower", "3%")
    assert result.return_value == 3 and "torch fp32 8: slower, throughput -10.0 %" in result.output
    assert call(b, a, "--fail-if-slower", "3%").return_value == 0
    assert call(a, other, "--fail-if-slower", "3%").return_value == 1
    rows = json.loads(call(a, b, "--format", "json").output)
    assert [r["verdict"] for r in rows].count("worse") == 2
    assert "**▼ slower**" in call(a, b, "--format", "md").output


def test_command_does_not_judge_one_round_and_takes_what_the_user_knows(tmp_path):
    """../shared/cases/one_round_a.csv and _b: loops that differ by half, and 5 % between the two."""

    def imported(scale, path):
        loops = tuple(Loop(0.4 * scale * (1.5 if n % 2 else 1.0), images=64) for n in range(10))
        return stored(tmp_path, summarise([run([Record(cell(), 0, "ok", loops=loops)], path)]))

    pair = (imported(1.0, "a"), imported(1.05, "b"))

    def call(*arguments):
        return CliRunner().invoke(compare_command, [*pair, *arguments], standalone_mode=False)

    result = call("--fail-if-slower", "3%")
    assert result.return_value == 0 and "not judged: one round" in result.output
    assert call("--fail-if-slower", "3%", "--noise", "1%").return_value == 3
    assert call("--fail-if-slower", "3%", "--noise", "5%").return_value == 0
    assert isinstance(call("--noise", "0").exception, UsageError)
    assert call("--metric", "latency", "--fail-if-slower", "150%").return_value == 0
    with pytest.raises(UsageError, match="150%"):
        raise call("--fail-if-slower", "150%").exception


def test_where_noise_chose_the_number_of_rounds_verdicts_are_stricter():
    """A p-value between the two levels is a verdict of a fixed number of rounds, and a tie of two stages."""
    jitter = np.exp(0.01 * np.random.default_rng(3).standard_normal((2, 6)))

    def changed(slower, most_rounds):
        rates = jitter * [[1000.0], [1000.0 * (1 - slower)]]
        records = [*rounds_of(cell("a"), rates[0]), *rounds_of(cell("b"), rates[1])]
        stored = run(records)
        protocol = msgspec.structs.replace(stored.info.protocol, most_rounds=most_rounds)
        info = msgspec.structs.replace(stored.info, protocol=protocol)
        results = summarise([replace(stored, info=info)])
        (change,) = compare(results, results, frameworks=("a", "b")).changes
        return change

    slower = next(s for s in np.linspace(0, 0.05, 500) if 0.041 < changed(s, 0).p < 0.049)
    assert changed(slower, 0).verdict == "worse"
    assert changed(slower, 20).verdict == "unclear"
    assert changed(slower, 20).reason == "judged at 4 %, since noise chose the number of rounds"
