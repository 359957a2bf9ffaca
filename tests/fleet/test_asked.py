"""What a command for a cluster says at once, before anybody is connected to; and of an address where no cluster is."""

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from inferometer.cli import invoke
from inferometer.fleet.address import asks_for_token
from parts import needed

NOWHERE = "127.0.0.1:9"  # the port of `discard`, where nobody listens


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def told(capsys, *arguments, code=2):
    """Return the one line that a command ends with."""
    assert invoke(["run", *map(str, arguments)]) == code
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    "address",
    ["", "head", "ray://", "ray://head", "ray://head:", "ray://head:x", "head:0", "head:65536", "http://head:8265", "LOCAL"],
)  # fmt: skip
@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--resume", "fleet-12345678")])
def test_what_is_no_address_is_said(capsys, address, more):
    said = told(capsys, "--cluster", address, *more)
    assert f"--cluster '{address}': give ray://HOST:PORT (10001 usually)" in said


def test_ray_s_own_variable_says_which_cluster_is_the_local_one(capsys, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")  # of Ray's jobs
    assert "RAY_ADDRESS 'http://127.0.0.1:8265': give ray://" in told(capsys, "--cluster", "local")
    monkeypatch.setenv("RAY_ADDRESS", f"ray://{NOWHERE}")
    needed("ray")
    assert f"--cluster ray://{NOWHERE}: no Ray cluster answers" in told(capsys, "--cluster", "local")


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize("nodes", ["", "0", "gpu=", "ALL"])
def test_what_is_no_choice_of_nodes_is_said(capsys, nodes, dry):
    said = told(capsys, "--cluster", NOWHERE, "--nodes", nodes, *dry)
    assert f"--nodes '{nodes}': give all, how many of each kind, or gpu=NAME,NAME" in said


def test_nodes_of_no_cluster_are_said(capsys):
    assert "--nodes all is for --cluster" in told(capsys, "--nodes", "all")


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    "asked, cause",
    [
        (["nosuch.onnx"], "nosuch.onnx does not exist"),
        (["--frameworks", "nothing"], "unknown framework 'nothing'"),
    ],
)
def test_what_no_node_could_measure_is_said_once(capsys, asked, cause, dry):
    assert cause in told(capsys, "--cluster", NOWHERE, *asked, *dry)


def test_a_folder_in_use_is_said(capsys, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "notes").touch()
    assert "own is not empty" in told(capsys, "--cluster", NOWHERE, "--out", "own")


def test_what_is_no_fleet_cannot_be_gone_on_with(capsys, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "file").touch()
    for name in ("own", "file"):
        assert f"{name} is no fleet's folder" in told(capsys, "--cluster", NOWHERE, "--resume", name)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "\x00", '{"name": 1}'])
def test_a_damaged_fleet_cannot_be_gone_on_with(capsys, tmp_path, content):
    (tmp_path / "fleet.json").write_text(content)
    assert "fleet.json cannot be read (" in told(capsys, "--cluster", NOWHERE, "--resume", ".", code=1)


def test_a_fleet_is_gone_on_with_on_a_cluster(capsys, tmp_path):
    (tmp_path / "fleet.json").write_text(json.dumps({"name": "fleet"}))
    assert "is a run over a cluster: add --cluster ADDRESS" in told(capsys, "--resume", ".")


def test_where_nobody_listens_is_said(capsys):
    needed("ray")
    said = told(capsys, "--cluster", NOWHERE)
    assert "no Ray cluster answers (Connection refused)" in said


@pytest.fixture
def web_server():
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.RequestHandlerClass.log_message = lambda *arguments: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_another_server_is_told_from_a_cluster(capsys, web_server, scheme):
    needed("ray")
    said = told(capsys, "--cluster", f"{scheme}127.0.0.1:{web_server}")
    assert "no Ray cluster answers (something else does)" in said


@contextlib.contextmanager
def service(*handlers):
    """A server of gRPC, as all of Ray's are."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    server = grpc.server(ThreadPoolExecutor(1), handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None)


@pytest.fixture
def other_service():
    """One that knows none of the calls."""
    needed("ray")
    with service() as port:
        yield port


@pytest.fixture
def guarded():
    """One that asks for a token."""
    needed("ray")
    import grpc

    class Guard(grpc.GenericRpcHandler):
        def service(self, details):
            def refuse(request, context):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")

            return grpc.unary_unary_rpc_method_handler(refuse)

    with service(Guard()) as port:
        yield port


@pytest.mark.parametrize(
    "scheme, remedy", [("", "Ray's client server, if of Ray at all; give ray://127.0.0.1"), ("ray://", "the cluster's head, if of Ray at all; leave out ray://")]
)  # fmt: skip
def test_the_port_of_another_part_of_ray_is_said_with_a_remedy(capsys, other_service, scheme, remedy):
    assert remedy in told(capsys, "--cluster", f"{scheme}127.0.0.1:{other_service}")


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_token_that_is_missing_is_said(guarded, tmp_path, scheme):
    address = f"{scheme}127.0.0.1:{guarded}"
    others = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run(  # Ray reads its variables once
        [sys.executable, "-m", "inferometer", "run", "--cluster", address], capture_output=True, text=True, check=False, timeout=240,
        env={**others, "HOME": str(tmp_path), "RAY_AUTH_MODE": "token"},
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"--cluster {address}: Ray's token is missing here" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_what_asks_for_a_token_is_told_from_what_does_not(guarded, other_service, scheme):
    assert asks_for_token(f"{scheme}127.0.0.1:{guarded}")
    assert not asks_for_token(f"{scheme}127.0.0.1:{other_service}")
