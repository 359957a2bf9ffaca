"""The commands as a user types them, over powercap trees of real files."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from inferometer.cli import invoke
from inferometer.energy.characterization.characterize import LoadTimes
from inferometer.energy.tools import list_meters
from powercap import drawing, make_zone


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path / "characterizations"))
    monkeypatch.delenv("INFEROMETER_MQTT", raising=False)
    zone = make_zone(tmp_path / "tree" / "intel-rapl:0", "package-0")
    with drawing(zone):
        yield str(tmp_path / "tree")


def python(code):
    return [sys.executable, "-c", code]


def measure(tree, *arguments):
    return invoke(["measure", "--powercap", tree, "--meter", "rapl", *arguments])


def test_measure_tells_time_energy_and_power_and_leaves_the_output_alone(tree, capfd, tmp_path):
    rows = tmp_path / "out.csv"
    code = "import time; print('mine'); time.sleep(0.5)"
    assert measure(tree, "--csv", str(rows), "--", *python(code)) == 0
    out, err = capfd.readouterr()
    assert out == "mine\n"
    assert err.startswith("time    ")
    assert "energy  package-0 (cpu, rapl): " in err and " W, counter" in err
    (row,) = csv.DictReader(rows.read_text().splitlines())
    assert float(row["low_j"]) <= 50 * float(row["time_s"]) <= float(row["high_j"]) * 1.05
    assert float(row["power_w"]) == pytest.approx(50, rel=0.2)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 128 + 15),
        ("", 0),
    ],
)
def test_the_childs_exit_status_is_preserved(tree, code, status):
    assert measure(tree, "--", *python(code)) == status


def test_repeats_are_summed_up_and_the_first_failure_is_kept(tree, capfd, tmp_path):
    flag = tmp_path / "ran"
    code = (
        f"import pathlib; p = pathlib.Path({str(flag)!r}); x = p.exists(); p.touch(); raise SystemExit(3 * x)"
    )
    assert measure(tree, "--repeat", "3", "--", *python(code)) == 3
    assert "3 runs)" in capfd.readouterr().err


def test_an_option_of_the_command_is_not_ours(tree, capfd):
    assert measure(tree, sys.executable, "--version") == 0
    assert capfd.readouterr().out.startswith("Python 3")


def test_without_a_meter_time_is_told_and_why(tmp_path, capfd):
    assert measure(str(tmp_path), "--", *python("")) == 0
    err = capfd.readouterr().err
    assert "energy  no meter: rapl: no powercap zones in" in err and "--powercap" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["measure"], "Missing argument"),
        (["measure", "--", "no-such-program"], "cannot run 'no-such-program'"),
        (["measure", "--repeat", "0", "--", "true"], "0 is not in the range"),
        (["measure", "--csv", "/nowhere/x.csv", "--", "true"], "cannot write /nowhere/x.csv"),
        (["measure", "--powercap", "/nosuch", "--", "true"], "--powercap /nosuch: there is no such folder"),
        (["meters", "--powercap", "/nosuch"], "--powercap /nosuch: there is no such folder"),
        (["measure", "--meter", "colour=red", "--", "true"], "unknown field of a meter 'colour'"),
        (
            ["meters", "--meter", "nothing", "characterize"],
            "unknown meter 'nothing' (known: amd, hwmon, jetson, mqtt, nvml, perf, rapl, redfish, served",
        ),
        (["measure", "--meter", "!nvlm", "--", "true"], "did you mean 'nvml'?"),
        (["meters", "--meter", "mqtt"], "mqtt needs an address"),
        (["meters", "--meter", "uid=nobody", "characterize"], "no meter"),
        (["run", "--meter", "nvlm"], "did you mean 'nvml'?"),
        (["run", "--meter", "mqtt://h:99999/x"], "no broker address"),
        (["meters", "publish", "http://x"], "no broker address"),
        (["meters", "publish", "mqtt://127.0.0.1:1/x", "--interval", "0"], "range"),
        (["meters", "no-such"], "unknown command of meters"),
    ],
)
def test_mistakes_are_one_line_and_an_exit_status(arguments, said, capfd, monkeypatch):
    monkeypatch.delenv("INFEROMETER_MQTT", raising=False)
    assert invoke(arguments) in (1, 2)
    out, err = capfd.readouterr()
    assert said in err and err.count("\n") == 1 and out == ""


def test_meters_lists_what_there_is_and_why_others_are_not(tree, capfd):
    assert invoke(["meters", "--powercap", tree]) == 0
    out = capfd.readouterr().out
    assert "rapl:package-0: package-0 (cpu, rapl), counter in J" in out
    assert (
        re.search(r"update: [\d.]+ ms \((as seen when it was opened|typical)", out) and "a read takes" in out
    )
    assert "wraps at 262,000 J" in out
    assert "Not available:" in out and "amd: amdsmi is not installed" in out
    assert invoke(["meters", "--powercap", tree, "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert rows[0]["uid"] == "rapl:package-0" and rows[0]["read_s"] > 0


def test_meters_characterize_stores_what_it_finds_and_the_list_quotes_it(tree, capfd, tmp_path, monkeypatch):
    monkeypatch.setattr(list_meters, "QUICK", LoadTimes(idle_s=1.0, watch_s=0.2, duty_s=0.05, settle_s=0.05))
    out = tmp_path / "c.json"
    arguments = [
        "meters",
        "--powercap",
        tree,
        "--meter",
        "rapl",
        "characterize",
        "--quick",
        "--out",
        str(out),
    ]
    assert invoke(arguments) == 0
    said = capfd.readouterr().out
    assert "half load, period 100 ms" in said and "stored in" in said
    (facts,) = json.loads(out.read_text())
    assert facts["idle"]["power_w"] == pytest.approx(50, rel=0.2)
    assert facts["load"].startswith("numpy")
    assert invoke(["meters", "--powercap", tree]) == 0
    assert "as measured 20" in capfd.readouterr().out
    assert invoke([*arguments, "--device", "cuda:3"]) == 2
    assert "no meter for device 'cuda:3' (known: cpu (rapl:package-0))" in capfd.readouterr().err


def test_interrupting_ends_the_command_and_still_reports(tree, tmp_path):
    ready = tmp_path / "ready"
    code = f"import pathlib, time; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    command = [sys.executable, "-m", "inferometer", "measure", "--powercap", tree, "--", *python(code)]
    child = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    while not ready.exists():
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode in (130, 1)
    assert "time    " in err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_us_alone_is_passed_on_and_ends_the_repetitions(number, status, tree, tmp_path):
    ready = tmp_path / "ready"
    code = (
        f"import os, pathlib, time; pathlib.Path({str(ready)!r}).write_text(str(os.getpid())); time.sleep(60)"
    )
    options = ["--powercap", tree, "--repeat", "3"]
    command = [sys.executable, "-m", "inferometer", "measure", *options, "--", *python(code)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not ready.exists() or not ready.read_text():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    child = int(ready.read_text())
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == status
    assert "stopped after 0 of 3 runs" in error
    assert not psutil.pid_exists(child)


@pytest.mark.parametrize(
    ("whole", "told"), [(0, "after 0 of 4 runs: nothing was measured"), (1, "after 1 of 4 runs")]
)
def test_ctrl_c_ends_the_repetitions_and_the_cut_run_is_in_no_mean(whole, told, tree, tmp_path):
    marks = tmp_path / "marks"
    script = f"echo x >> {marks}; [ $(wc -l < {marks}) -le {whole} ] || exec sleep 60"
    python_m = [sys.executable, "-m", "inferometer", "measure"]
    options = ["--powercap", tree, "--meter", "rapl"]
    process = subprocess.Popen(
        [*python_m, *options, "--repeat", "4", "--csv", str(tmp_path / "rows.csv"), "--", "sh", "-c", script],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (marks.exists() and marks.read_text().count("x") > whole):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the command too
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and told in error and "Traceback" not in error
    assert marks.read_text().count("x") == whole + 1
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 1 + whole


def test_a_command_that_answers_ctrl_c_with_success_is_the_last(tmp_path):
    from inferometer.energy.tools.measure import measure

    command = [sys.executable, "-c", "import os, signal; os.kill(os.getppid(), signal.SIGINT)"]
    runs = measure(command, repeat=3)
    assert (len(runs.runs), runs.status) == (1, 130)
