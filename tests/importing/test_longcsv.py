import pytest

from inferometer import importing
from inferometer.errors import UsageError
from inferometer.importing import Request, longcsv
from inferometer.results.completeness import unfinished
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run
from seed_data import seed


def results_of(tmp_path, *texts, **request):
    tmp_path.mkdir(exist_ok=True)
    paths = []
    for number, text in enumerate(texts):
        path = tmp_path / f"table{number}.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        paths.append(path)
    found = importing.read(Request(tuple(paths), **request))
    return found, summarise([read_run(path) for path in importing.write(found, tmp_path / "out")])


def test_the_reports_tables_join_into_a_run_a_machine(tmp_path):
    found = importing.read(Request((seed() / "throughput.csv", seed() / "power.csv")))
    results = summarise([read_run(path) for path in importing.write(found, tmp_path / "out")])
    assert list(results.machines) == ["NVIDIA A2", "Tesla V100", "TITAN X (Pascal)"]
    assert len(results.summaries) == 165 and found.problems == ()
    cell = next(
        s for s in results.summaries if (s.machine, s.row, s.cell.batch_size) == ("Tesla V100", "onnxrt", 512)
    )
    assert cell.throughput.source == "published"
    assert cell.energy_image.value == pytest.approx(cell.power.value / cell.throughput.value)


def test_units_in_names_are_converted(tmp_path):
    _, results = results_of(tmp_path, "bs,runtime,gpu,latency_ms,power_mW,precision\n8,tf,A2,2,1500,fp16\n")
    (summary,) = results.summaries
    assert summary.latency_image.value == pytest.approx(0.002)
    assert summary.throughput.value == pytest.approx(500)
    assert summary.power.value == pytest.approx(1.5)
    assert summary.row == "tf fp16"


def test_mapping_names_columns(tmp_path):
    mapping = longcsv.parse_mapping(["throughput=speed", "framework=what", "batch_size=n"])
    found, results = results_of(tmp_path, "n,what,speed,colour\n8,foo,100,red\n", gpu="A2", mapping=mapping)
    assert (results.summaries[0].row, results.summaries[0].throughput.value) == ("foo", 100.0)
    assert any("colour" in line for line in found.skipped)


def test_three_loops_of_which_two_did_nothing(tmp_path):
    text = "framework,batch_size,round,images,elapsed_s\n" + "".join(
        f"torch,4,0,16,{seconds}\n" for seconds in (0.00123, 0.43262, 0.00237)
    )
    _, results = results_of(tmp_path, text, gpu="X")
    (summary,) = results.summaries
    assert summary.throughput.value == pytest.approx(110, abs=0.1)
    (held,) = [flag for flag in summary.flags if flag.kind == "loops-held-up"]
    assert held.values["held"] == 1 and held.values["lost_s"] == pytest.approx(0.43, abs=0.001)


def test_published_rounds_are_rounds(tmp_path):
    text = "batch_size,framework,gpu,round,throughput\n" + "".join(
        f"8,{name},A2,{r},{rate + r}\n" for name, rate in (("tf", 100.0), ("onnxrt", 150.0)) for r in range(3)
    )
    _, results = results_of(tmp_path, text)
    tf = next(s for s in results.summaries if s.row == "tf")
    assert (
        tf.throughput.value == pytest.approx(101, rel=1e-3)
        and tf.throughput.low > 95
        and tf.throughput.n == 3
    )
    assert all(s.judged and not s.tie for s in results.summaries)


def test_rows_of_loops_become_loops(tmp_path):
    text = "batch_size,framework,gpu,round,elapsed_s,images\n" + "".join(
        f"8,tf,A2,{r},{s},100\n" for r in (0, 1) for s in (1, 2)
    )
    _, results = results_of(tmp_path, text)
    assert results.summaries[0].rounds == 2
    assert results.summaries[0].throughput.value == pytest.approx(200 / 3)
    _, uneven = results_of(tmp_path / "uneven", text + "16,tf,A2,0,1,100\n")
    assert len(uneven.summaries) == 2 and unfinished(uneven) == []  # what others measured had no plan of ours


def test_values_with_mixed_units_are_converted_or_named(tmp_path):
    text = "batch_size,framework,gpu,metric,value,unit\n" + "".join(
        f"{size},tf,A2,power,{value}\n" for size, value in ((8, "10,W"), (16, "20000,mW"), (32, "5,furlong"))
    )
    found, results = results_of(tmp_path, text)
    assert [s.power.value for s in results.summaries] == [10.0, 20.0]
    assert "table0.csv:4: unit is 'furlong'" in found.problems[0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("8,tf,A2,nan", "throughput is nan, not a finite number"),
        ("8,tf,A2,-3", "throughput is -3, must be above 0"),
        ("8,tf,A2,fast", "throughput is 'fast', not a number"),
        ("0,tf,A2,5", "batch_size is 0, must be at least 1"),
        ("8.5,tf,A2,5", "batch_size is 8.5, not a whole number"),
        ("8,,A2,5", "framework is empty"),
        ("8,tf,,5", "no machine"),
        ("8,tf,A2,", "no quantity"),
        ("16,tf,A2,7", "throughput of this cell was already given on line 2"),
    ],
)
def test_a_malformed_row_is_one_line_with_its_number(tmp_path, row, message):
    found, results = results_of(tmp_path, f"batch_size,framework,gpu,throughput\n16,tf,A2,100\n{row}\n")
    assert len(results.summaries) == 1
    assert "table0.csv:3: " in found.problems[0] and message in found.problems[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a" + ",a" * 1_000_000 + "\n", "1000001 columns, more than 1000"),
        ("batch_size,framework\n8,tf\n".encode("utf-16"), "UTF-16"),
        (b"batch_size,framework\n8,\xff\xfe\x00\n", "neither loops"),
        (b"\x00\x01\x02", "NUL"),
        (b"", "no header"),
        ("a,b,a\n", "two columns named 'a'"),
        ("batch_size,framework\n8,tf\n", "neither loops, EMA regions nor a long table"),
        (b"\xe9,b\n", "not UTF-8"),
    ],
)
def test_hostile_files_are_one_clear_line(tmp_path, content, message):
    with pytest.raises(UsageError, match=message) as caught:
        results_of(tmp_path, content)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000


def test_html_in_names_is_kept_as_text(tmp_path):
    _, results = results_of(
        tmp_path, "batch_size,framework,gpu,throughput\n8,<script>alert(1)</script>,<b>A2,5\n"
    )
    assert results.summaries[0].row == "<script>alert(1)</script>"
    assert list(results.machines) == ["<b>A2"]


def test_unknown_mapping_target_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'throughput'"):
        longcsv.parse_mapping(["troughput=x"])


def test_what_the_table_command_writes_reads_back(tmp_path):
    from inferometer import tables
    from inferometer.results.metrics import METRICS

    text = "batch_size,framework,gpu,throughput,precision\n8,tf,A2,100.125,fp32\n8,torch,A2,33.1,fp16\n"
    _, first = results_of(tmp_path / "a", text)
    _, second = results_of(tmp_path / "b", tables.to_csv(first, METRICS["throughput"]))
    assert [(s.row, s.throughput.value) for s in second.summaries] == [("tf", 100.125), ("torch fp16", 33.1)]


def of_simulated(metric):
    from inferometer import tables
    from inferometer.results.metrics import METRICS
    from simulated_runs import cell, record, run

    return tables.to_csv(summarise([run([record(cell(), rate=1000.0, power_w=50.0)])]), METRICS[metric])


@pytest.mark.parametrize(
    "metric", ["latency", "latency_batch", "p50", "p90", "p99", "power", "energy", "memory"]
)
def test_a_metric_reads_back_as_itself_and_as_nothing_else(tmp_path, metric):
    from inferometer.results.metrics import METRICS

    text = of_simulated(metric)
    _, results = results_of(tmp_path, text)
    (summary,) = results.summaries
    assert METRICS[metric].of(summary).value == float(text.splitlines()[1].split(",")[4])
    if metric != "latency":
        assert summary.throughput is None


@pytest.mark.parametrize(
    "metric", ["prepare_time", "copy_in", "idle_power", "energy_net", "throughput_study"]
)
def test_a_metric_that_does_not_read_back_is_refused_by_name(tmp_path, metric):
    with pytest.raises(UsageError, match=f"metric is '{metric}': not one that reads back"):
        results_of(tmp_path, of_simulated(metric))


@pytest.mark.parametrize("unit", ["ms", "W", "J"])
def test_a_value_whose_metric_cannot_be_told_is_refused(tmp_path, unit):
    with pytest.raises(UsageError, match="but of which metric"):
        results_of(tmp_path, f"batch_size,framework,gpu,value,unit\n8,tf,A2,10,{unit}\n")


def test_a_mapped_value_keeps_its_unit(tmp_path):
    text = "batch_size,framework,gpu,value,unit\n8,tf,A2,10,ms\n16,tf,A2,10,W\n"
    found, results = results_of(tmp_path, text, mapping={"p99": "value"})
    assert [s.p99.value for s in results.summaries] == [0.01]
    assert "table0.csv:3: unit is 'W', but p99 is in s" in found.problems[0]


def test_values_of_one_metric_alone_need_no_name(tmp_path):
    text = "batch_size,framework,gpu,value,unit\n8,tf,A2,10,img/s\n16,tf,A2,3,MiB\n32,tf,A2,50,%\n"
    _, results = results_of(tmp_path, text)
    first, second, third = results.summaries
    assert (first.throughput.value, second.memory.value, third.accuracy.value) == (10.0, 3 * 2**20, 0.5)


@pytest.mark.parametrize(
    ("metric", "column"),
    [
        ("power", "power_w"),
        ("energy", "energy_mj"),
        ("memory", "memory_mb"),
        ("accuracy", "accuracy_percent"),
    ],
)
def test_any_quantity_alone_makes_a_table_and_a_report(tmp_path, metric, column):
    from inferometer import tables
    from inferometer.recommendation.recommend import recommend
    from inferometer.report.page.html import render
    from inferometer.report.page.verdict import verdicts
    from inferometer.results.metrics import METRICS
    from inferometer.tables import overview

    _, results = results_of(tmp_path, f"batch_size,framework,gpu,{column}\n8,onnxrt,A2,50\n8,tf,A2,60\n")
    (built,) = tables.build(results, METRICS[metric])
    assert [row.cells[0].estimate is None for row in built.rows] == [False, False]
    assert sum(row.cells[0].best for row in built.rows) == METRICS[metric].competes
    assert overview.failures(results) == [] and len(overview.flat_rows(results)) == 2
    assert overview.flat_rows(results)[0][metric] == METRICS[metric].of(results.summaries[0]).value
    assert METRICS[metric].title in render(results)
    (verdict,) = verdicts(results, *results.sections[0])
    assert verdict.no_fastest == "Not known: no throughput was measured"
    assert (verdict.deploy.decision.choice, verdict.deploy.key) == (None, "none")
    assert verdict.deploy.grade == "none: no throughput is known"
    assert (verdict.efficient is not None) == (metric == "energy")
    assert recommend(results)[0].refused == (("throughput not known", 2),)


def test_a_time_is_no_round(tmp_path):
    with pytest.raises(UsageError, match="round 1764115200 is too large: at most 999999"):
        results_of(tmp_path, "bs,runtime,gpu,power_W,round\n8,tf,A2,2,1764115200\n")
