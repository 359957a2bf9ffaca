"""Several machines: each by its own prices, and which of them, as far as intervals tell."""

import msgspec
import pytest

from inferometer.cli import invoke
from inferometer.errors import UsageError
from inferometer.recommendation import render
from inferometer.recommendation.across import across_machines
from inferometer.recommendation.objectives import Prices
from inferometer.recommendation.price_list import PriceList, read_prices
from inferometer.recommendation.recommend import recommend
from inferometer.results.summary import summarise
from simulated_runs import GPU_MACHINE, cell, rounds_of, run

LIST = """
currency = "USD"
per_kwh = 0
[machines]
large = 10.0
small = { per_hour = 1.0, per_kwh = 0.2 }
"""


def machine(name):
    (gpu,) = GPU_MACHINE.gpus
    return msgspec.structs.replace(GPU_MACHINE, gpus=(msgspec.structs.replace(gpu, name=name),))


def results(rates):
    return summarise(
        [
            run(rounds_of(cell("onnxrt", 8), each, power_w=100.0), path=name, machine=machine(name))
            for name, each in rates.items()
        ]
    )


RATES = {"Large card": [4000.0, 4010.0, 3990.0], "Small card": [1000.0, 1001.0, 999.0]}


def test_each_machine_has_its_own_prices(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(LIST)
    found = recommend(results(RATES), objective="cost", prices=read_prices(path))
    costs = {decision.machine.split()[0]: decision.choice.cost for decision in found}
    assert costs["Large"] == pytest.approx(10 / 3600 / 4000 * 1e6, rel=1e-3)
    assert costs["Small"] == pytest.approx((1 / 3600 / 1000 + 0.1 / 3.6e6 * 0.2) * 1e6, rel=1e-3)
    (sentence,) = across_machines(found)
    assert sentence.startswith("of these machines cheapest: Small card (onnxrt at batch size 8, 0.283 USD")
    assert "; then Large card" in sentence and "not sure" not in sentence
    notes = render.cost_notes(found)
    assert [note.rpartition("(")[2] for note in notes] == ["Large card)", "Small card)"]


def test_the_fastest_machine_leads_and_equal_ones_are_not_told_apart():
    (sentence,) = across_machines(recommend(results(RATES)))
    assert sentence.startswith("of these machines fastest: Large card (") and "; then Small card" in sentence
    alike = {"a": [1000.0, 1010.0, 990.0], "b": [1002.0, 1012.0, 992.0]}
    (sentence,) = across_machines(recommend(results(alike)))
    assert "b (" in sentence and " or a (" in sentence and "do not tell them apart" in sentence


def test_one_process_makes_no_order_sure():
    (sentence,) = across_machines(recommend(results({"a": [1000.0], "b": [2000.0, 2001.0, 1999.0]})))
    assert "the order is not sure: no interval over processes is known of a" in sentence


def test_one_machine_is_no_comparison():
    assert across_machines(recommend(results({"a": [1000.0, 1001.0]}))) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[machines]\nhuge = 1", "unknown machine of the prices 'huge'"),
        ("[machines]\ncard = 1\nlarge = 2", "'card' and 'large' both mean Large card"),
        ("[machines]\nlarge = 'dear'", "machines.large: per_hour is 'dear': give a number"),
        ("[machines]\nlarge = {per_hours = 1}", "did you mean 'per_hour'"),
        ("[machines]\nlarge = -1", "machines.large: the price of an hour is -1"),
        ("per_hour = ", "is no TOML"),
        ("machines = 3", "machines is a table"),
        ("currency = 3", "currency is 3: give a word"),
    ],
)
def test_a_price_list_that_means_nothing_is_one_line(tmp_path, text, told):
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        recommend(results(RATES), objective="cost", prices=read_prices(path))
    assert told in str(error.value)


def recommended(tmp_path, capsys, prices, *words):
    """Return status and standard error of `recommend` on a run of one "Large card"."""
    from inferometer.storage.run_directory import RunWriter

    (tmp_path / "prices.toml").write_text(prices)
    rates = {"onnxrt": [4000.0, 4010.0, 3990.0], "torch": [1000.0, 1001.0, 999.0]}
    records = [one for name, each in rates.items() for one in rounds_of(cell(name, 8), each)]
    made = run(records, machine=machine("Large card"))
    writer = RunWriter.create(tmp_path / "run", made.info)
    for one in made.records:
        writer.append(one)
    words = ("recommend", tmp_path / "run", "--prices", tmp_path / "prices.toml", *words)
    return invoke(list(map(str, words))), capsys.readouterr().err


@pytest.mark.parametrize("promise", [[], ["--max-request-latency-ms", "60000"]])
def test_one_price_list_serves_several_folders(tmp_path, capsys, promise):
    prices = "[machines]\nlarge = 10\nA2 = 1\nCadr = 2\n'A100' = 3\n"
    objective = [] if promise else ["--objective", "cost"]
    status, error = recommended(tmp_path, capsys, prices, *objective, *promise)
    assert status == (1 if promise else 0)
    assert error.count("\n") == 1
    assert "these runs do not have 'A2', 'Cadr' (did you mean 'card'?), 'A100'" in error


def test_a_price_list_of_other_machines_alone_is_refused(tmp_path, capsys):
    status, error = recommended(tmp_path, capsys, "[machines]\nA2 = 1\nLagre = 2\n", "--objective", "cost")
    assert status == 2 and error.count("\n") == 1
    assert "the prices are of none of these machines: 'A2', 'Lagre' (did you mean 'Large'?)" in error
    assert "(known: Large card)" in error


def test_another_number_is_another_machine():
    listed = PriceList(machines=tuple((text, Prices()) for text in ("A100", "H200", "RTX 4090", "Xoen")))
    machines = ["NVIDIA H100 80GB HBM3", "NVIDIA RTX 3090", "Intel(R) Xeon(R) Processor"]
    assert listed.of_none(machines) == ["'A100'", "'H200'", "'RTX 4090'", "'Xoen' (did you mean 'Xeon'?)"]


def test_the_command_takes_the_file(tmp_path, capsys):
    assert invoke(["recommend", str(tmp_path), "--prices", str(tmp_path / "none.toml")]) != 0
    assert "Traceback" not in capsys.readouterr().err
    assert PriceList(Prices(per_hour=2.0)).of("any").per_hour == 2.0
