import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inferometer.errors import ModelError
from inferometer.models.artifact_cache import ArtifactCache, hash_file, key_of, read_entry


def fill(folder):
    (folder / "file").write_text("content")
    return {"value": (1, 2)}


def test_an_entry_is_made_once_and_read_back_equal(tmp_path):
    calls = []

    def make(folder):
        calls.append(folder)
        return fill(folder)

    first = ArtifactCache(tmp_path).get({"a": 1}, make)
    second = ArtifactCache(tmp_path).get({"a": 1}, make)
    assert first == second
    assert first[1] == {"value": [1, 2]}
    assert (first[0] / "file").read_text() == "content"
    assert len(calls) == 1


def test_other_ingredients_are_another_entry(tmp_path):
    cache = ArtifactCache(tmp_path)
    assert cache.get({"a": 1}, fill)[0] != cache.get({"a": 2}, fill)[0]
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})


def test_a_failed_make_leaves_nothing_and_can_be_repeated(tmp_path):
    def fail(folder):
        (folder / "half").write_text("x")
        raise ModelError("no")

    with pytest.raises(ModelError, match="no"):
        ArtifactCache(tmp_path).get({}, fail)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    assert ArtifactCache(tmp_path).get({}, fill)[1] == {"value": [1, 2]}


def test_what_a_killed_process_left_is_replaced(tmp_path):
    key = key_of({})
    (tmp_path / f"{key}.part-dead").mkdir()
    (tmp_path / f"{key}.part-dead" / "half").write_text("x")
    (tmp_path / key).mkdir()  # no entry.json: not whole
    folder, _ = ArtifactCache(tmp_path).get({}, fill)
    assert sorted(path.name for path in folder.iterdir()) == ["entry.json", "file"]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [key]


RACE = """
import os, sys, time
from pathlib import Path
from inferometer.models.artifact_cache import ArtifactCache
def make(folder):
    with open(sys.argv[2], "a") as log: log.write("made\\n")
    (folder / "file").write_text("x" * 100000)
    return {"by": os.getpid()}
folder, made = ArtifactCache(Path(sys.argv[1])).get({"race": 1}, make)
assert len((folder / "file").read_text()) == 100000
print(made["by"])
"""


def test_processes_at_once_make_one_entry(tmp_path):
    arguments = [sys.executable, "-c", RACE, str(tmp_path / "cache"), str(tmp_path / "log")]
    processes = [subprocess.Popen(arguments, stdout=subprocess.PIPE) for _ in range(4)]
    makers = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert len(makers) == 1
    assert (tmp_path / "log").read_text() == "made\n"


def test_an_unwritable_cache_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="cannot write the model cache"):
        ArtifactCache(tmp_path / "file" / "models")


def test_a_full_disk_is_one_line(tmp_path):
    def full(folder):
        raise OSError(28, os.strerror(28))

    with pytest.raises(ModelError, match="No space left on device"):
        ArtifactCache(tmp_path).get({}, full)


def test_hash_of_a_folder_sees_names_and_content(tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
        (folder / "a").write_text("x")
    assert hash_file(first) == hash_file(second)
    (second / "a").rename(second / "b")
    assert hash_file(first) != hash_file(second)


def linked(folder, target):
    """Write a folder whose variables lie behind a link, with a circle beside."""
    (folder / "model").mkdir(parents=True)
    (folder / "model/saved_model.pb").write_bytes(b"graph")
    (folder / "model/variables").symlink_to(target)
    (folder / "model/circle").symlink_to("..")
    return folder / "model"


def test_a_folder_is_hashed_with_what_lies_behind_its_links(tmp_path):
    outside = tmp_path / "elsewhere"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep/weights").write_bytes(b"old")
    model = linked(tmp_path / "own", outside)
    (model / "deep-too").symlink_to("variables/deep")
    before = hash_file(model)
    assert hash_file(model) == before
    (outside / "deep/weights").write_bytes(b"new")
    assert hash_file(model) != before


def test_a_link_that_leads_to_another_folder_of_the_same_is_another_content(tmp_path):
    found = set()
    for version in ("v1", "v2"):
        model = linked(tmp_path / version / "of", version)
        for name in ("v1", "v2"):
            (model / name).mkdir()
            (model / name / "weights").write_bytes(name.encode())
        found.add(hash_file(model))
    assert len(found) == 2


def test_the_hash_of_a_folder_without_links_is_what_it_was(tmp_path):
    for name in ("b/c", "a-b", "a/z/y", "a/b"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    text = "".join(f"{name}\n{name}" for name in ("a/b", "a/z/y", "a-b", "b/c"))
    assert hash_file(tmp_path) == hashlib.sha256(text.encode()).hexdigest()


def flip(file, at=0):
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("times", ["new", "kept"])
@pytest.mark.parametrize("name", ["file", "entry.json"])
def test_a_flipped_bit_is_found_said_and_made_anew(tmp_path, name, times):
    said = []
    folder, made = ArtifactCache(tmp_path, said.append).get({"step": "onnx_source"}, fill)
    before = (folder / name).stat()
    flip(folder / name, at=12 if name == "entry.json" else 0)
    if times == "kept":
        os.utime(folder / name, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read_entry(folder) is None
    again, made_again = ArtifactCache(tmp_path, said.append).get({"step": "onnx_source"}, fill)
    assert (again, made_again) == (folder, made) and (folder / "file").read_text() == "content"
    assert len(said) == 1 and "what step onnx_source left in the cache is damaged: " in said[0]


def test_a_lost_or_shortened_file_is_found(tmp_path):
    for damage in (Path.unlink, lambda file: file.write_text("conten")):
        folder, _ = ArtifactCache(tmp_path).get({}, fill)
        damage(folder / "file")
        assert ArtifactCache(tmp_path).get({}, fill)[0] == folder
        assert (folder / "file").read_text() == "content"


def test_a_copied_cache_is_whole(tmp_path):
    _, made = ArtifactCache(tmp_path / "a").get({}, fill)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert ArtifactCache(tmp_path / "b").get({}, lambda folder: pytest.fail("it is there"))[1] == made


def test_an_entry_from_before_seals_is_believed(tmp_path):
    folder, made = ArtifactCache(tmp_path).get({}, fill)
    entry = json.loads((folder / "entry.json").read_text())
    (folder / "entry.json").write_text(json.dumps({"made": entry["made"], "parts": entry["parts"]}))
    assert ArtifactCache(tmp_path).get({}, lambda folder: pytest.fail("it is there"))[1] == made
