"""A real bundle, made with the network and used without: the environment of onnxrt, and a small ONNX file."""

import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from inferometer.bundling import own_wheel
from inferometer.bundling.target import Target
from inferometer.bundling.wheels import download, packages_of
from inferometer.cli import invoke
from inferometer.storage.run_directory import read_run
from short_run import short_run
from steprunner import write_onnx

pytestmark = pytest.mark.environment
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
RUN = short_run()
# what would lead to a network is led to nowhere, and uv is told not to try
OFFLINE = {
    "UV_OFFLINE": "1",
    "PIP_NO_INDEX": "1",
    **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("onnx")) / "image.onnx"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, model):
    out = tmp_path_factory.mktemp("bundles") / "bundle"
    arguments = ["--frameworks", "onnxrt", "--python", HERE, "--part-bytes", "20000000", "--out", str(out)]
    assert invoke(["bundle", str(model), *arguments, "--extras", "xlsx"]) == 0
    return out


@pytest.fixture(scope="module")
def far(bundle, tmp_path_factory):
    """A machine without a network and with empty caches, where the bundle was unpacked: its variables, what was said."""
    home = tmp_path_factory.mktemp("far")
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    variables = {
        **kept,
        **OFFLINE,
        "HOME": str(home),
        "UV_CACHE_DIR": str(home / "uv"),
        "INFEROMETER_CACHE": str(home / "cache"),
    }
    done = subprocess.run(
        [sys.executable, bundle / "unbundle.py", "--to", home / "core"], env=variables, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return home, variables, done.stdout


def test_parts_are_no_larger_than_asked(bundle):
    manifest = json.loads((bundle / "bundle.json").read_text())
    sizes = [path.stat().st_size for path in bundle.glob("part-*")]
    assert max(sizes) == 20_000_000 and len(sizes) == len(manifest["parts"])
    assert sorted(path.name for path in bundle.iterdir() if not path.name.startswith("part-")) == [
        "bundle.json",
        "unbundle.py",
    ]
    assert all("--hash=sha256:" in line for line in manifest["environments"][0]["requirements"])


def test_a_run_finds_what_a_bundle_brought_without_a_network(far, model):
    home, variables, said = far
    given = Path(next(line for line in said.splitlines() if line.startswith("file ")).removeprefix("file "))
    assert given.read_bytes() == model.read_bytes()
    program, out = home / "core" / "bin" / "inferometer", home / "run"
    done = subprocess.run(
        [program, "run", given, "--frameworks", "onnxrt", *RUN, "--scenarios", "single-stream", "--out", out],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not any(word in done.stderr for word in ("building", "converting", "environments to build"))
    stored = read_run(out)
    assert [record.status for record in stored.records] == ["ok"]
    assert [(r.status, r.result.valid) for r in stored.scenarios] == [("ok", True)], "LoadGen came along"
    facts = stored.info.environments["onnxrt on cpu"]
    assert facts["interpreter"] == "built" and facts["locked"]


def test_extras_of_inferometer_come_along_where_they_are_asked_for(far):
    home, variables, _ = far
    assert [*(home / "core").glob("lib/*/site-packages/openpyxl/__pycache__/*.pyc")], (
        "compiled as it was installed"
    )
    python = home / "core" / "bin" / "python"
    absent = "import importlib.util; assert importlib.util.find_spec('duckdb') is None"
    subprocess.run([python, "-c", f"import openpyxl; {absent}"], env=variables, check=True)


def test_unbundling_again_leaves_what_is_whole_alone(far, bundle):
    home, variables, _ = far
    done = subprocess.run(
        [home / "core" / "bin" / "inferometer", "unbundle", bundle], env=variables, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0 and "building" not in done.stderr


def test_unbundling_into_its_own_folder_replaces_it_and_leaves_others_alone(far, bundle, tmp_path):
    home, variables, _ = far
    (home / "core" / "left-over").touch()

    def again(target):
        words = [sys.executable, bundle / "unbundle.py", "--to", target]
        return subprocess.run(words, env=variables, capture_output=True, text=True, check=False)

    done = again(home / "core")
    assert done.returncode == 0, done.stderr
    assert not (home / "core" / "left-over").exists()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "own"], check=True)
    assert "not made by unbundle.py" in again(tmp_path / "own").stderr
    assert (tmp_path / "own" / "pyvenv.cfg").exists()


def test_a_bundle_that_lacks_a_part_changes_nothing(bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder, copy_function=os.link)
    (folder / "part-001").unlink()
    assert invoke(["unbundle", str(folder)]) == 1
    assert "parts are missing" in capsys.readouterr().err
    assert not (tmp_path / "cache" / "environments").exists()


def test_a_bundle_of_another_version_is_refused_with_both(bundle, tmp_path, capsys):
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder, copy_function=os.link)
    manifest = json.loads((folder / "bundle.json").read_text()) | {"inferometer": "9.9"}
    (folder / "bundle.json").unlink()
    (folder / "bundle.json").write_text(json.dumps(manifest))
    assert invoke(["unbundle", str(folder)]) == 2
    assert "of inferometer 9.9, this is" in capsys.readouterr().err


def test_a_bundle_that_leaves_packages_out_asks_for_an_interpreter(bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder, copy_function=os.link)
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["environments"][0]["left_out"] = ["numpy"]
    (folder / "bundle.json").unlink()
    (folder / "bundle.json").write_text(json.dumps(manifest))
    assert invoke(["unbundle", str(folder)]) == 1
    assert "leaves out numpy of environment onnxrt; give --borrow PYTHON" in capsys.readouterr().err
    manifest["environments"][0]["requirements"] = [
        line for line in manifest["environments"][0]["requirements"] if not line.startswith("numpy==")
    ]
    (folder / "bundle.json").write_text(json.dumps(manifest))
    lender = tmp_path / "lender"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", lender], check=True)
    arguments = ["unbundle", str(folder), "--borrow"]
    assert (
        invoke([*arguments, str(lender / "bin" / "python")]) == 1
    )  # numpy is pinned: without it there is no onnxrt
    told = capsys.readouterr().err
    assert "is without numpy: the bundle leaves them out" in told and "numpy is not installed" in told
    assert invoke([*arguments, sys.executable]) == 0
    assert "environment onnxrt-cpu-" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, cause",
    [
        (["--accelerator", "cuda14"], "unknown accelerator 'cuda14'"),
        (["--frameworks", "openvino", "--accelerator", "cuda13"], "has nothing of openvino"),
        (["--frameworks", "nothing"], "unknown framework 'nothing'"),
        (["--frameworks", ""], "--frameworks is empty"),
        (["--accelerator", ""], "--accelerator is empty"),
        (["--without", "nothing"], "unknown framework 'nothing'"),
        (["--without", "torch"], "--without torch: it is none of the frameworks asked for (onnxrt)"),
        (
            ["--leave-out", "nvidia-*,numpy"],
            "--leave-out nvidia-*: no environment of this bundle has a package",
        ),
        (["--extras", "clusters"], "unknown extra 'clusters'; did you mean 'cluster'?"),
        (["--extras", "dev"], "unknown extra 'dev'"),
        (["--part-bytes", "10"], "--part-bytes 10 is too few"),
        (["--python", "3"], "--python 3: give the version"),
        (["--convert-with", "nothing=python"], "unknown environment 'nothing'"),
        (["--convert-with", "torch=/nowhere"], "--convert-with torch=/nowhere: /nowhere cannot be started"),
    ],
)
def test_what_cannot_be_packed_is_one_line(arguments, cause, tmp_path, capsys):
    assert invoke(["bundle", "--frameworks", "onnxrt", "--out", str(tmp_path / "out"), *arguments]) == 2
    told = capsys.readouterr().err
    assert cause in told and told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_place_for_a_bundle(tmp_path, capsys):
    (tmp_path / "out").touch()
    assert invoke(["bundle", "--frameworks", "onnxrt", "--out", str(tmp_path / "out")]) == 2
    assert "out is a file; give a folder" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_found_before_the_model_is_looked_at(capsys):
    assert invoke(["bundle", "nowhere.onnx", "--frameworks", "onnxrt", "--out", "/proc/nope"]) == 1
    told = capsys.readouterr().err
    assert "cannot write /proc/nope: " in told and told.endswith("give another --out\n")
    assert told.count("\n") == 1


def test_where_packing_fails_the_same_command_may_be_given_again(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    for _ in range(2):
        assert invoke(["bundle", str(model), "--frameworks", "onnxrt", "--out", str(tmp_path / "out")]) == 1
        assert "is not empty" not in capsys.readouterr().err
    assert not any((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    "program, remedy", [("unbundle.py", "give another --to"), ("inferometer", "set INFEROMETER_CACHE")]
)
def test_a_disk_that_takes_no_more_is_one_line(bundle, tmp_path, program, remedy):
    """A limit on the size of files stands in for a full disk: neither lets them grow."""
    commands = {
        "unbundle.py": [sys.executable, bundle / "unbundle.py", "--to", tmp_path / "core"],
        "inferometer": [sys.executable, "-m", "inferometer", "unbundle", bundle],
    }
    limit = ["prlimit", "--fsize=100", "--"]
    variables = {**os.environ, **OFFLINE, "INFEROMETER_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [*limit, *commands[program]], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "File too large; free space or " + remedy in done.stderr


def test_a_program_to_borrow_from_that_is_none_is_said(bundle, capsys):
    assert invoke(["unbundle", str(bundle), "--borrow", "/nowhere"]) == 2
    assert "--borrow /nowhere is no program" in capsys.readouterr().err


def test_a_bundle_that_is_not_there_is_a_wrong_usage(tmp_path, capsys):
    assert invoke(["unbundle", str(tmp_path / "nowhere")]) == 2
    assert (
        "nowhere does not exist; give the folder that `inferometer bundle` wrote" in capsys.readouterr().err
    )


def test_a_package_that_says_it_ends_before_the_python_of_its_lock_is_packed(tmp_path):
    lock = (files("inferometer.frameworks") / "locks/litert/cpu.txt").read_text()
    target = Target("3.12", "linux-x86_64")
    wanted = [package for package in packages_of(lock, target) if package.name == "backports-strenum"]
    assert wanted and set(download(wanted, target, tmp_path / "wheels")) == {"backports-strenum"}


def test_our_own_wheel_is_the_same_each_time_and_whole(tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    one, two = own_wheel.write_own_wheel(first), own_wheel.write_own_wheel(second)
    assert one.read_bytes() == two.read_bytes()
    import zipfile

    with zipfile.ZipFile(one) as wheel:
        names = wheel.namelist()
    assert "inferometer/frameworks/locks/onnxrt/cpu.txt" in names
    assert not any("__pycache__" in name for name in names)
