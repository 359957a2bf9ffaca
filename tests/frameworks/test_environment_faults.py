"""Environments that cannot be built, are damaged, or whose build is ended."""

import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from inferometer.cli import invoke
from inferometer.errors import EnvironmentBuildError
from inferometer.frameworks import environments, requirements
from inferometer.frameworks.requirements import Requirements


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))


def test_a_failed_build_leaves_nothing_half_built(tmp_path):
    wanted = Requirements("broken", "cpu", (f"nothing @ file://{tmp_path}/no.whl",))
    killed = environments.locate(wanted)
    killed.with_name(f"{killed.name}.partial-1").mkdir()
    with pytest.raises(EnvironmentBuildError, match="cannot build environment 'broken'") as caught:
        environments.ensure(wanted, tmp_path / "log", lambda text: None)
    assert "\n" not in str(caught.value)
    assert not environments.is_built(wanted)
    assert [p.name for p in environments.environments_folder().iterdir() if p.is_dir()] == []


def test_no_network_says_so_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    with pytest.raises(EnvironmentBuildError, match=r"registry cannot be reached.*--python onnxrt=PATH"):
        environments.ensure(requirements.read("onnxrt", "cpu"), tmp_path / "log", lambda text: None)


def test_a_python_that_is_not_there_is_a_reason(tmp_path):
    wanted = Requirements("future", "cpu", ("x==1",), python=">=3.99")
    with pytest.raises(EnvironmentBuildError, match=r"needs Python >=3.99.*--python future=PATH"):
        environments.find_interpreter(wanted)


def test_an_unwritable_cache_is_one_line(package, tmp_path, monkeypatch):
    from inferometer.errors import StoreError

    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("INFEROMETER_CACHE", str(blocker))
    with pytest.raises(StoreError, match="INFEROMETER_CACHE"):
        environments.ensure(package, tmp_path / "log", lambda text: None)


def test_a_child_inherits_nothing_that_changes_a_framework(monkeypatch):
    from inferometer.running.processes.child import child_environment

    for name in (
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "OMP_NUM_THREADS",
        "TF_ENABLE_ONEDNN_OPTS",
        "CUDA_VISIBLE_DEVICES",
    ):
        monkeypatch.setenv(name, "mine")
    own = child_environment({"OMP_NUM_THREADS": "2"})
    assert "mine" not in own.values() and own["OMP_NUM_THREADS"] == "2" and own["PATH"] == os.environ["PATH"]
    assert child_environment({}, foreign=True)["LD_LIBRARY_PATH"] == "mine"


def test_an_environment_whose_python_is_gone_is_built_anew(package, tmp_path):
    said = []
    built = environments.ensure(package, tmp_path / "log", said.append)
    built.python.unlink()
    built.python.symlink_to(tmp_path / "upgraded-away" / "python3")
    assert not environments.is_built(package)
    [listed] = environments.list_installed()
    assert not listed.is_whole
    again = environments.ensure(package, tmp_path / "log", said.append)
    assert "its Python is gone; it is built anew" in said[1] and environments.list_installed()[0].is_whole
    assert subprocess.check_output([again.python, "-c", "import tiny; print(tiny.VALUE)"]) == b"1\n"


def test_sigterm_ends_a_build_and_the_installer_with_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a registry that never answers
        registry = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        build = subprocess.Popen(
            [sys.executable, "-m", "inferometer", "env", "build", "litert"],
            env={**os.environ, "UV_DEFAULT_INDEX": registry, "UV_CACHE_DIR": str(tmp_path / "uv")},
            stderr=subprocess.PIPE,
        )
        asking, _ = silent.accept()
        installers = psutil.Process(build.pid).children(recursive=True)
        build.send_signal(signal.SIGTERM)
        told = build.communicate(timeout=60)[1]
        asking.close()
    assert (build.returncode, b"interrupted" in told) == (143, True)
    assert installers and not psutil.wait_procs(installers, timeout=10)[1]
    assert not list(environments.environments_folder().glob("*.partial-*"))


def test_a_package_of_which_only_its_program_is_used_comes_without_what_it_depends_on():
    wanted = requirements.read("ncnn", "cpu")
    (line,) = wanted.without_dependencies()
    assert line.startswith("pnnx==") and line in wanted.lines
    assert requirements.read("torch", "cpu").without_dependencies() == ()


def test_an_environment_that_lost_a_package_is_built_anew_and_said(package, tmp_path):
    said = []
    built = environments.ensure(package, tmp_path / "log", said.append)
    [info] = built.python.parent.parent.glob("lib/python*/site-packages/tiny-1.0.dist-info")
    (info / "RECORD").unlink()
    assert not environments.is_built(package) and not environments.list_installed()[0].is_whole
    environments.ensure(package, tmp_path / "log", said.append)
    assert "not whole: tiny is not installed; it is built anew" in said[1]
    assert environments.is_built(package)


def test_an_environment_whose_module_is_gone_is_built_anew_and_said(package, tmp_path):
    said = []
    built = environments.ensure(package, tmp_path / "log", said.append)
    [module] = built.python.parent.parent.glob("lib/python*/site-packages/tiny*.py")
    module.unlink()
    environments.ensure(package, tmp_path / "log", said.append)
    assert f"not whole: {module.name} is gone; it is built anew" in said[1]
    assert module.exists() and environments.is_built(package)


@pytest.mark.parametrize(
    "facts",
    [
        "{",
        "[]",
        '{"requirements": ["tiny==2.0"]}',
        '{"requirements": 5}',
        '{"requirements": [], "contents": 5}',
    ],
)
def test_an_environment_whose_facts_are_damaged_is_built_anew(package, tmp_path, facts):
    environments.ensure(package, tmp_path / "log", lambda text: None)
    (environments.locate(package) / "inferometer.json").write_text(facts)
    assert invoke(["env", "list"]) == 0
    environments.ensure(package, tmp_path / "log", lambda text: None)
    assert environments.is_built(package)


def test_an_installer_that_installs_nothing_and_says_so_well_is_not_believed(package, tmp_path, monkeypatch):
    monkeypatch.setattr(environments.installer, "install", lambda *_: "")
    with pytest.raises(EnvironmentBuildError, match="tiny is not installed"):
        environments.ensure(package, tmp_path / "log", lambda text: None)
    assert environments.list_installed() == []


def test_a_killed_installer_is_named(package, tmp_path, monkeypatch):
    tool = tmp_path / "uv"
    tool.write_text("#!/bin/sh\necho downloading tiny >&2\nkill -9 $$\n")
    tool.chmod(0o755)
    monkeypatch.setattr(environments.installer, "uv_path", lambda: str(tool))
    with pytest.raises(EnvironmentBuildError, match=r"uv died of SIGKILL; last words: downloading tiny"):
        environments.ensure(package, tmp_path / "log", lambda text: None)


def test_of_a_long_error_the_cause_at_its_end_is_told(package, tmp_path, monkeypatch):
    tool = tmp_path / "uv"
    said = [
        "Resolved 1 package",
        "warning: no hard links",
        "error: Failed to install: tiny",
        "  Caused by: " + "x" * 500,
        "  Caused by: disk full",
    ]
    tool.write_text("#!/bin/sh\n" + "".join(f"echo '{line}' >&2\n" for line in said) + "exit 2\n")
    tool.chmod(0o755)
    monkeypatch.setattr(environments.installer, "uv_path", lambda: str(tool))
    with pytest.raises(EnvironmentBuildError, match=r"'tiny': error: Failed .* \.\.\. .*disk full \(log"):
        environments.ensure(package, tmp_path / "log", lambda text: None)
