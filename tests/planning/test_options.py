"""One table: what the command line, Python and the request know of an option is the same, and an entry is enough."""

import inspect
import json
import shlex
from operator import attrgetter

import pytest

import inferometer
from inferometer.cli import invoke
from inferometer.cli.run import run_command
from inferometer.energy.view import MeterNeeds
from inferometer.errors import UsageError
from inferometer.planning import kinds, options
from inferometer.planning.options import OPTIONS, Option
from inferometer.planning.request import RunRequest, from_builtins, make_request, to_builtins
from inferometer.planning.signature import shows_options
from inferometer.running.monitoring.meters import meter_needs

# what is not of the measurement: where it takes place, where it goes, and how it is shown
COMMAND_ONLY = {"model", "out", "resumed", "dry_run", "report", "cluster", "nodes"}
PYTHON_ONLY = {"model", "out", "observer", "example_inputs"}


def test_the_command_line_and_python_have_the_same_options():
    command = {parameter.name for parameter in run_command.params} - COMMAND_ONLY
    python = set(inspect.signature(inferometer.run).parameters) - PYTHON_ONLY
    assert command == python == set(OPTIONS)


def test_python_knows_each_by_keyword_with_its_default():
    parameters = inspect.signature(inferometer.run).parameters
    assert next(iter(parameters)) == "model"
    for name, option in OPTIONS.items():
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default == option.default
        assert f"{name}: {option.help}" in inferometer.run.__doc__
    assert str(inspect.signature(inferometer.run)).startswith(
        "(model: 'Any' = 'mobilenet_v3_large', *, preset:"
    )


def test_type_checkers_know_each():
    assert set(inspect.get_annotations(options.Options)) == set(OPTIONS)


def test_each_fills_a_field_that_the_request_has():
    filled = [field for option in OPTIONS.values() for field in option.fills]
    assert len(filled) == len(set(filled))
    for field in filled:
        attrgetter(field)(RunRequest())
    others = {"model", "protocol", "load"}
    assert {field for field in filled if "." not in field} == set(RunRequest.__struct_fields__) - others


def test_a_default_is_what_a_stored_request_without_the_field_means():
    made, bare = make_request(), RunRequest()
    for option in OPTIONS.values():
        for field in option.fills if option.default is not None else ():
            assert attrgetter(field)(made) == attrgetter(field)(bare), field


def test_the_command_line_asks_for_what_python_asks_for(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("inferometer.cli.run._print_plan", asked.append)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").mkdir()  # of --powercap, which is looked at first
    words = shlex.split(
        "run net.onnx --preset quick --frameworks torch,onnxrt --batch-sizes 1..4 --precisions fp32,int8 "
        "--modes host,device --device cpu,cuda:1 --at-once --images 9 --loops 2 --warmup 0 --rounds 2 --budget 1.5 "
        "--timeout 60 --time-limit 90 --energy-window 8 --threads 1 --seed 7 --keep-trying --weights w.h5 --image a.jpg --image b "
        "--input x.npz --shape n=4 --shape m=5 --batch-axis s=1 --batch-axis r=none --input-range ids=0:9 --input-range r=16000 --tolerance 0.05 --trust-model --architecture timm:x --python torch=py --calibration c.npz "
        "--dataset d.csv --labels l.txt --preprocess size=8,mean=0.5 "
        "--scenarios server,offline --latency-bound 20ms,0.5s --percentile 95 --scenario-preset standard --max-batch 1,8 "
        "--max-wait-ms 0,2.5 --padding none --instances 1,2 --audit "
        "--accelerator cuda12 --meter nvml --meter !rapl --powercap p"
    )
    assert invoke([*words, "--dry-run"]) == 0
    python = make_request(
        "net.onnx", preset="quick", frameworks=["torch", "onnxrt"], batch_sizes=[1, 2, 4], precisions=("fp32", "int8"),
        modes=("host", "device"), device=["cpu", "cuda:1"], at_once=True, images=9, loops=2, warmup=0, rounds=2,
        budget_s=1.5, timeout_s=60, time_limit_s=90, energy_window_s=8, threads=1, seed=7, keep_trying=True, weights="w.h5",
        image=["a.jpg", "b"], inputs="x.npz", shapes={"n": 4, "m": 5}, batch_axes={"s": 1, "r": None},
        input_ranges={"ids": (0, 9), "r": 16000}, tolerance=0.05, trust_model=True, architecture="timm:x", python={"torch": "py"}, calibration="c.npz",
        accelerator="cuda12", meters=["nvml", "!rapl"], powercap="p", dataset="d.csv", labels="l.txt",
        preprocess={"size": 8, "mean": 0.5}, scenarios=["server", "offline"], latency_bound=[0.02, "500ms"], percentile=95,
        scenario_preset="standard", max_batch=[1, 8], max_wait_ms=[0, 2.5], padding="none", instances=[1, 2], audit=True,
    )  # fmt: skip
    assert asked == [python]
    assert {word for word in words if word.startswith("--")} == {option.flag for option in OPTIONS.values()}
    assert invoke(["run", "--dry-run"]) == 0
    assert asked[1] == make_request()


def test_an_energy_window_of_the_users_is_planned_and_kept(capsys):
    words = shlex.split("run --dry-run --preset quick --frameworks onnxrt --device cpu --batch-sizes 8")
    short = ["--budget", "0", "--rounds", "1"]
    assert invoke([*words, *short, "--energy-window", "600"]) == 0
    assert "about 10 min 00 s a round" in capsys.readouterr().out
    stored = from_builtins(json.loads(json.dumps(to_builtins(make_request(energy_window_s=600)))))
    assert meter_needs(stored, ["cpu"], Meters())["cpu"].window_s == 600
    assert meter_needs(make_request(), ["cpu"], Meters())["cpu"].window_s == 5
    assert invoke([*words, "--energy-window", "-1"]) == 2
    assert "--energy-window -1 is no time: give seconds" in capsys.readouterr().err


class Meters:
    def needs(self, device):
        return MeterNeeds(window_s=5)


def test_what_is_no_option_is_an_error_of_the_program():
    with pytest.raises(TypeError, match=r"run\(\) got an unexpected keyword argument 'batchsizes'"):
        inferometer.run("net.onnx", batchsizes=8)


def test_none_is_not_given():
    assert make_request(**dict.fromkeys(OPTIONS)) == make_request()


def test_an_entry_is_enough(monkeypatch, capsys):
    """`least_loops` of the protocol has no option; with an entry in the table it has one everywhere."""
    entry = Option(
        "--least-loops", kinds.whole(1, 9), "Loops that a budget leaves.", ("protocol.least_loops",)
    )
    monkeypatch.setitem(OPTIONS, "least_loops", entry)
    monkeypatch.setattr(options, "_HINTS", {**options._HINTS, "least_loops": options._HINTS["loops"]})
    monkeypatch.setitem(
        options.GROUPS, "How it is measured", (*options.GROUPS["How it is measured"], "least_loops")
    )

    assert make_request(least_loops=2).protocol.least_loops == 2
    assert json.loads(json.dumps(to_builtins(make_request(least_loops=2))))["protocol"]["least_loops"] == 2
    with pytest.raises(UsageError, match="--least-loops 10 is too large: give at most 9"):
        make_request(least_loops=10)

    @shows_options
    def run(model, **given):
        """Measure."""

    assert inspect.signature(run).parameters["least_loops"].default is None
    assert "least_loops: Loops that a budget leaves." in run.__doc__

    command = _built_anew(monkeypatch)
    assert command.make_context("run", ["--least-loops", "2"]).params["least_loops"] == 2
    assert "--least-loops INTEGER" in command.make_context("run", []).get_help()


def _built_anew(monkeypatch):
    import click

    from inferometer.cli.options import GroupedCommand, all_options

    return click.command("run", cls=GroupedCommand)(all_options(lambda **words: words))
