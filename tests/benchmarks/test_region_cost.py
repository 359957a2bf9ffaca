"""What a begin and an end take, measured briefly: the script starts, and its table has what any call costs beside it."""

from pathlib import Path

import pytest

from inferometer import energy


@pytest.fixture
def region_cost(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import region_cost

    return region_cost


def test_what_a_begin_and_an_end_cannot_do_without_stands_beside_them(region_cost):
    values = {"nothing": [4.0] * 10, "reads": [14.0] * 10, "python": [16.0] * 10}
    values |= {"pair": [60.0] * 10, "apart": [90.0] * 9 + [99.0]}
    facts = {"hot": values, "cold": values, "settle": {"wall_s": 0.5, "cpu_s": 0.4}, "visits": 10, "zones": 4}
    told = region_cost.report(facts)
    assert "| after 10 ms of sleep: begin and end | 60.0 | 60.0 |" in told
    assert "| each after 10 ms of sleep: begin, and end | 90.0 | 99.0 |" in told
    assert "the files read twice, nothing else | 14.0 | 14.0 |" in told


def test_it_measures(region_cost, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path))
    energy.reset()  # what another test of this process may have left
    monkeypatch.setattr("sys.argv", ["region_cost.py", "--pairs", "5", "--visits", "50"])
    region_cost.main()
    assert "4 zones" in capsys.readouterr().out
