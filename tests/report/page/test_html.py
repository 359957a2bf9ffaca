import json
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

import simulated_runs as simulated
from inferometer.errors import StoreError
from inferometer.report.figures.palette import Palette
from inferometer.report.page.evidence import evidence
from inferometer.report.page.html import library, render, write_report
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run
from report_fixtures import SECTIONS

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def page(results):
    return render(results, title="Cards compared").replace(library(), "")


def test_order_of_the_report(page):
    places = [page.index(f">{name}</h") for name in SECTIONS]
    assert places == sorted(places)
    assert "<title>Cards compared</title>" in page


@pytest.mark.parametrize("at_once", ["", " --at-once"])
def test_the_command_of_a_cell_is_one_that_is_taken(tmp_path, at_once):
    run = read_run(simulated.write_run(tmp_path / "run", simulated.BOARDS[0], failures=False))
    command = (
        f"inferometer run net --preset report --frameworks tf,torch --device=cuda:0,cuda:1 --out x{at_once}"
    )
    info = msgspec.structs.replace(run.info, command=command)
    results = summarise([type(run)(run.path, info, run.records)])
    told = evidence(results, Palette(s.cell.framework for s in results.summaries))["cells"][0]
    words = dict(told["facts"])["Measure it again"].split()
    device = ["--device=cuda:0,cuda:1", "--at-once"] if at_once else []
    assert words[:5] == ["inferometer", "run", "net", "--preset", "study"]
    assert words[5 : 5 + len(device)] == device and words.count("--frameworks") == 1
    assert words.count("--device") == (not at_once) and "--out" not in words


def test_nothing_refers_to_a_network(page):
    refers = re.findall(r"""\s(?:src|href|action)\s*=\s*["']?([^"'\s>]+)""", page)
    assert {name for name in refers if not name.startswith(("#", "data:,"))} == set()
    assert "@import" not in page
    assert set(re.findall(r"url\(([^)]*)\)", page)) == {"#hatch-${p.hatch}"}
    assert "default-src &#39;none&#39;" in page
    assert "connect-src &#39;none&#39;" in page


def test_every_failed_cell_is_there_with_its_cause(page, results):
    assert "CUDA out of memory: tried to allocate 1.2 GiB, 310 MiB free &lt;of 16 GiB&gt;" in page
    assert "no result within 600 s; raise --timeout" in page
    rows = re.findall(r'<span class="bad">([a-z-]+)</span>', page)
    assert sorted(rows) == ["out-of-memory", "timed-out"]
    assert "256, 512" in page


def test_absent_energy_is_said_and_not_drawn(page):
    assert "Not known: no meter: NVIDIA TITAN X (Pascal) has no energy counter" in page
    assert "unresolved: window of 0.3 s is shorter than 10 counter steps" in page


def test_tables_hold_every_value_of_the_throughput_table(page, results):
    from inferometer.results.metrics import METRICS
    from inferometer.tables import build

    (table,) = build(results, METRICS["throughput"])
    start = page.index('id="s0-table-throughput"')
    block = page[start : page.index('id="s0-table-', start + 1)]
    texts = [cell.text for row in table.rows for cell in row.cells if cell.shade is not None]
    found = re.findall(r'<td class="s\d+" data-cell=.*?</td>', block)
    assert len(found) == len(texts)
    assert all(text in cell for text, cell in zip(texts, found, strict=True))
    assert block.count("<b>") == 3  # one best a machine
    assert block.count("out-of-memory") == 3
    assert "best of its batch size" in block


def test_figure_data_are_json_that_cannot_end_the_script(page):
    data, details = re.findall(r'id="page-(?:data|details)">(.*?)</script>', page, re.DOTALL)
    assert not set("<>&") & set(data + details)
    assert json.loads(data)["groups"]
    figures = json.loads(details)["figures"]
    assert {figure["kind"] for figure in figures.values()} == {"fit", "lines", "dots", "boxes", "phase_bars"}


def test_a_page_without_phases_has_no_figure_of_them():
    from inferometer.results.summary import summarise
    from simulated_runs import cell, record, run

    with_phases, without = (
        render(summarise([run([record(cell(), phases=found)])])) for found in ({"compute": 0.001}, {})
    )
    assert 'id="s0-phases"' in with_phases
    assert "phases" not in re.sub(r"<script.*?</script>", "", without, flags=re.DOTALL)


def test_hostile_names_stay_text(hostile):
    page = render(hostile, title="</title><script>window.hacked=1</script>").replace(library(), "")
    for tag in ("<script>window", "<img src=x", "<svg onload", "<b onmouseover", "<b>GPU"):
        assert tag not in page
    assert "&lt;script&gt;window.hacked=1&lt;/script&gt;" in page
    assert "49" not in re.findall(r"onmouseover=window.hacked=1&gt;(.{0,12})", page)[0]


def test_no_result_at_all():
    assert "There is no result here yet." in render(summarise([]))


def test_all_cells_failed(all_failed):
    page = render(all_failed).replace(library(), "")
    assert "None of 2 cells ended well; see Failed cells." in page
    assert page.count("Nothing to draw, so no figure: Power against throughput; ") == 1
    assert page.count("no result within 600 s") >= 1


def test_modes_are_never_mixed(tmp_path):
    import simulated_runs as simulated

    simulated.write_run(
        tmp_path,
        simulated.BOARDS[0],
        frameworks=("tf", "onnxrt"),
        precisions=("fp32",),
        modes=("host", "device"),
    )
    page = render(summarise([read_run(tmp_path)])).replace(library(), "")
    assert page.count(">mobilenet_v3_large, host to host<") == 4
    assert page.count(">mobilenet_v3_large, resident on the device<") == 4
    assert 'id="s1-power-throughput"' in page


def test_unwritable_place_is_one_line(results, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*; give another --out"):
        write_report(results, tmp_path / "file" / "report.html")


def test_every_finding_is_on_the_page(page, results):
    import html

    from inferometer.findings import findings

    found = findings(results)
    assert {finding.kind for finding in found} >= {"winner", "efficient", "slope", "batch-size", "machines"}
    text = html.unescape(page)
    assert [finding.text for finding in found if finding.text not in text] == []


def test_published_means_without_intervals_make_a_whole_report(tmp_path):
    from inferometer.records import Cell, Machine, Record, RunInfo
    from inferometer.storage.run_directory import RunWriter

    cells = [Cell("m", name, "fp32", size, "cuda:0") for name in ("tf", "onnxrt") for size in (8, 16, 32)]
    writer = RunWriter.create(
        tmp_path / "run", RunInfo(source="imported", machine=Machine(name="A2"), cells=tuple(cells))
    )
    for number, cell in enumerate(cells):
        published = {"throughput": 100.0 + 10 * number, "power": 30.0 + number}
        writer.append(Record(cell, 0, "ok", published=published))
    page = render(summarise([read_run(tmp_path / "run")])).replace(library(), "")
    assert "no single batches were recorded, only whole loops or means" in page
    assert "imported, measured by others." in page
    assert "customdata[0]" not in re.search(r'id="page-details">(.*?)</script>', page, re.DOTALL).group(1)


def test_what_was_measured_can_be_run_again_and_what_was_imported_says_why_not():
    measured = read_run(EXAMPLES / "quick-2-cores")
    page = render(summarise([measured])).replace(library(), "")
    recipe = page[page.index(">Run it again</h2>") :]
    assert "inferometer run" in recipe and measured.info.model.hash in recipe
    assert re.search(r"<th scope=\"row\">onnxrt on cpu</th><td class=\"text\">[^<]*onnxruntime==\d", recipe)
    assert "so there is no command to run again" not in recipe
    imported = replace(measured, info=msgspec.structs.replace(measured.info, source="imported"))
    assert "so there is no command to run again" in render(summarise([imported]))
