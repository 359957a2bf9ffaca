"""Temporary folders of children: whose, how long their names, and what is left of them."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from inferometer.storage import temporary
from inferometer.storage.temporary import TemporaryFolder, remove_left


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """A folder whose path is short enough, whatever pytest's own has come to."""
    with tempfile.TemporaryDirectory(prefix="i") as folder:
        monkeypatch.setenv("INFEROMETER_CACHE", f"{folder}/cache")
        (Path(folder) / "system").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", f"{folder}/system")
        yield Path(folder)


def test_it_is_in_the_given_folder_and_both_go(short):
    with TemporaryFolder(short / "run" / "tmp") as made:
        assert made.path.parent == short / "run" / "tmp"
        assert made.variables() == {"TMPDIR": str(made.path)}
        assert made.path.stat().st_mode & 0o777 == 0o700
        (made.path / "a" / "b").mkdir(parents=True)
        (made.path / "a" / "b" / "c").write_text("x")
    assert list((short / "run").iterdir()) == []


def test_one_that_ends_leaves_the_others(short):
    first, second = TemporaryFolder(short / "tmp"), TemporaryFolder(short / "tmp")
    first.remove()
    assert second.path.is_dir() and not first.path.exists()
    second.remove()
    assert not (short / "tmp").exists()


def test_sockets_fit_into_it(short):
    deep = short / ("d" * 60)
    with TemporaryFolder(deep) as made:
        assert made.path.parent == short / "cache" / "tmp"
        assert len(os.fsencode(made.path)) + 34 < 104


def test_where_the_cache_is_deep_too_it_is_in_a_private_folder_of_the_system(short, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(short / ("c" * 60)))
    with TemporaryFolder() as made:
        assert made.path.parent == short / "system" / f"inferometer-{os.getuid()}"
        assert made.path.parent.stat().st_mode & 0o777 == 0o700
    assert list((short / "system").iterdir()) == []


def test_a_name_that_another_has_taken_in_the_systems_folder_is_not_trusted(short, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(short / ("c" * 60)))
    (short / "elsewhere" / "kept").mkdir(parents=True)
    (short / "system" / f"inferometer-{os.getuid()}").symlink_to(short / "elsewhere")
    with TemporaryFolder() as made:
        assert made.path.parent.parent == short / "system"
        assert not made.path.parent.is_symlink()
    assert (short / "elsewhere" / "kept").is_dir()


def test_a_cache_that_cannot_be_written_does_not_matter(short, monkeypatch):
    (short / "file").write_text("in the way")
    monkeypatch.setenv("INFEROMETER_CACHE", str(short / "file"))
    with TemporaryFolder() as made:
        assert short / "system" in made.path.parents


KILLED = """
import os, signal, sys
from pathlib import Path
from inferometer.storage.temporary import TemporaryFolder
made = TemporaryFolder(Path(sys.argv[1]))
(made.path / "left").write_text("x")
print(made.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_at_the_next_start_and_what_is_in_use_stays(short):
    used = TemporaryFolder(short / "tmp")
    command = [sys.executable, "-c", KILLED, str(short / "tmp")]
    left = Path(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.strip())
    assert (left / "left").exists()
    with TemporaryFolder(short / "tmp"):
        assert not left.exists() and used.path.exists()
    used.remove()
    assert not (short / "tmp").exists()


def test_nothing_that_others_could_have_put_there_is_removed(short):
    (short / "open" / "folder").mkdir(parents=True)
    (short / "open").chmod(0o777)
    remove_left(short / "open")
    assert (short / "open" / "folder").is_dir()
    remove_left(short / "nowhere")


def test_a_process_that_writes_on_for_a_moment_is_waited_for(short, monkeypatch):
    made = TemporaryFolder(short / "tmp")
    calls = []

    def still_writing(folder, ignore_errors):
        calls.append(folder)
        if len(calls) == 3:
            folder.rmdir()

    with monkeypatch.context() as patched:
        patched.setattr(temporary.shutil, "rmtree", still_writing)
        made.remove()
    assert len(calls) == 3 and not (short / "tmp").exists()
