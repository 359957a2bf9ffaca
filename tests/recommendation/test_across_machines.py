"""Several machines: each by its own prices, and which of them, as far as intervals tell."""

import re

import msgspec
import numpy as np
import pytest

from inferometer.cli import invoke
from inferometer.errors import UsageError
from inferometer.recommendation import render
from inferometer.recommendation.across import across_machines
from inferometer.recommendation.objectives import Prices
from inferometer.recommendation.price_list import PriceList, read_prices
from inferometer.recommendation.recommend import recommend
from inferometer.records import Loop
from inferometer.results.summary import summarise
from simulated_runs import GPU_MACHINE, cell, ended, rounds_of, run

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


def results(rates, rival=True, hashes=("abc",) * 9):
    """Return results of a run a machine, of onnxrt at these rates and, where there is a ``rival``, of torch at half of them."""
    runs = []
    for (name, each), content in zip(rates.items(), hashes, strict=False):
        records = rounds_of(cell("onnxrt", 8), each, power_w=100.0)
        if rival:
            records += rounds_of(cell("torch", 8), [rate / 2 for rate in each], power_w=100.0)
        runs.append(run(records, path=name, machine=machine(name), model_hash=content))
    return summarise(runs)


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


def test_machines_that_one_cannot_be_told_from_stand_together():
    rates = {"a": [2000.0, 2001.0, 1999.0], "b": [1000.0, 1001.0, 999.0], "c": [980.0, 981.0, 979.0]}
    (sentence,) = across_machines(recommend(results(rates)))
    assert re.search(r"fastest: a \([^)]*\); then b \([^)]*\) or c \([^)]*\)$", sentence)


def test_a_choice_that_the_data_do_not_carry_makes_no_order_sure():
    (sentence,) = across_machines(recommend(results(RATES, rival=False)))
    assert sentence.endswith(
        "the order is not sure: the data do not carry the choice on Large card and Small card"
    )


def of_tails(rng, tails, rounds=5, batches=64):
    """Return results of two equal machines whose processes differ in how long their rare slow batches take."""
    runs = []
    for name in ("a", "b"):
        records = []
        for number, framework in ((n, f) for n in range(rounds) for f in ("onnxrt", "torch")):
            slow = 1 + tails * np.exp(0.25 * rng.normal())
            seconds = 0.008 * np.exp(0.002 * rng.normal(size=(4, batches)))
            seconds *= np.where(rng.random(seconds.shape) < 0.02, slow, 1.0)
            loops = [Loop(float(one.sum()), tuple(one.tolist()), images=8 * batches) for one in seconds]
            records.append(ended(cell(framework, 8), number, loops, 8 * batches))
        runs.append(run(records, path=name, machine=machine(name)))
    return summarise(runs)


def test_equal_machines_are_not_ordered_by_their_p99():
    rng = np.random.default_rng(4)
    said = [across_machines(recommend(of_tails(rng, 0.5), objective="latency"))[0] for _ in range(40)]
    assert sum("; then" in sentence for sentence in said) <= 3


def test_a_rough_p99_makes_no_order_sure():
    (sentence,) = across_machines(recommend(results(RATES), objective="latency"))
    assert "; then Small card" in sentence and "; the order is not sure: the p99 of" in sentence
    assert sentence.endswith("is rough (more loops or rounds firm it up)")


def test_equal_machines_are_not_ordered_by_what_two_days_differ_by():
    rng = np.random.default_rng(5)

    def drawn():
        day = 0.01 * rng.normal()
        return (1000 * np.exp(day + 0.003 * rng.normal(size=5))).tolist()

    said = [across_machines(recommend(results({"a": drawn(), "b": drawn()})))[0] for _ in range(100)]
    assert sum("; then" in sentence for sentence in said) <= 8


def by_wall_meter(stored):
    """Return a run whose energies are of a wall meter."""
    records = []
    for one in stored.records:
        devices = (msgspec.structs.replace(one.energy.devices[0], meter="ipmi", device_type="external"),)
        records.append(
            msgspec.structs.replace(one, energy=msgspec.structs.replace(one.energy, devices=devices))
        )
    return type(stored)(stored.path, stored.info, tuple(records))


def test_joules_of_two_meters_make_no_order():
    large, small = results(RATES).runs
    found = summarise([large, by_wall_meter(small)])
    for objective, prices in (("energy", Prices()), ("cost", Prices())):
        (sentence,) = across_machines(recommend(found, objective=objective, prices=prices))
        assert sentence.startswith(
            "no order of these machines, whose energies are of different meters (nvml (gpu) and ipmi"
        )
        assert "least energy" not in sentence and "; then" not in sentence
    assert "; then" in across_machines(recommend(found))[0]
    hours = Prices(per_kwh=0.0, per_hour=1.0)
    assert "; then" in across_machines(recommend(found, objective="cost", prices=hours))[0]


def test_models_of_one_name_and_two_contents_make_no_order():
    (sentence,) = across_machines(recommend(results(RATES, hashes=("aaa", "bbb"))))
    assert sentence == (
        "no order of machines across mobilenet (aaa) and mobilenet (bbb): one name, but different models"
    )
    assert "; then" in across_machines(recommend(results(RATES, hashes=("aaa", ""))))[0]


def test_a_mean_is_not_held_against_a_p99():
    loops = [Loop(0.5, (), images=64)]
    whole = [ended(cell(name, 8), n, loops, 64) for n in range(3) for name in ("onnxrt", "torch")]
    timed = results({"a": [1000.0, 1001.0, 999.0]}).runs[0]
    found = summarise([timed, run(whole, path="b", machine=machine("b"))])
    (sentence,) = across_machines(recommend(found, objective="latency"))
    assert "not all have a p99" in sentence


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


@pytest.mark.parametrize(
    ("text", "name", "meant"),
    [
        ("A10", "NVIDIA A10", True), ("A10", "NVIDIA A100-SXM4-80GB", False), ("A100", "NVIDIA A100-SXM4-80GB", True),
        ("L4", "NVIDIA L40S", False), ("L4", "NVIDIA L4", True), ("A2", "NVIDIA RTX A2000", False), ("a2", "2 x NVIDIA A2", True),
        ("H100", "NVIDIA H100 80GB HBM3", True), ("EPYC", "AMD EPYC 7763 64-Core Processor", True),
        ("Xeon", "Intel(R) Xeon(R) Processor", True), ("", "NVIDIA A2", False),
    ],
)  # fmt: skip
def test_a_machine_is_meant_by_whole_words_of_its_name(text, name, meant):
    dear = Prices(per_hour=7.0)
    assert (PriceList(machines=((text, dear),)).of(name) == dear) == meant


def test_machines_whose_names_begin_alike_have_a_price_each():
    listed = PriceList(
        machines=tuple((text, Prices(per_hour=cost)) for text, cost in (("NVIDIA A10", 1.0), ("A100", 2.0)))
    )
    assert [listed.of(name).per_hour for name in ("NVIDIA A10", "NVIDIA A100-PCIE-40GB")] == [1.0, 2.0]


def test_the_command_takes_the_file(tmp_path, capsys):
    assert invoke(["recommend", str(tmp_path), "--prices", str(tmp_path / "none.toml")]) != 0
    assert "Traceback" not in capsys.readouterr().err
    assert PriceList(Prices(per_hour=2.0)).of("any").per_hour == 2.0
