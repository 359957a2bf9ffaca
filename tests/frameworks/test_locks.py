"""Whole locks: what is installed is what was locked, whatever the working directory or a registry says."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from inferometer.errors import EnvironmentBuildError, StoreError
from inferometer.frameworks import environments, installer, locks, requirements
from inferometer.frameworks.installed import installed_in, normalised, pinned
from inferometer.frameworks.requirements import Requirements
from inferometer.records import RunInfo
from inferometer.running.run_info import as_begun
from wheels import write_wheel

# its libraries are a stub that fetches the vendor's while it is resolved, which is out of reach where locks were made
WITHOUT = {("tensorrt", "cuda12")}
SETS = requirements.every()


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder in the registry's place, with a package and one that it needs."""
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    folder = tmp_path / "wheels"
    folder.mkdir()
    write_wheel(folder, "tiny", {"tiny.py": "VALUE = 1\n"}, requires=("below>=1",))
    write_wheel(folder, "below", {"below.py": ""})
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    return folder


def locked(folder, *names):
    entries = (
        f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256((folder / f'{name}-1.0-py3-none-any.whl').read_bytes()).hexdigest()}\n"
        for name in names
    )
    return Requirements("tiny", "cpu", ("tiny==1.0",), lock="".join(entries))


def built(wanted, tmp_path):
    return environments.ensure(wanted, tmp_path / "log", lambda text: None)


@pytest.mark.parametrize("wanted", SETS, ids=lambda s: f"{s.name}/{s.accelerator}")
def test_every_set_has_a_whole_lock_that_names_no_registry(wanted):
    if (wanted.name, wanted.accelerator) in WITHOUT:
        assert wanted.lock == ""
        return
    entries = list(locks.entries(wanted.lock))
    assert all(
        re.match(r"[\w.-]+==[^\s;]+( ;.*)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+$", e)
        for e in entries
    )
    assert "://" not in wanted.lock and "index" not in wanted.lock
    found = {normalised(e.partition("==")[0]): e.partition("==")[2].split()[0] for e in entries}
    assert pinned(wanted.lines).items() <= found.items() and len(found) >= len(wanted.lines)


def test_without_torch_nothing_of_its_build_for_gpus_stays():
    lock = locks.without_torch(requirements.read("torch", "cpu").lock)
    names = {entry.partition("==")[0] for entry in locks.entries(lock)}
    assert {"numpy", "sympy", "keras"} <= names and "torch" not in names
    assert not [name for name in names if name.startswith(("nvidia", "triton", "cuda"))]


def test_transitive_packages_come_from_the_lock_and_are_read_back(wheels, tmp_path):
    write_wheel(wheels, "below", {"below.py": ""}, version="2.0")  # newer, and not what was locked
    environment = built(locked(wheels, "tiny", "below"), tmp_path)
    assert environment.facts["installed"] == {"tiny": "1.0", "below": "1.0"} and environment.facts["locked"]


def test_another_content_than_was_locked_is_not_installed(wheels, tmp_path):
    wanted = locked(wheels, "tiny", "below")
    write_wheel(wheels, "below", {"below.py": "import os"})
    with pytest.raises(EnvironmentBuildError, match=r"(?i)hash mismatch"):
        built(wanted, tmp_path)
    assert environments.list_installed() == []


def test_what_the_lock_does_not_have_is_refused(wheels, tmp_path, monkeypatch):
    install = environments.installer.install

    def more(wanted, folder, log):
        write_wheel(wheels, "below", {"below.py": ""}, version="2.0")
        return install(replace(wanted, lock=""), folder, log)

    monkeypatch.setattr(environments.installer, "install", more)
    with pytest.raises(EnvironmentBuildError, match=r"below 2\.0 was installed where the lock has 1\.0"):
        built(locked(wheels, "tiny", "below"), tmp_path)


@pytest.mark.parametrize("name", ["uv.toml", "pyproject.toml"])
@pytest.mark.parametrize("with_lock", [True, False])
def test_the_working_directory_changes_nothing(wheels, tmp_path, monkeypatch, name, with_lock):
    evil = tmp_path / "cloned"
    evil.mkdir()
    write_wheel(evil, "tiny", {"tiny.py": "VALUE = 'evil'\n"})
    (evil / "override.txt").write_text(f"tiny @ file://{evil}/tiny-1.0-py3-none-any.whl\n")
    pip = f'[{"tool.uv." if name.startswith("py") else ""}pip]\nno-index = true\nfind-links = ["{evil}"]\noverride = ["x"]\n'
    (evil / name).write_text(pip)
    monkeypatch.chdir(evil)
    wanted = locked(wheels, "tiny", "below")
    environment = built(wanted if with_lock else replace(wanted, lock=""), tmp_path)
    [module] = environment.python.parent.parent.glob("lib/python*/site-packages/tiny.py")
    assert module.read_text() == "VALUE = 1\n"


def test_a_new_lock_has_nothing_that_a_package_installed_alone_needs(wheels):
    write_wheel(wheels, "beside", {"beside.py": ""})
    wanted = Requirements("tiny", "cpu", ("tiny==1.0", "beside==1.0"))
    for alone, needed in (((), {"below"}), (("tiny",), set())):
        lock = installer.lock_of(replace(wanted, alone=alone), "3.12")
        assert {entry.partition("==")[0] for entry in locks.entries(lock)} == {"tiny", "beside"} | needed


def test_another_lock_is_another_environment(wheels):
    one = locked(wheels, "tiny", "below")
    assert (
        len(
            {environments.locate(w) for w in (one, replace(one, lock=""), replace(one, lock=one.lock + "\n"))}
        )
        == 3
    )
    assert requirements.with_version(requirements.read("jax", "cpu"), "jax", "0.9.0").lock == ""


def test_a_run_goes_on_with_the_packages_that_it_was_begun_with():
    def run(version):
        row = {"pins": ["tiny==1.0"], "installed": {"tiny": "1.0", "below": version}}
        return RunInfo(environments={"tiny on cpu": row})

    with pytest.raises(StoreError, match=r"other packages for tiny on cpu: below was 1\.0, now 2\.0"):
        as_begun(run("2.0"), run("1.0"), Path("d"))
    assert as_begun(run("1.0"), run("1.0"), Path("d"))
    old = msgspec.structs.replace(run("1.0"), environments={"tiny on cpu": {"pins": ["tiny==1.0"]}})
    assert as_begun(run("2.0"), old, Path("d")), "begun before they were kept"


def test_what_is_installed_is_read(wheels, tmp_path):
    environment = built(replace(locked(wheels, "tiny", "below"), lock=""), tmp_path)
    assert installed_in(environment.python.parent.parent) == {"tiny": "1.0", "below": "1.0"}
