"""Files and folders that are links, as every snapshot of a hub is, travel as what they lead to."""

import os

import pytest

from inferometer.errors import UsageError
from inferometer.fleet import goods
from travelled import sent


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def snapshot(tmp_path):
    """A folder of a hub: names that are links to content elsewhere, one of them a folder, two of them one file."""
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshots" / "1"
    (blobs / "more").mkdir(parents=True)
    folder.mkdir(parents=True)
    (blobs / "abc").write_bytes(b"weights" * 9)
    (blobs / "more" / "words.txt").write_bytes(b"words")
    for name, target in (("model.onnx", "abc"), ("again.onnx", "abc"), ("tokens", "more")):
        (folder / name).symlink_to(f"../../blobs/{target}")
    os.link(blobs / "abc", folder / "hard.onnx")
    return folder


def test_a_folder_of_links_arrives_as_plain_files(snapshot):
    good = goods.given_good(snapshot)
    sent(good)
    there = goods.placed_at(good.key, "1")
    found = {path.relative_to(there).as_posix(): path for path in there.rglob("*")}
    assert sorted(found) == ["again.onnx", "hard.onnx", "model.onnx", "tokens", "tokens/words.txt"]
    assert not any(path.is_symlink() for path in found.values())
    assert all(found[f"{name}.onnx"].read_bytes() == b"weights" * 9 for name in ("model", "again", "hard"))
    assert goods.given_good(there).key == good.key


def test_a_linked_file_keeps_its_name_and_has_the_key_of_its_content(snapshot):
    good = goods.given_good(snapshot / "model.onnx")
    sent(good)
    assert goods.placed_at(good.key, "model.onnx").read_bytes() == b"weights" * 9
    (snapshot / "model.onnx").resolve().write_bytes(b"others")
    assert goods.given_good(snapshot / "model.onnx").key != good.key


def _dangling(folder):
    (folder / "gone").symlink_to("nowhere")


def _around(folder):
    (folder / "round").symlink_to("..")


def _itself(folder):
    (folder / "self").symlink_to("self")


def _pipe(folder):
    os.mkfifo(folder / "pipe")


@pytest.mark.parametrize(
    "add, cause",
    [
        (_dangling, "gone is a link to nowhere, which cannot be read (No such file or directory); mend it"),
        (_around, "is a link to a folder that it lies in, which has no end; take it out"),
        (_itself, "self is a link to self, which cannot be read (Too many levels of symbolic links)"),
        (_pipe, "pipe is neither a file nor a folder; take it out"),
    ],
)
def test_what_has_no_content_is_refused_in_one_line(snapshot, add, cause):
    add(snapshot)
    with pytest.raises(UsageError) as told:
        goods.given_good(snapshot.parent)
    assert cause in str(told.value) and "\n" not in str(told.value)
