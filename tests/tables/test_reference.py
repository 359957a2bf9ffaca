"""The asterisk of a cell that is better than the same cell on the reference machine, and how often it is one by chance."""

import msgspec
import numpy as np
import pytest

from inferometer import tables
from inferometer.records import Gpu, Machine, Record
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from inferometer.tables.reference import surely_better
from simulated_runs import GPU_MACHINE, cell, record, rounds_of, run

A2 = Machine(gpus=(Gpu(0, "GPU-2", "A2"),))


def both(ours, theirs, **of_theirs):
    """Return results of two machines from their records."""
    return summarise([run(ours, "a"), run(theirs, "b", machine=A2, **of_theirs)])


def marked(results, metric="throughput", **more):
    """Return row and machine of every cell with an asterisk, and the table's text."""
    (table,) = tables.build(results, METRICS[metric], **more)
    found = {
        (row.label, machine)
        for row in table.rows
        for machine, one in zip(table.machines, row.cells, strict=True)
        if one and one.beats_reference
    }
    return found, tables.to_markdown(table)


def test_a_cell_beyond_both_intervals_has_an_asterisk():
    ours = [*rounds_of(cell("tf"), [100.0, 101.0, 99.0]), *rounds_of(cell("onnxrt"), [300.0, 301.0, 299.0])]
    theirs = [
        *rounds_of(cell("tf"), [120.0, 121.0, 119.0]),
        *rounds_of(cell("onnxrt"), [200.0, 201.0, 199.0]),
    ]
    found, text = marked(both(ours, theirs), reference="H100")
    assert found == {("tf", "A2")} and "beats H100 with the same framework" in text
    assert marked(both(ours, theirs), "latency", reference="H100")[0] == found


def test_less_than_what_two_days_differ_by_is_none():
    quiet = [rounds_of(cell(), [rate, 1.0001 * rate, 0.9999 * rate]) for rate in (1000.0, 1020.0)]
    assert marked(both(*quiet), reference="H100")[0] == set()


@pytest.mark.parametrize("metric", ["throughput", "p99", "energy", "prepare_time", "memory"])
def test_one_process_has_none(metric):
    ours, theirs = [record(cell(), rate=1000.0, power_w=50.0)], [record(cell(), rate=2000.0, power_w=20.0)]
    found, text = marked(both(ours, theirs), metric)
    assert found == set() and "beats" not in text


def test_published_means_have_none():
    ours, theirs = ([Record(cell(), 0, "ok", published={"throughput": rate})] for rate in (1000.0, 2000.0))
    assert marked(both(ours, theirs))[0] == set()


def test_what_has_no_noise_needs_no_second_process():
    metric, all_of_them = METRICS["agreement"], []
    for share in (1.0, 0.5):
        made = record(cell())
        parity = msgspec.structs.replace(made.parity, agree_k=512 * share, agree_n=512)
        all_of_them += summarise([run([msgspec.structs.replace(made, parity=parity)])]).summaries
    assert surely_better(*all_of_them, metric) and not surely_better(*all_of_them[::-1], metric)


def test_joules_of_two_meters_and_models_of_two_contents_have_none():
    def metered(meter, watts):
        made = rounds_of(cell(), [1000.0, 1001.0, 999.0], power_w=watts)
        device = msgspec.structs.replace(made[0].energy.devices[0], meter=meter)
        return [
            msgspec.structs.replace(r, energy=msgspec.structs.replace(r.energy, devices=(device,)))
            for r in made
        ]

    assert marked(both(metered("nvml", 50.0), metered("nvml", 20.0)), "energy", reference="H100")[0]
    found, text = marked(both(metered("nvml", 50.0), metered("ipmi", 20.0)), "energy", reference="H100")
    assert not found and "energy by nvml (gpu)" in text and "energy by ipmi (gpu)" in text
    cells = [
        summarise(
            [run(rounds_of(cell(), [rate, 1.001 * rate]), machine=GPU_MACHINE, model_hash=name)]
        ).summaries[0]
        for rate, name in ((2000.0, "aaa"), (1000.0, "bbb"), (1000.0, ""))
    ]
    assert not surely_better(cells[0], cells[1], METRICS["throughput"])
    assert surely_better(cells[0], cells[2], METRICS["throughput"])


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_equal_machines_have_an_asterisk_once_in_twenty_tables(rounds):
    rng = np.random.default_rng(3)

    def drawn():
        return [
            one
            for framework in "abcdef"
            for one in rounds_of(cell(framework), (1000 * np.exp(0.03 * rng.normal(size=rounds))).tolist())
        ]

    assert sum(bool(marked(both(drawn(), drawn()))[0]) for _ in range(60)) <= 3
