import pytest
from click.testing import CliRunner

from inferometer import importing
from inferometer.cli.importing import import_command
from inferometer.errors import UsageError
from inferometer.flags import flag
from inferometer.importing import Request
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run
from seed_data import seed

LOOPS = "Batch_Size,Elapsed_Times,Throughput,Latency,GPU_Memory_Usage\n"
EMA = "thread,region_idf,file,line,function,visits,device_name,energy,time\n"


def loops(batch_size=8, seconds=(0.5, 0.25), images=512):
    return LOOPS + "".join(f"{batch_size},{s},{images / s},{s / images},{1e9}\n" for s in seconds)


def regions(name="tf", batch_size=8, device="NVIDIA A2", joules=(10.0, 5.0), seconds=(0.5, 0.25)):
    rows = zip(joules, seconds, strict=True)
    return "".join(
        f"0,{name}_{batch_size}_{i},,0,,1,{device},{int(j * 1e6)},{int(s * 1e6)}\n"
        for i, (j, s) in enumerate(rows)
    )


def imported(tmp_path, **request):
    found = importing.read(Request((tmp_path,), **request))
    importing.write(found, tmp_path / "out")
    return found, summarise([read_run(tmp_path / "out")])


def test_the_seed_machine_all_eight_rows_by_hand(tmp_path):
    found = importing.read(Request((seed() / "rtx3090ti",), gpu="RTX 3090 Ti"))
    importing.write(found, tmp_path / "run")
    results = summarise([read_run(tmp_path / "run")])
    assert found.problems == ()
    assert sorted(results.rows) == sorted(
        ["tf", "tfxla", "keras", "kerasxla", "tftrt fp16", "tftrt fp32", "onnxrt", "torch"]
    )
    assert list(results.machines) == ["RTX 3090 Ti"]
    by_cell = {(s.row, s.cell.batch_size): s for s in results.summaries}
    assert len(by_cell) == 54 and all(s.status == "ok" and s.loops == 10 for s in by_cell.values())
    # means over 10 loops of 512 / elapsed, by awk from the files
    expected = {
        ("tf", 8): 150.448243215,
        ("tf", 512): 2517.697482471,
        ("torch", 128): 2828.561606327,
        ("tftrt fp16", 64): 3355.848626412,
        ("onnxrt", 512): 4179.386981642,
    }
    for key, value in expected.items():
        assert by_cell[key].throughput_study.value == pytest.approx(value, rel=1e-9)
    # sum of energy over sum of time of 10 regions
    power = {
        ("tf", 8): 120.079759754,
        ("kerasxla", 512): 229.900862150,
        ("torch", 128): 300.171586202,
        ("tftrt fp16", 64): 163.544609344,
    }
    for key, value in power.items():
        assert by_cell[key].power.value == pytest.approx(value, rel=1e-9)
    assert by_cell["tf", 8].throughput.value == pytest.approx(5120 / 34.054150105, rel=1e-9)
    assert by_cell["tf", 8].energy_image.source == "ema counter"
    best = [s for s in by_cell.values() if s.best_overall]
    assert [(s.row, s.cell.batch_size) for s in best] == [("onnxrt", 512)]


def test_prefix_case_notebooks_and_nested_ema(tmp_path):
    (tmp_path / "v100TFTRTFP16_10_it_uni_py.csv").write_text(loops())
    (tmp_path / "v100TFTRTFP16_10_it_uni_nb.csv").write_text(loops(seconds=(9.0,)))
    (tmp_path / "v100kerasxla_10_it_uni_py.csv").write_text(loops())
    (tmp_path / "EMA_results").mkdir()
    (tmp_path / "EMA_results" / "trt_py.csv").write_text(EMA + regions("TFTRTFP16"))
    (tmp_path / "EMA_results" / "trt_nb.csv").write_text(EMA + regions("tftrtfp16", joules=(99.0, 99.0)))
    (tmp_path / "EMA_results" / "EMA_uni_py_final.csv").write_text("framework,batch_size,energy\nTf,8,1\n")
    (tmp_path / "plot.png").write_bytes(b"\x89PNG")
    found, results = imported(tmp_path)
    assert {(s.cell.framework, s.cell.precision) for s in results.summaries} == {
        ("tftrt", "fp16"),
        ("kerasxla", "fp32"),
    }
    trt = next(s for s in results.summaries if s.cell.framework == "tftrt")
    assert trt.throughput_study.value == pytest.approx((1024 + 2048) / 2)
    assert trt.throughput.value == pytest.approx(1024 / 0.75)
    assert trt.power.value == pytest.approx(15 / 0.75)
    assert (
        next(s for s in results.summaries if s.cell.framework == "kerasxla").energy_reason
        == "no EMA region of this cell"
    )
    text = "\n".join(found.skipped)
    for name in (
        "uni_nb.csv: variant nb",
        "trt_nb.csv: variant nb",
        "plot.png: no CSV file",
        "EMA_uni_py_final.csv",
    ):
        assert name in text
    assert results.summaries[0].machine == "NVIDIA A2"


def test_notebook_variant_is_imported_when_asked(tmp_path):
    (tmp_path / "tf_2_it_x_py.csv").write_text(loops())
    (tmp_path / "tf_2_it_x_nb.csv").write_text(loops(seconds=(2.0, 2.0)))
    _, results = imported(tmp_path, gpu="A2", variant="nb")
    assert results.summaries[0].throughput.value == pytest.approx(256)


def test_the_gpu_that_worked_is_found_among_several_of_one_name_with_cpu_rows(tmp_path):
    (tmp_path / "tf_2_it_x_py.csv").write_text(loops())
    rows = EMA
    for number, seconds in enumerate((0.5, 0.25)):
        for device, watts in (
            ("Tesla V100", 30),
            ("Tesla V100", 90),
            ("Tesla V100", 29),
            ("package-0", 200),
            ("dram-0", 9),
        ):
            rows += f"0,tf_8_{number},,0,,1,{device},{int(watts * seconds * 1e6)},{int(seconds * 1e6)}\n"
    (tmp_path / "ema_py.csv").write_text(rows)
    _, results = imported(tmp_path, gpu="V100")
    (summary,) = results.summaries
    assert summary.power.value == pytest.approx(90.0)
    devices = summary.records[0].energy.devices
    assert [d.device_type for d in devices] == ["gpu", "gpu", "gpu", "cpu", "dram"]
    assert summary.records[0].energy.primary == "Tesla V100#1"


def test_newer_ema_with_uid_and_type(tmp_path):
    (tmp_path / "tf_1_it_x_py.csv").write_text(loops(seconds=(0.5,)))
    head = "thread,region_idf,file,line,function,visits,device_name,device_uid,device_type,energy,time\n"
    (tmp_path / "output.EMA.4711").write_text(
        head
        + "0,tf_8_0,a.py,1,f,1,H100,GPU-aa,gpu,50000000,500000\n0,tf_8_0,a.py,1,f,1,H100,GPU-bb,gpu,9000000,500000\n"
    )
    _, results = imported(tmp_path)
    assert results.summaries[0].power.value == pytest.approx(100.0)
    assert results.summaries[0].records[0].energy.primary == "GPU-aa"


def test_malformed_rows_are_named_and_the_rest_is_kept(tmp_path):
    bad = "8,nan,1,1,1\n8,-1,1,1,1\nx,1,1,1,1\n8,500,1024,0.0009,1\n8,1\n"
    (tmp_path / "tf_9_it_x_py.csv").write_text(loops() + bad)
    (tmp_path / "e_py.csv").write_text(
        EMA + regions() + "0,tf_8_9,,0,,1,NVIDIA A2,-5,100\n0,warmup,,0,,1,NVIDIA A2,5,100\n"
    )
    found, results = imported(tmp_path)
    assert results.summaries[0].loops == 2
    assert results.summaries[0].flags == (flag("malformed-loops", count=1),)
    text = "\n".join(found.problems)
    for part in (
        "py.csv:4: Elapsed_Times is nan, not a finite number",
        "py.csv:5: Elapsed_Times is -1, must be above 0",
        "py.csv:6: Batch_Size is 'x', not a number",
        "py.csv:7: throughput x elapsed is 5.12e+05 images where the other loops have 512: mixed units?",
        "py.csv:8: 2 fields where the header has 5",
        "e_py.csv:4: energy (uJ) is -5, must be at least 0",
        "e_py.csv:5: region 'warmup' is not",
    ):
        assert part in text, part
    assert any("left out" in note for note in read_run(tmp_path / "out").info.notes)


def test_energy_in_another_unit_is_noticed(tmp_path):
    (tmp_path / "tf_3_it_x_py.csv").write_text(loops(seconds=(0.5, 0.5, 0.5)))
    text = EMA + regions(joules=(10.0, 10.0), seconds=(0.5, 0.5)) + "0,tf_8_2,,0,,1,NVIDIA A2,10,500000\n"
    (tmp_path / "e_py.csv").write_text(text)
    found, results = imported(tmp_path)
    assert "mixed units?" in found.problems[0]
    assert results.summaries[0].power.value == pytest.approx(20.0)


def test_regions_without_loops_are_named(tmp_path):
    (tmp_path / "tf_2_it_x_py.csv").write_text(loops())
    (tmp_path / "e_py.csv").write_text(EMA + regions() + regions("torch", 256))
    found, _ = imported(tmp_path)
    assert any("torch fp32 at batch size 256: no file of loops" in p for p in found.problems)


def test_two_machines_in_one_directory_is_an_error(tmp_path):
    (tmp_path / "a2tf_2_it_x_py.csv").write_text(loops())
    (tmp_path / "v100tf_2_it_x_py.csv").write_text(loops(seconds=(1.0, 1.0)))
    with pytest.raises(UsageError, match="--prefix"):
        importing.read(Request((tmp_path,), gpu="x"))
    _, results = imported(tmp_path, gpu="x", prefix="v100")
    assert results.summaries[0].throughput.value == pytest.approx(512)


def test_a_machine_without_name_is_an_error(tmp_path):
    (tmp_path / "tf_2_it_x_py.csv").write_text(loops())
    with pytest.raises(UsageError, match="--gpu"):
        importing.read(Request((tmp_path,)))


def test_command_lists_and_strict_refuses(tmp_path):
    (tmp_path / "tf_2_it_x_py.csv").write_text(loops() + "8,nan,1,1,1\n")
    (tmp_path / "notes.md").write_text("hello")
    out = tmp_path / "run"
    arguments = [str(tmp_path), "--gpu", "A2", "--out", str(out)]
    result = CliRunner().invoke(import_command, [*arguments, "--strict"], standalone_mode=False)
    assert result.return_value == 1 and not out.exists()
    result = CliRunner().invoke(import_command, arguments, standalone_mode=False)
    assert result.return_value == 0
    assert "1 cell, 2 loops" in result.output
    assert "malformed:" in result.output and "notes.md: no CSV file" in result.output


def test_what_is_given_no_place_goes_where_serve_looks(tmp_path, monkeypatch):
    (tmp_path / "tf_2_it_x_py.csv").write_text(loops())
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(import_command, ["tf_2_it_x_py.csv", "--gpu", "A2"], standalone_mode=False)
    assert (tmp_path / "inferometer-runs" / "import-a2" / "run.json").exists()
