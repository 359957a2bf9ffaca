"""What `table` and `show` write as CSV comes back as what it was; an option that cannot change it is refused."""

import pytest

from inferometer import tables
from inferometer.cli import invoke
from inferometer.records import Machine
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run
from simulated_runs import GPU_MACHINE, cell, record, run

CPU = "Intel(R) Xeon(R) Processor"
OLD = (
    "batch_size,framework,precision,gpu,value,unit,low,high,source,status,metric\n"
    f"8,onnxrt,fp32,{CPU},1000.0,images/s,,,loops,ok,throughput\n"
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def on_cpu(model="resnet50", **more):
    machine = Machine(hostname="box", cpu=CPU, physical_cores=2)
    return run([record(cell(device="cpu", model=model, **more), rate=1000.0)], machine=machine)


def written(place, *runs):
    (place / "t.csv").write_text(tables.to_csv(summarise(runs), METRICS["throughput"]))
    return place / "t.csv"


def back(*arguments):
    assert invoke(["import", *map(str, arguments), "--out", "out"]) == 0
    return read_run("out")


def test_a_table_of_a_cpu_comes_back_as_one_of_that_model_on_that_cpu(place, capsys):
    found = back(written(place, on_cpu(mode="host")))
    assert found.info.cells == (cell(device="cpu", model="resnet50"),)
    assert (found.info.model.name, found.info.machine.cpu, found.info.machine.gpus) == ("resnet50", CPU, ())
    (summary,) = summarise([found]).summaries
    assert (summary.machine, summary.model, summary.throughput.value) == (CPU, "resnet50", 1000.0)
    assert capsys.readouterr().err == ""


def test_a_second_gpu_a_mode_and_several_models_come_back(place):
    cells = [cell(device="cuda:1", mode="device", model="a"), cell(device="cuda:1", model="b")]
    found = back(written(place, run([record(one) for one in cells], machine=GPU_MACHINE)))
    assert set(found.info.cells) == set(cells) and found.info.model.name == "a, b"
    assert [gpu.index for gpu in found.info.machine.gpus] == [1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gpu", "mine"], f"--gpu mine changes nothing: the files say {CPU}; leave it out"),
        (["--model", "vgg"], "--model vgg changes nothing: the files say resnet50; leave it out"),
        (["--precision", "fp16"], "--precision fp16 changes nothing: the files say fp32; leave it out"),
        (["--variant", "nb"], "--variant nb chooses among files of loops"),
        (["--prefix", "v100"], "--prefix v100 chooses among files of loops"),
    ],
)
def test_an_option_that_the_file_contradicts_is_refused(place, capsys, words, said):
    assert invoke(["import", str(written(place, on_cpu())), *words, "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (place / "out").exists()


def test_an_option_that_says_what_the_file_says_is_taken(place):
    assert back(written(place, on_cpu()), "--gpu", CPU, "--model", "resnet50").info.model.name == "resnet50"


def test_an_option_serves_the_rows_that_say_nothing(place):
    (place / "t.csv").write_text("batch_size,framework,gpu,throughput\n8,onnxrt,A2,1\n16,onnxrt,,2\n")
    assert invoke(["import", "t.csv", "--gpu", "mine", "--precision", "fp16", "--out", "out"]) == 0
    infos = [read_run(place / "out" / name).info for name in ("a2", "mine")]
    assert [info.cells[0].precision for info in infos] == ["fp16", "fp16"]


def test_a_name_that_says_its_precision_keeps_it(place):
    (place / "t.csv").write_text("batch_size,framework,gpu,throughput\n8,tftrtfp16,A2,1\n8,onnxrt,A2,2\n")
    found = back("t.csv", "--precision", "bf16")
    assert [c.precision for c in found.info.cells] == ["fp16", "bf16"]


def test_a_table_from_before_it_named_model_and_device_is_read_and_the_rest_told(place, capsys):
    (place / "t.csv").write_text(OLD)
    found = back("t.csv")
    (only,) = found.info.cells
    assert (only.device, only.model) == ("cpu", "mobilenet_v3_large")
    error = capsys.readouterr().err
    assert "assumed: t.csv: names no model: taken for mobilenet_v3_large (--model NAME says which)" in error
    assert "assumed: t.csv: names no device" in error
    assert any(note.startswith("assumed: t.csv: names no model") for note in found.info.notes)


def test_a_table_from_before_takes_the_model_that_is_given(place, capsys):
    (place / "t.csv").write_text(OLD)
    assert back("t.csv", "--model", "resnet50").info.cells[0].model == "resnet50"
    assert "names no model" not in capsys.readouterr().err


def test_a_device_that_is_a_name_is_the_machine(place):
    (place / "t.csv").write_text("batch_size,framework,device,throughput\n8,onnxrt,Tesla V100,1\n")
    found = back("t.csv")
    assert (found.info.machine.name, found.info.cells[0].device) == ("Tesla V100", "cuda:0")


def test_a_device_without_a_machine_takes_the_given_name(place):
    (place / "t.csv").write_text("batch_size,framework,device,throughput\n8,onnxrt,cpu,1\n")
    found = back("t.csv", "--gpu", "mine")
    assert (found.info.machine.name, found.info.cells[0].device) == ("mine", "cpu")


def test_what_show_writes_comes_back(place, capsys):
    from inferometer.storage.run_directory import RunWriter

    source = on_cpu()
    writer = RunWriter.create(place / "run", source.info)
    for one in source.records:
        writer.append(one)
    assert invoke(["show", "run", "--format", "csv"]) == 0
    (place / "t.csv").write_text(capsys.readouterr().out)
    assert back("t.csv").info.cells == source.info.cells


def test_a_mapping_without_a_long_table_is_refused(place, capsys):
    (place / "tf_2_it_x_py.csv").write_text("Batch_Size,Elapsed_Times\n8,1.0\n8,1.1\n")
    words = ["import", "tf_2_it_x_py.csv", "--gpu", "A2", "--out", "out"]
    assert invoke([*words, "--map", "throughput=fps"]) == 2
    assert "--map names columns of a long table, and there is none here" in capsys.readouterr().err
    assert invoke([*words, "--precision", "fp16"]) == 2
    assert "--precision fp16 changes nothing: the files say fp32" in capsys.readouterr().err
