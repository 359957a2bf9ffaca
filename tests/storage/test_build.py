"""Folders built once: what is seen of them, and what is left when it fails."""

import filelock
import pytest

from inferometer.storage.build import build_once, is_partial, remove_built, remove_partial


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def build(target, make=lambda folder: (folder / "whole").touch(), **kwargs):
    build_once(target, make, lambda: (target / "whole").exists(), **kwargs)


def test_a_whole_one_is_only_looked_at(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "whole").touch()
    build(tmp_path / "t", make=lambda folder: pytest.fail("it is there"))
    assert [path.name for path in tmp_path.iterdir()] == ["t"], "a read-only cache has no room for a lock"


def test_nobody_sees_it_before_it_is_whole(tmp_path):
    def make(folder):
        assert list(folder.iterdir()) == [] and is_partial(folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert not (tmp_path / "t").exists()
        (folder / "whole").touch()

    build(tmp_path / "t", make, mode=0o700)
    assert names(tmp_path) == ["t"] and (tmp_path / "t" / "whole").exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_make_raises_passes_and_leaves_nothing(tmp_path, error):
    def fail(folder):
        (folder / "half").touch()
        raise error

    with pytest.raises(type(error)):
        build(tmp_path / "t", fail)
    assert names(tmp_path) == []
    build(tmp_path / "t")
    assert names(tmp_path) == ["t"]


def test_what_is_damaged_is_replaced_once_there_is_a_whole_one(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "damaged").touch()
    (tmp_path / "t.partial-1").mkdir()
    (tmp_path / "t.part-oldstyle").mkdir()
    (tmp_path / "other.partial-1").mkdir()
    build(tmp_path / "t")
    assert names(tmp_path) == ["other.partial-1", "t"]
    assert [path.name for path in (tmp_path / "t").iterdir()] == ["whole"]


def test_removal_takes_it_away_at_one_stroke(tmp_path, monkeypatch):
    build(tmp_path / "t")

    def killed(folder):
        assert not (tmp_path / "t").exists() and is_partial(folder)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("inferometer.storage.build.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            remove_built(tmp_path / "t")
    [left] = remove_partial(tmp_path)
    assert names(tmp_path) == [] and is_partial(left)


def test_what_is_being_built_is_no_left_over(tmp_path):
    (tmp_path / "t.partial-1").mkdir()
    with filelock.FileLock(tmp_path / "t.lock"):
        assert remove_partial(tmp_path) == []
    assert remove_partial(tmp_path) == [tmp_path / "t.partial-1"]
