"""What is not ranked together under a promise to requests: percentiles, meters, machines; and what they cost."""

import json
from dataclasses import replace

import pytest

from fakes import BACKENDS
from inferometer.cli import invoke
from inferometer.flags import flag
from inferometer.recommendation.load_words import across_machines
from inferometer.recommendation.objectives import Prices
from inferometer.recommendation.price_list import PriceList
from inferometer.recommendation.under_load import Wanted, recommend_under_load
from inferometer.results.summary import summarise
from inferometer.results.under_load import summarise_load
from inferometer.tables.under_load import load_notes
from loaded_runs import loaded_run, one_test, renamed, server

PROMISE = ["--max-request-latency-ms", "20"]


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


def run_of(tmp_path, model, *results):
    """Return a stored run whose model has another name."""
    (tmp_path / model).mkdir()
    run = loaded_run(tmp_path / model, results)
    for name in ("run.json", "cells.jsonl", *(["scenarios.jsonl"] if results else [])):
        text = (run.path / name).read_text()
        (run.path / name).write_text(text.replace('"model":"fake"', f'"model":"{model}"'))
    return str(run.path)


def decided(tmp_path, *results, **wanted):
    return recommend_under_load(summarise([loaded_run(tmp_path, results)]), Wanted(0.02, **wanted))


def metered(framework, rate, watts, meter="rapl", p99_s=0.01, **fields):
    test = one_test(rate, p99_s, watts=watts)
    (device,) = test.energy.devices
    energy = renamed(test.energy, devices=(renamed(device, meter=meter),))
    return server(framework, [renamed(test, energy=energy)], **fields)


def test_percentiles_are_not_ranked_together(tmp_path):
    easy = server("a", [one_test(900, 0.01)], percentile=90.0)
    found = decided(tmp_path, easy, server("b", [one_test(100, 0.01)]))
    assert [(d.percentile, d.choice.summary.row) for d in found] == [(90.0, "a"), (99.0, "b")]
    assert not any(d.others for d in found)


def test_energies_of_several_meters_decide_nothing(tmp_path):
    (found,) = decided(tmp_path, metered("a", 100, 10), metered("b", 300, 90, meter="mqtt"))
    assert found.choice.summary.row == "b" and "of different meters" in found.by


def test_a_row_that_was_searched_for_several_bounds_is_one_option(tmp_path):
    tight = server("a", [one_test(200, 0.009), one_test(300, 0.03, valid=False)], bound_s=0.01)
    loose = server("a", [one_test(280, 0.018), one_test(400, 0.045)], bound_s=0.05)
    (found,) = decided(tmp_path, tight, loose)
    assert (found.choice.highest_rate, found.others, found.refused) == (280, (), ())


def test_the_refusal_names_the_bound_that_was_searched_for(tmp_path):
    none = server("a", [one_test(11, 0.05, valid=False)], bound_s=0.01, cause="no rate keeps the bound")
    (found,) = decided(tmp_path, none)
    assert found.refused == ("a, batches up to 8: no rate keeps the bound (p99 within 10.0 ms)",)


def test_a_row_that_fails_at_another_bound_is_left_out(tmp_path):
    failed = server("a", [], bound_s=0.01, status="parity-failed", cause="row 3 is wrong")
    (found,) = decided(tmp_path, server("a", [one_test(200, 0.01)]), failed)
    assert found.choice is None and "parity-failed: row 3 is wrong" in found.refused[0]


def test_a_failure_at_another_bound_is_all_that_is_said_of_it(tmp_path):
    kept = server("a", [one_test(100, 0.01)], bound_s=0.01)
    failed = server("a", [], bound_s=0.05, status="crashed", cause="it died", chosen=None)
    (found,) = decided(tmp_path, kept, failed)
    assert "it died" in found.refused[0] and "no test kept" not in found.refused[0]


def test_what_is_told_of_the_choice_under_load_is_a_doubt(tmp_path):
    disturbed = one_test(100, 0.01, flags=(flag("gpu-neighbour", pid="7"),))
    usual = one_test(100, 0.1, target_rate=None, purpose="measure")
    faster = renamed(usual, purpose="audit", audit="same", rate=500.0)
    offline = renamed(server("a", [], bound_s=None), scenario="offline", tests=(usual, faster), chosen=0)
    (found,) = decided(tmp_path, server("a", [disturbed]), offline)
    assert "another program was on this GPU and may have slowed it" in found.doubts
    assert any(doubt.startswith("offline: audit: 5 times as fast") for doubt in found.doubts)


def test_energies_of_rounds_are_averaged_within_one_meter(tmp_path):
    rounds = [
        metered("a", 100, watts, meter, number=number)
        for number, (watts, meter) in enumerate([(10, "rapl"), (12, "rapl"), (90, "mqtt")])
    ]
    (summary,) = summarise_load(summarise([loaded_run(tmp_path, rounds)]))
    assert summary.energy_request.value == pytest.approx((0.1 * 0.12) ** 0.5)
    assert summary.power.value == pytest.approx(120**0.5)
    assert any("1 of 3 rounds by another meter" in note for note in load_notes([summary]))


def test_a_tighter_limit_than_the_searched_one_has_a_doubt(tmp_path):
    run = loaded_run(tmp_path, [server("a", [one_test(100, 0.01)], bound_s=0.05)])
    (tight,) = recommend_under_load(summarise([run]), Wanted(0.02))
    assert any("p99 within 50.0 ms" in doubt and "500 requests" in doubt for doubt in tight.doubts)
    (searched,) = recommend_under_load(summarise([run]), Wanted(0.05))
    assert not any("99 % confidence" in doubt for doubt in searched.doubts)


def test_a_rate_holds_for_closed_loops_too_and_json_has_both(tmp_path, capsys):
    runs = [run_of(tmp_path, "queued", server("a", [one_test(100, 0.01)])), run_of(tmp_path, "alone")]
    limit = ["--max-request-latency-ms", "60000", "--format", "json"]
    assert invoke(["recommend", *runs, *limit]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [d["model"] for d in said["under_load"]] == ["queued"]
    assert [d["model"] for d in said["closed_loops"]] == ["alone"] and said["closed_loops"][0]["choice"]
    assert invoke(["recommend", runs[1], *limit, "--rate", "1e9"]) == 1
    (alone,) = json.loads(capsys.readouterr().out)["closed_loops"]
    assert alone["choice"] is None and "throughput below 1e+09 images/s" in str(alone["left_out"])
    assert "throughput" in alone["nearest"]


def test_prices_decide_where_they_are_given(tmp_path, capsys):
    run = run_of(tmp_path, "m", metered("a", 100, 10), metered("b", 400, 80))
    assert invoke(["recommend", run, *PROMISE]) == 0
    assert "take a" in capsys.readouterr().out
    assert invoke(["recommend", run, *PROMISE, "--price-per-hour", "3.6", "--price-per-kwh", "0.36"]) == 0
    said = capsys.readouterr().out
    cost = 1e6 * (0.2 / 3.6e6 * 0.36 + 3.6 / 3600 / 400)
    assert "take b" in said and f"{cost:.3g} EUR a million requests" in said
    assert "cheapest by cost of a million requests (3.6 EUR an hour and 0.36 EUR a kWh)" in said
    file = tmp_path / "prices.toml"
    file.write_text('per_hour = 3.6\nper_kwh = 0\ncurrency = "USD"\n')
    assert invoke(["recommend", run, *PROMISE, "--prices", str(file), "--rate", "50"]) == 0
    said = capsys.readouterr().out
    assert "take b" in said and "20.0 USD a million requests" in said
    assert invoke(["recommend", run, *PROMISE, "--prices", str(tmp_path / "none")]) == 2


def test_electricity_that_is_not_known_of_all_is_in_no_cost(tmp_path):
    prices = PriceList(Prices(0.3, 1.0))
    (found,) = decided(tmp_path, metered("a", 100, 10), server("b", [one_test(50, 0.01)]), prices=prices)
    assert found.without_electricity and found.choice.summary.row == "a"
    assert any("electricity is not in the cost" in doubt for doubt in found.doubts)


def test_without_any_price_that_counts_the_rate_decides(tmp_path):
    rows = [server("a", [one_test(100, 0.01)]), server("b", [one_test(300, 0.01)])]
    (found,) = decided(tmp_path, *rows, prices=PriceList(Prices(0.3, 0.0)))
    assert (found.choice.summary.row, found.choice.cost) == ("b", None)
    assert found.by.startswith("requests/s of the machine")
    assert not any("electricity" in doubt for doubt in found.doubts)  # no cost is shown


def test_prices_that_nothing_has_leave_the_usual_choice(tmp_path, capsys):
    runs = [run_of(tmp_path, "queued", server("a", [one_test(100, 0.01)])), run_of(tmp_path, "alone")]
    for price in (["--price-per-kwh", "0.3"], ["--currency", "USD"]):  # neither has a meter
        assert invoke(["recommend", *runs, "--max-request-latency-ms", "60000", *price]) == 0
        said = capsys.readouterr().out
        assert "take a" in said and "highest throughput" in said and "no choice" not in said


def test_markdown_shows_names_as_they_are(tmp_path, capsys):
    run = run_of(tmp_path, "mobilenet_v3_large", server("a", [one_test(100, 0.01)]))
    assert invoke(["recommend", run, *PROMISE, "--format", "md"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("- cpu: mobilenet\\_v3\\_large, p99 of requests within 20.0 ms")
    assert second.startswith("  - take a, batches up to 8: 100 requests/s")


def test_machines_are_put_in_order(tmp_path):
    (here,) = decided(tmp_path, metered("a", 100, 10))
    there = replace(here, machine="big", choice=replace(here.choice, highest_rate=900.0))
    assert across_machines([here]) == []
    (said,) = across_machines([here, there])
    assert said.startswith(
        f"of these machines least energy a request: {here.machine} (a, 100 mJ a request); then big"
    )
    bare = [renamed_test(d) for d in (here, there)]
    (said,) = across_machines(bare)
    assert said.startswith("of these machines most requests/s: big (a, 900 requests/s); then")
    paid = [replace(d, choice=d.choice.priced(Prices(0, p), None)) for d, p in ((here, 1.0), (there, 36.0))]
    (said,) = across_machines(paid)
    assert said.startswith(
        f"of these machines cheapest: {here.machine} (a, 2.78 EUR a million requests); then"
    )


def renamed_test(decision):
    return replace(decision, choice=replace(decision.choice, test=renamed(decision.choice.test, energy=None)))
