"""Environments: pins, keys, atomic builds. uv itself is real here; the packages are tiny or local."""

import multiprocessing
import re
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from inferometer.cli import invoke
from inferometer.errors import EnvironmentBuildError, UsageError
from inferometer.frameworks import environments, requirements
from inferometer.frameworks.catalogue import FRAMEWORKS
from inferometer.records import Gpu
from inferometer.units import size

FILES = sorted((Path(requirements.__file__).parent / "pins").glob("*/*.txt"))


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))


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


def test_build_once_then_reuse_and_remove(package, tmp_path, capsys):
    said = []
    built = environments.ensure(package, tmp_path / "log", said.append)
    assert subprocess.check_output([built.python, "-c", "import tiny; print(tiny.VALUE)"]) == b"1\n"
    environments.ensure(package, tmp_path / "log", said.append)
    assert len(said) == 1
    [listed] = environments.list_installed()
    listed_bytes = listed.size_bytes
    assert listed.name.startswith("tiny-cpu-") and listed_bytes > 0
    assert invoke(["env", "remove", "tiny"]) == 0
    assert capsys.readouterr().out == f"removed {listed.name}, {size(listed_bytes)}\n"
    assert environments.list_installed() == []


def test_what_is_installed_is_compiled_so_that_no_process_is_timed_compiling_it(
    package, tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    built = environments.ensure(package, tmp_path / "log", lambda text: None)
    assert [*built.python.parents[1].glob("lib/*/site-packages/__pycache__/tiny.*.pyc")]


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
