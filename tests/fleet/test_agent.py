"""What holds a node: it looks after the process that measures."""

import contextlib
import errno
import os
import resource
import shutil
import subprocess
import sys
import time

import pytest

from evaluated_runs import evaluated_run
from inferometer.errors import StoreError
from inferometer.fleet import agent as agents
from inferometer.fleet.agent import Agent
from inferometer.fleet.folder import Mirror
from inferometer.fleet.node_facts import parts_of
from inferometer.fleet.node_run import EventWriter
from inferometer.fleet.process import Process
from inferometer.planning.request import make_request, to_builtins
from inferometer.storage.cache import cache_folder
from inferometer.storage.evaluations import answers_file, read_arrays, read_evaluations

ENDS = [
    sys.executable,
    "-c",
    "import sys; sys.stdin.readline(); sys.exit(1)",
]  # once it has a folder, or its input is closed


@pytest.fixture
def agent(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path))
    with subprocess.Popen(ENDS, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        agent = Agent("fleet", "node", Process(child))
        agent.child = child
        yield agent
        child.kill()


def test_a_poll_ends_as_soon_as_the_run_does(agent):
    assert agent.poll(0, {}, 0.01)["status"] is None
    agent.child.stdin.close()
    began = time.monotonic()
    assert agent.poll(0, {}, 300)["status"] == 1
    assert time.monotonic() - began < 200


def test_of_models_that_are_here_those_of_the_run_were_asked_for_last(agent, tmp_path):
    for place, at in (("wanted", 1), ("other", 2)):
        (tmp_path / "models" / place).mkdir(parents=True)
        os.utime(tmp_path / "models" / place, (at, at))
    assert agent.lacking([("models", "wanted"), ("models", "absent")]) == [("models", "absent")]
    assert max((tmp_path / "models").iterdir(), key=os.path.getmtime).name == "wanted"


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_where_the_kernel_tells_no_end_a_poll_takes_its_time(agent, monkeypatch, code):
    def refused(process):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pidfd_open", refused, raising=False)
    assert agent.poll(0, {}, 0.01)["status"] is None
    agent.child.kill()
    agent.child.wait()
    assert agent.poll(0, {}, 0.01)["status"] == -9


def test_whatever_ends_comes_with_the_next_poll_and_what_an_evaluation_names_with_it(agent, tmp_path):
    source = tmp_path / "source"
    evaluated_run(source, [1], {("onnxrt", "fp32"): [1], ("openvino", "fp32"): [2]})
    first, second = (source / "accuracy.jsonl").read_bytes().splitlines(keepends=True)
    run = tmp_path / "fleet" / "fleet" / "node" / "run"
    (run / "accuracy").mkdir(parents=True)
    shutil.copytree(source / "accuracy", run / "accuracy", dirs_exist_ok=True)
    shutil.copy(source / "run.json", run)
    (run / "accuracy.jsonl").write_bytes(first + second[:10])  # the writer is at it
    (run / "scenarios.jsonl").write_bytes(b"one\n")
    mirror = Mirror(tmp_path / "here")
    mirror.take(agent.poll(*mirror.position, 0))
    assert (mirror.path / "accuracy.jsonl").read_bytes() == first
    (found,) = read_evaluations(mirror.path)
    assert len(read_arrays(mirror.path, found.file, found.rows)) == 1, "its file came before the run ended"
    assert read_arrays(mirror.path, answers_file(found.dataset), found.rows)
    (run / "accuracy.jsonl").write_bytes(first + second)
    with (run / "scenarios.jsonl").open("ab") as file:
        file.write(b"two\n")
    mirror.take(agent.poll(*mirror.position, 0))
    assert (mirror.path / "accuracy.jsonl").read_bytes() == first + second
    assert (mirror.path / "scenarios.jsonl").read_bytes() == b"one\ntwo\n"
    assert not agent.poll(*mirror.position, 0)["more"]


def test_other_files_come_a_few_at_a_time_and_one_that_is_too_large_is_told(agent, tmp_path, monkeypatch):
    monkeypatch.setattr(agents, "_MOST_BYTES", 100)
    monkeypatch.setattr(agents, "_MOST_FILE_BYTES", 2**20)
    run = tmp_path / "fleet" / "fleet" / "node" / "run"
    (run / "logs").mkdir(parents=True)
    for name, size in (("a", 60), ("b", 30), ("c", 90), ("d", 2**20), ("e", 2**20 - 1), ("f", 1)):
        (run / "logs" / name).write_bytes(bytes(size))
    for name in ("run.json", "cells.jsonl", "scenarios.jsonl", "accuracy.jsonl", ".lock"):
        (run / name).touch()
    answers, number = [], 0
    while number is not None:
        answers.append(agent.files(number))
        number = answers[-1]["next"]
    assert [[name for name, _ in answer["files"]] for answer in answers] == [
        ["logs/a", "logs/b"],
        ["logs/c"],
        ["logs/e"],
        ["logs/f"],
    ]
    assert [name for answer in answers for name in answer["left_out"]] == ["logs/d (1 MiB)"]


@contextlib.contextmanager
def full_disk(most_bytes):
    """A disk that takes so much of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_run_that_cannot_say_why_it_ended_has_a_cause_all_the_same(agent, tmp_path, monkeypatch):
    folder = cache_folder("fleet", "fleet", "node")
    (folder / "child.log").write_text("KeyError: of an earlier session\n")
    agent.start(to_builtins(make_request("mobilenet_v3_large")), {}, {"name": "fleet"})
    EventWriter(folder / "events.jsonl").write(at="measuring")
    with full_disk(0):
        EventWriter(folder / "events.jsonl").write(at="failed", error="the disk is full")
    agent.child.wait()
    assert agent.poll(0, {}, 0)["event"] == {"at": "measuring", "error": "its run left with status 1"}
    full = shutil.disk_usage(folder)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    told = agent.poll(0, {}, 0)["event"]["error"]
    assert told == "its run left with status 1: 1 MiB are free for its cache"


def test_the_last_line_of_its_log_is_the_cause_of_a_run_that_ends_in_an_error_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-m", "inferometer.fleet.child", "fleet", "0"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as child:  # fmt: skip
        agent = Agent("fleet", "node", Process(child))
        folder = cache_folder("fleet", "fleet", "node")
        (folder / "request.json").write_text("{")  # nothing that is expected
        Process(child).measure(folder)
        child.wait(timeout=60)
        told = agent.poll(0, {}, 0)["event"]["error"]
    assert told.startswith("its run left with status 1: json.decoder.JSONDecodeError: ")
    assert told.endswith(f"; more in {folder / 'child.log'} there")


def test_a_disk_that_fills_up_makes_no_node_forget_the_part_that_it_keeps(agent):
    request = to_builtins(make_request("mobilenet_v3_large", frameworks="onnxrt"))
    facts = {"name": "fleet", "nodes": {"node": {"hostname": "node"}}}
    agent.start(request, {}, facts)
    more = {f"node-{number}": {"hostname": f"node-{number}"} for number in range(30)}  # which came late
    with (
        full_disk(80),
        pytest.raises(OSError, match="large"),
    ):
        agent.start(request, {}, {**facts, "nodes": more})
    assert parts_of("fleet") == {"node": facts}


def test_a_disk_that_fills_up_here_keeps_the_copy_of_an_earlier_session(tmp_path):
    answer = {"info": b"{}", "info_at": 1, "files": [], "lines": {"cells.jsonl": b"one\n"}}
    Mirror(tmp_path).take(answer)
    copy = tmp_path / "cells.jsonl"
    with full_disk(1), pytest.raises(StoreError, match="cannot write"):
        Mirror(tmp_path).take({**answer, "info": None, "lines": {"cells.jsonl": b"one\ntwo\n"}})
    assert copy.read_bytes() == b"one\n"


@pytest.fixture
def resumed(agent, tmp_path, monkeypatch):
    """Return the folder of a part on its node, and the copy of two of its records that an earlier session has left here."""
    monkeypatch.setattr(agents, "_MOST_BYTES", 4)  # a line
    run = tmp_path / "fleet" / "fleet" / "node" / "run"
    run.mkdir(parents=True)
    (run / "cells.jsonl").write_bytes(b"one\ntwo\n")
    (run / "run.json").write_bytes(b"{}")
    before = Mirror(tmp_path / "here")
    for _ in range(2):
        before.take(agent.poll(*before.position, 0))
    return run / "cells.jsonl", tmp_path / "here" / "cells.jsonl"


def test_a_node_that_dies_while_its_records_come_again_takes_none_from_the_copy(agent, resumed):
    kept, copy = resumed
    with kept.open("ab") as file:
        file.write(b"six\n")
    mirror = Mirror(copy.parent)
    seen = []
    for _ in range(4):
        mirror.take(agent.poll(*mirror.position, 0))
        seen.append(copy.read_bytes())
    assert seen == [b"one\ntwo\n", b"one\ntwo\n", b"one\ntwo\nsix\n", b"one\ntwo\nsix\n"]
    assert sorted(path.name for path in copy.parent.iterdir()) == ["cells.jsonl", "run.json"]


def test_records_that_a_node_has_lost_stay_here_until_its_run_has_ended_well(agent, resumed):
    kept, copy = resumed
    kept.write_bytes(b"one\n")
    mirror = Mirror(copy.parent)
    for status in (None, None, 1, 0):
        assert copy.read_bytes() == b"one\ntwo\n"
        mirror.take({**agent.poll(*mirror.position, 0), "status": status})
    assert copy.read_bytes() == b"one\n", "what it has is all of it"


def test_a_part_that_is_empty_on_its_node_leaves_the_copy_as_it_is(agent, resumed):
    kept, copy = resumed
    kept.unlink()
    mirror = Mirror(copy.parent)
    mirror.take(agent.poll(*mirror.position, 0))
    assert copy.read_bytes() == b"one\ntwo\n"
    kept.write_bytes(b"one\ntwo\nsix\n")
    for _ in range(3):
        mirror.take(agent.poll(*mirror.position, 0))
    assert copy.read_bytes() == b"one\ntwo\nsix\n"


def test_records_that_cannot_be_read_on_a_node_are_not_none(agent, resumed):
    kept, _ = resumed
    kept.unlink()
    kept.mkdir()
    with pytest.raises(IsADirectoryError):
        agent.poll(0, {}, 0)


def test_a_name_means_itself_also_with_characters_of_patterns(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path))
    for name in ("run[1]", "run1"):
        folder = tmp_path / "fleet" / name / "node"
        folder.mkdir(parents=True)
        (folder / "fleet.json").write_text(f'{{"name": "{name}"}}')
    assert parts_of("run[1]") == {"node": {"name": "run[1]"}}
