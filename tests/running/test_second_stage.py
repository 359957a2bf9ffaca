"""A run that goes on by itself, with real workers: rounds added, an interrupt in them, and what stays of the first stage."""

import msgspec
import pytest

from inferometer.frameworks import environments, requirements
from inferometer.planning.request import make_request
from inferometer.results.resolution import SecondStage
from inferometer.running.progress.observer import SilentObserver
from inferometer.running.run import execute, resume

pytestmark = pytest.mark.environment


class Watching(SilentObserver):
    def __init__(self, stop_at=None):
        self.said, self.begun, self.ended, self.stop_at = [], [], [], stop_at

    def preparing(self, text):
        self.said.append(text)

    def started(self, cells, nominal_s):
        self.begun.append(len(cells))

    def cell_phase(self, cell, round_number, phase):
        if round_number == self.stop_at:
            raise KeyboardInterrupt

    def cell_ended(self, record):
        self.ended.append((record.round, record.status))


@pytest.fixture
def request_(tiny_model, tmp_path):
    environments.ensure(requirements.read("onnxrt", "cpu"), tmp_path / "log", lambda text: None)
    protocol = {"images": 4, "loops": 2, "warmup": 1, "threads": 1}
    request = make_request(tiny_model, preset="standard", batch_sizes="2", frameworks="onnxrt", **protocol)
    numbers = msgspec.structs.replace(request.protocol, rounds=1, most_rounds=3)
    return msgspec.structs.replace(request, protocol=numbers)


@pytest.fixture
def noisy(monkeypatch):
    """Let the first stage's noise ask for three rounds; return with which numbers it was asked."""
    asked = []

    def second_stage(results, rounds, most):
        asked.append((len(results.summaries), rounds, most))
        return SecondStage(3, "going on to 3")

    monkeypatch.setattr("inferometer.running.run.second_stage", second_stage)
    return asked


def test_a_noisy_run_goes_on_once(request_, noisy, tmp_path):
    watching = Watching()
    stored = execute(request_, tmp_path / "run", watching)
    assert watching.begun == [1, 2] and "going on to 3" in watching.said
    assert [(r.round, r.status) for r in stored.records] == [(0, "ok"), (1, "ok"), (2, "ok")]
    assert stored.info.protocol.rounds == 3 and stored.missing == ()
    assert stored.info.request["protocol"]["rounds"] == 1
    assert resume(stored.path, Watching()).records == stored.records
    assert noisy == [(1, 1, 100)], "asked again, by rounds that it had itself added"
    assert not (stored.path / "compile-cache").exists()


def test_code_that_a_killed_process_had_compiled_is_not_found_by_the_next(request_, tmp_path, monkeypatch):
    monkeypatch.setattr("inferometer.running.run.second_stage", lambda *asked: None)
    first = execute(request_, tmp_path / "run", SilentObserver())
    left = first.path / "compile-cache" / "onnxrt-cpu" / "code.so"
    left.parent.mkdir(parents=True)
    left.write_text("")

    class Looking(SilentObserver):
        def started(self, cells, nominal_s):
            found.append(left.exists())

    found = []
    resume(first.path, Looking())
    assert found == [False]


def test_a_kill_between_the_stages_loses_neither(request_, noisy, tmp_path, monkeypatch):
    with monkeypatch.context() as quiet:
        quiet.setattr("inferometer.running.run.second_stage", lambda *asked: None)
        first = execute(request_, tmp_path / "run", SilentObserver())
    watching = Watching()
    stored = resume(first.path, watching)
    assert watching.begun == [0, 2] and stored.records[:1] == first.records
    assert stored.info.notes == ("going on to 3",) and stored.info.protocol.rounds == 3
    assert resume(first.path, SilentObserver()).info.notes == ("going on to 3",)


def test_an_interrupted_second_stage_is_resumed_to_its_end(request_, noisy, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        execute(request_, tmp_path / "run", Watching(stop_at=1))
    watching = Watching()
    stored = resume(tmp_path / "run", watching)
    assert watching.begun == [2] and watching.ended == [(1, "ok"), (2, "ok")]
    assert [(r.round, r.status) for r in stored.records] == [
        (0, "ok"), (1, "interrupted"), (1, "ok"), (2, "ok")
    ]  # fmt: skip
    assert len(noisy) == 1


def test_a_number_that_is_asked_for_stays(tiny_model):
    asked = {"preset": "standard", "batch_sizes": "8", "frameworks": "onnxrt"}
    assert make_request(tiny_model, rounds=3, **asked).protocol.most_rounds == 0
    assert make_request(tiny_model, rounds=None, **asked).protocol.most_rounds == 20
