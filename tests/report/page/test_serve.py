import http.client
import os
import signal
import socket
import subprocess
import sys

import pytest

import simulated_runs as simulated
from evaluated_runs import evaluated_run
from inferometer.cli import invoke
from inferometer.errors import UsageError
from inferometer.report.page import live as live_module
from inferometer.report.page.live import LiveFolder
from inferometer.report.page.serve import is_local, open_server
from inferometer.storage.run_directory import RunWriter, read_run
from inferometer.storage.scenarios import append_scenario
from live_server import serving
from loaded_runs import one_test
from loaded_runs import server as result

SMALL = {"frameworks": ("tf", "onnxrt"), "precisions": ("fp32",), "batch_sizes": (8, 16), "rounds": 2}


@pytest.fixture
def folder(tmp_path):
    simulated.write_run(tmp_path / "a", simulated.BOARDS[0], **SMALL, keep=5)
    return tmp_path


@pytest.fixture
def server(folder):
    with serving(folder) as running:
        yield running


def get(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_tag_changes_with_the_folder_only(folder):
    live = LiveFolder(folder)
    first = live.snapshot()
    assert live.snapshot() is first
    simulated.write_run(folder / "b", simulated.BOARDS[1], **SMALL)
    second = live.snapshot()
    assert second.tag != first.tag
    assert b"Tesla V100" in second.body
    assert b"Tesla V100" not in first.body


def test_results_under_load_and_accuracy_appear_as_they_come(tmp_path):
    run = evaluated_run(tmp_path / "r", [1, 2, 3], {("onnxrt", "fp32"): [1, 2, 3]})
    evaluated = (run.path / "accuracy.jsonl").read_bytes()
    (run.path / "accuracy.jsonl").unlink()
    live = LiveFolder(tmp_path)
    before = live.snapshot()
    (run.path / "accuracy.jsonl").write_bytes(evaluated)
    after = live.snapshot()
    assert b"table-accuracy" in after.body and b"table-accuracy" not in before.body
    append_scenario(run.path, result("onnxrt", [one_test(10, 0.01)]))
    assert b"Under load" in live.snapshot().body and b"Under load" not in after.body


def test_only_the_run_that_changed_is_read_again(folder, monkeypatch):
    simulated.write_run(folder / "b", simulated.BOARDS[1], **SMALL)
    read = []
    monkeypatch.setattr(live_module, "read_run", lambda path: (read.append(path.name), read_run(path))[1])
    live = LiveFolder(folder)
    live.snapshot()
    records = read_run(folder / "b").records
    RunWriter(folder / "a").append(read_run(folder / "a").records[-1])
    live.snapshot()
    assert read == ["a", "b", "a"]
    assert records


def test_progress_of_an_unfinished_run_is_shown(folder):
    body = LiveFolder(folder).snapshot().body.decode()
    assert 'max="8" value="5"' in body
    assert "5 of 8 cells and rounds ended" in body


def test_a_damaged_run_is_named_and_left_out(folder):
    (folder / "broken").mkdir()
    (folder / "broken" / "run.json").write_text("{")
    body = LiveFolder(folder).snapshot().body.decode()
    assert "Left out: " in body
    assert "is damaged or no inferometer run" in body
    assert "NVIDIA A2" in body


def test_an_empty_folder_says_how_to_begin(tmp_path):
    body = LiveFolder(tmp_path).snapshot().body.decode()
    assert "inferometer run --out" in body


def test_page_and_body(server):
    answer, page = get(server, "/")
    assert answer.status == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert page.startswith(b"<!doctype html>")
    assert b"connect-src &#39;self&#39;" in page
    assert f'data-tag="&#34;{answer.headers["ETag"][1:-1]}&#34;"'.encode() in page
    answer, body = get(server, "/body")
    assert answer.status == 200
    assert b"<html" not in body
    assert b"NVIDIA A2" in body


def test_unchanged_body_is_not_sent_again(server):
    tag = get(server, "/body")[0].headers["ETag"]
    answer, body = get(server, "/body", **{"If-None-Match": tag})
    assert (answer.status, body) == (304, b"")


def test_head_has_no_content(server):
    answer, body = get(server, "/", "HEAD")
    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) > 300_000
    assert body == b""


@pytest.mark.parametrize("path", ["/../run.json", "/a/run.json", "/favicon.ico"])
def test_nothing_else_is_served(server, path):
    answer, body = get(server, path)
    assert (answer.status, body) == (404, b"there is only / here\n")


def test_writing_is_refused(server):
    assert get(server, "/", "POST")[0].status == 501


def test_a_strangers_name_for_this_machine_is_refused(server):
    answer, body = get(server, "/", Host="evil.example")
    assert answer.status == 403
    assert b"local names only" in body
    assert get(server, "/", Host="localhost:1")[0].status == 200


def test_local_addresses():
    assert [is_local(host) for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8")] == [True] * 4
    assert [is_local(host) for host in ("0.0.0.0", "192.168.1.1", "example.org", "")] == [False] * 4


def test_a_port_in_use_is_one_line(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 is in use; give another --port"):
            open_server(LiveFolder(tmp_path), "127.0.0.1", port)
        assert invoke(["serve", str(tmp_path), "--port", str(port)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_wrong_arguments_are_one_line(tmp_path, capsys):
    assert invoke(["serve", str(tmp_path / "none")]) == 2
    assert invoke(["serve", str(tmp_path), "--port", "70000"]) == 2
    assert invoke(["serve", str(tmp_path), "--host", "999.1.1.1", "--port", "0"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "is no folder; give the folder that holds your run directories" in lines[0]


def test_ctrl_c_stops_cleanly(folder):
    process = subprocess.Popen(
        [sys.executable, "-m", "inferometer", "serve", str(folder), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout.readline().startswith(f"Serving {folder} on http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "stopped\n", "")


SLOW = """
import sys, time
from pathlib import Path
from inferometer.cli import main
from inferometer.report.page.live import LiveFolder

def slowly(self):
    print("rendering", flush=True)
    time.sleep(0.5)
    raise OSError("too late")

LiveFolder.snapshot = slowly
main(["serve", sys.argv[1], "--port", "0"])
"""


def test_ctrl_c_while_somebody_waits_for_the_page_stops_cleanly(folder):
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", SLOW, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    port = int(process.stdout.readline().partition("127.0.0.1:")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert process.stdout.readline() == "rendering\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_what_a_page_puts_in_place_of_the_old_is_what_a_new_page_holds(folder):
    found = LiveFolder(folder).snapshot()
    assert b"<h2" in found.body and found.page.count(found.body) == 1
