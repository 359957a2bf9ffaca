"""Environments: pins, keys, atomic builds. uv itself is real here; the packages are tiny or local."""

import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import filelock
import psutil
import pytest

from inferometer.cli import invoke
from inferometer.errors import EnvironmentBuildError, UsageError
from inferometer.frameworks import environments, requirements
from inferometer.frameworks.catalogue import FRAMEWORKS
from inferometer.frameworks.requirements import Requirements
from inferometer.records import Gpu

FILES = sorted((Path(requirements.__file__).parent / "pins").glob("*/*.txt"))


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def package(tmp_path):
    """A distribution on disk, so that building an environment needs no network."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "tiny.py").write_text("VALUE = 1\n")
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    import zipfile

    with zipfile.ZipFile(wheel, "w") as file:
        file.write(folder / "tiny.py", "tiny.py")
        file.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr(
            "tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr("tiny-1.0.dist-info/RECORD", "")
    return Requirements("tiny", "cpu", (f"tiny @ file://{wheel}",))


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_requirement_is_pinned_and_names_no_address(path):
    wanted = requirements.read(path.parent.name, path.stem)
    assert wanted.lines and wanted.download
    assert all(re.match(r"[\w.\[\],-]+==[\w.+!-]+(\s*;.*)?$", line) for line in wanted.lines)
    assert "://" not in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_sets_for_gpus_say_which_are_too_old(path):
    wanted = requirements.read(path.parent.name, path.stem)
    assert re.fullmatch(r"\d+\.\d", wanted.capability) if path.stem != "cpu" else not wanted.capability
    assert path.stem != "cuda13" or wanted.capability == "7.5"


def test_every_framework_that_runs_on_a_cpu_has_requirements():
    for framework in FRAMEWORKS.values():
        if "cpu" in framework.devices:
            assert any(
                line.startswith(f"{framework.distribution}==")
                for line in requirements.read(framework.environment, "cpu").lines
            )


@pytest.mark.parametrize("cuda", ["", "12.4", "13.0"])
def test_every_framework_that_can_be_had_shows_its_version(cuda):
    from inferometer.cli.frameworks import _state

    gpu = Gpu(0, "GPU-0", "a GPU", cuda=cuda, compute_capability="8.6") if cuda else None
    for framework in FRAMEWORKS.values():
        kind = "cuda" if gpu else "cpu"
        if kind in framework.devices:
            version, state = _state(framework, gpu, "")
            assert version or framework.only_given or "needs Python" in state, (
                framework.name,
                state,
            )


def test_an_accelerator_that_is_none_builds_nothing(capsys):
    from inferometer.cli import invoke

    assert invoke(["env", "build", "--accelerator", "cuda11"]) == 2
    assert "unknown accelerator 'cuda11'" in capsys.readouterr().err


def test_unknown_accelerator_names_the_known_ones():
    with pytest.raises(EnvironmentBuildError, match=r"known: .*cpu.*--python openvino=PATH"):
        requirements.read("openvino", "cuda99")


def test_a_version_replaces_the_pin_and_what_moves_with_it():
    jax = requirements.with_version(requirements.read("jax", "cpu"), "jax", "0.9.0")
    assert {"jax==0.9.0", "jaxlib==0.9.0"} <= set(jax.lines)
    with pytest.raises(UsageError, match="abc"):
        requirements.with_version(requirements.read("jax", "cpu"), "jax", "abc")


def test_build_once_then_reuse(package, tmp_path):
    said = []
    built = environments.ensure(package, tmp_path / "log", said.append)
    assert subprocess.check_output([built.python, "-c", "import tiny; print(tiny.VALUE)"]) == b"1\n"
    environments.ensure(package, tmp_path / "log", said.append)
    assert len(said) == 1
    [listed] = environments.list_installed()
    assert listed.name.startswith("tiny-cpu-") and listed.size_bytes > 0
    environments.remove(listed.folder)
    assert environments.list_installed() == []


def test_other_pins_are_another_environment(package):
    from dataclasses import replace

    assert environments.locate(package) != environments.locate(replace(package, lines=("other==1",)))


def _build(package, log, queue):
    said = []
    environments.ensure(package, log, said.append)
    queue.put(len(said))


def test_two_runs_at_once_share_one_build(package, tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [
        context.Process(target=_build, args=(package, tmp_path / f"log{n}", queue)) for n in range(2)
    ]
    for process in processes:
        process.start()
    built = sorted(queue.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert built == [0, 1]


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


def test_what_fetches_reaches_the_network_as_the_user_does_and_what_measures_does_not(monkeypatch):
    from inferometer.running.processes.child import child_environment

    settings = {
        "https_proxy": "http://p:1",
        "NO_PROXY": "here",
        "REQUESTS_CA_BUNDLE": "/ca",
        "KERAS_HOME": "/k",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert settings.items() <= child_environment({}, fetches=True).items()
    assert not settings.keys() & child_environment({}).keys()


def test_importing_inferometer_is_light():
    code = "import sys, inferometer; print([m for m in ('numpy', 'click', 'rich', 'scipy', 'msgspec') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code]) == b"[]\n"


def test_an_environment_in_use_is_not_removed(tmp_path):
    folder = tmp_path / "torch-cpu-0123456789ab"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    with subprocess.Popen([folder / "bin" / "python", "-c", "input()"], stdin=subprocess.PIPE) as user:
        with pytest.raises(UsageError, match=f"in use by process {user.pid}"):
            environments.remove(folder)
        user.stdin.close()
    environments.remove(folder)
    assert not folder.exists()


def test_what_killed_builds_left_goes_with_all_but_not_what_is_being_built(capsys):
    root = environments.environments_folder()
    left, being_built = root / "tf-cpu-0123.partial-7", root / "torch-cpu-4567.partial-8"
    for folder in (left, being_built):
        (folder / "lib").mkdir(parents=True)
    with filelock.FileLock(root / "torch-cpu-4567.lock"):
        assert invoke(["env", "remove", "--all"]) == 0
    assert (left.exists(), being_built.exists()) == (False, True)
    assert capsys.readouterr().out == f"removed {left.name}, left by a build that was killed\n"


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


@pytest.mark.parametrize("facts", ["{", "[]", '{"requirements": ["tiny==2.0"]}', '{"requirements": 5}'])
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
