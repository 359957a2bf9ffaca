"""Which runs are of one place."""

import dataclasses

import msgspec

from inferometer.records import Gpu, Machine
from inferometer.results.summary import summarise
from simulated_runs import GPU_MACHINE, cell, record, run
from summaries_of import only


def test_runs_of_the_same_hardware_pool_and_others_do_not():
    first = run([record(cell(), rate=1000.0)], "a")
    second = run([record(cell(), rate=1020.0)], "b")
    other = run([record(cell())], "c", machine=Machine(cpu="CPU 9", gpus=(Gpu(0, "GPU-9", "A2"),)))
    results = summarise([first, second, other])
    assert [(s.machine, s.rounds) for s in results.summaries] == [("H100", 2), ("A2", 1)]
    assert len(results.summaries[0].paths) == 2


def test_two_versions_on_one_machine_stay_apart():
    def at(version):
        base = record(cell())
        return run([record(cell(), actual=type(base.actual)(version=version))], version)

    results = summarise([at("1.29"), at("1.30")])
    assert results.rows == ("onnxrt 1.29", "onnxrt 1.30")


def test_runs_with_other_threads_or_another_share_of_the_processors_stay_apart():
    def at(threads, rate, usable=4, status="ok"):
        machine = msgspec.structs.replace(GPU_MACHINE, usable_cores=usable)
        actual = msgspec.structs.replace(record(cell()).actual, threads=threads)
        return run([record(cell(), rate=rate, actual=actual, status=status)], machine=machine)

    results = summarise([at(2, 500.0), at(1, 260.0), at(2, 510.0)])
    assert [(s.row, s.rounds) for s in results.summaries] == [("onnxrt 2 threads", 2), ("onnxrt 1 thread", 1)]
    results = summarise([at(2, 500.0), at(2, 260.0, usable=2)])
    assert list(results.machines) == ["H100 (4 cores usable)", "H100 (2 cores usable)"]


def test_the_same_model_with_other_shapes_stays_apart():
    def at(length, hash_, rate):
        found = run([record(cell(), rate=rate)], model_hash=hash_)
        inputs = ({"name": "ids", "shape": [None, length], "dtype": "int64"},)
        info = msgspec.structs.replace(
            found.info, model=msgspec.structs.replace(found.info.model, inputs=inputs)
        )
        return dataclasses.replace(found, info=info)

    results = summarise([at(64, "aaa", 900.0), at(2048, "bbb", 10.0)])
    assert [s.model for s in results.summaries] == ["mobilenet (64)", "mobilenet (2048)"]
    results = summarise([at(64, "aaa", 900.0), at(64, "bbb", 880.0)])
    assert [s.model for s in results.summaries] == ["mobilenet (aaa)", "mobilenet (bbb)"]


def test_two_gpus_of_one_name_stay_apart():
    gpus = (Gpu(0, "GPU-1", "H100"), Gpu(1, "GPU-2", "H100"))
    results = summarise(
        [run([record(cell()), record(cell(device="cuda:1"))], machine=Machine(hostname="box", gpus=gpus))]
    )
    assert list(results.machines) == ["H100 (cuda:0)", "H100 (cuda:1)"]


def test_precision_is_named_where_it_tells_rows_apart():
    results = summarise([run([record(cell("tf")), record(cell("torch", precision="fp16"))])])
    assert results.rows == ("tf", "torch fp16")


def test_given_name_wins_over_hardware():
    named = Machine(name="my A2", gpus=GPU_MACHINE.gpus)
    assert only([record(cell())], machine=named).machine == "my A2"
