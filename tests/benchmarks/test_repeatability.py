"""The repetitions of a steady loop, started on a CPU with meters of files: what counts is settled before it is measured."""

from pathlib import Path

import pytest


@pytest.fixture
def repeatability(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import repeatability

    return repeatability


def rows(*joules, warm_up=1):
    return [{"warm_up": number < warm_up, "j_per_image": value} for number, value in enumerate(joules)]


def test_warm_up_does_not_count_and_everything_after_it_does(repeatability):
    assert repeatability.spread(rows(0.5, 1.0, 1.0, 1.01)) == pytest.approx(0.01, rel=0.01)
    assert repeatability.spread(rows(1.0, 1.0, 1.0, 1.5)) == pytest.approx(0.4286, rel=0.01)
    assert repeatability.spread(rows(0.5, 1.0, 1.01, warm_up=0)) > 0.5


def test_no_spread_where_a_figure_is_missing_or_alone(repeatability):
    assert repeatability.spread(rows(1.0, 1.0, None, 1.0)) is None
    assert repeatability.spread(rows(None, 1.0, 1.0)) == 0.0
    assert repeatability.spread(rows(1.0, 1.0)) is None


def test_it_starts_without_a_card(repeatability, tmp_path, monkeypatch, capsys):
    words = [str(tmp_path), "--device", "cpu", "--seconds", "0.3", "--warm-up", "1", "--repeats", "2"]
    monkeypatch.setattr("sys.argv", ["repeatability.py", *words])
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path))
    assert repeatability.main() in (0, 1)  # 1: this machine has a meter, and is not quiet
    said = capsys.readouterr().out
    assert "| 1 (warm-up) |" in said and "| 3 |" in said and "differ by" in said
    assert (tmp_path / "repeatability.json").exists()
