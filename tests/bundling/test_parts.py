"""Parts: their size, what is missing or damaged among them, and the wheels that go in."""

import json
import sys

import pytest

from inferometer.bundling.bootstrap import FORMAT, Bundle, BundleError, check_target
from inferometer.bundling.parts import LEAST_PART_BYTES, PartWriter
from inferometer.bundling.target import Target
from inferometer.bundling.wheels import packages_of, parted
from inferometer.errors import UsageError
from inferometer.frameworks import requirements

SIZES = (0, 1, LEAST_PART_BYTES - 1, LEAST_PART_BYTES, 2 * LEAST_PART_BYTES + 17)


@pytest.fixture
def packed(tmp_path):
    """A bundle of files whose edges lie before, on and after those of the parts; the files' contents by name."""
    folder, contents = tmp_path / "bundle", {}
    folder.mkdir()
    with PartWriter(folder, LEAST_PART_BYTES) as writer:
        for number, size in enumerate(SIZES):
            contents[f"file-{number}"] = bytes([number + 1]) * size
            source = tmp_path / "source"
            source.write_bytes(contents[f"file-{number}"])
            writer.add(f"file-{number}", source)
    manifest = {"format": FORMAT, "parts": writer.parts, "entries": [*writer.entries.values()]}
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return folder, contents


def test_no_part_exceeds_its_size_and_every_file_comes_out_as_it_went_in(packed, tmp_path):
    folder, contents = packed
    sizes = [path.stat().st_size for path in sorted(folder.glob("part-*"))]
    assert sum(sizes) == sum(SIZES) and max(sizes) <= LEAST_PART_BYTES
    bundle = Bundle(folder)
    bundle.check_parts()
    for name, content in contents.items():
        assert bundle.extract(name, tmp_path / name).read_bytes() == content


def test_the_same_file_is_packed_once(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"x" * 10)
    with PartWriter(tmp_path, LEAST_PART_BYTES) as writer:
        assert writer.add("one", source) == writer.add("one", source)
    assert sum(part["bytes"] for part in writer.parts) == 10


def test_missing_parts_are_named_in_one_line(packed):
    folder, _ = packed
    (folder / "part-001").unlink()
    (folder / "part-003").unlink()
    with pytest.raises(BundleError, match=r"2 of 5 parts are missing .*: part-001, part-003; bring them"):
        Bundle(folder).check_parts()


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_damaged_parts_are_named_in_one_line(packed, damage, tmp_path):
    folder, contents = packed
    path = folder / "part-002"
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content if damage == "changed" else content[:-1])
    with pytest.raises(BundleError, match=r"1 of 5 parts arrived damaged .*: part-002; bring them again"):
        Bundle(folder).check_parts()
    name = next(name for name in reversed(contents) if contents[name])
    with pytest.raises(BundleError, match="is damaged"):  # should a disk change it after the check
        Bundle(folder).extract(name, tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    "text, cause",
    [(None, "is no bundle"), ("{", "cannot be read"), ("[]", "cannot be read"), ('{"format": 99, "parts": [], "entries": []}', "format 99")],
)  # fmt: skip
def test_what_is_no_bundle_is_refused(tmp_path, text, cause):
    if text is not None:
        (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=cause):
        Bundle(tmp_path)


def test_a_bundle_for_another_machine_is_refused(packed):
    folder, _ = packed
    bundle = Bundle(folder)
    bundle.manifest |= {"python": "3.99", "platform": "linux-x86_64"}
    with pytest.raises(BundleError, match=r"for Python 3\.99"):
        bundle.check_machine()
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    bundle.manifest |= {"python": here, "platform": "linux-riscv64"}
    with pytest.raises(BundleError, match="for riscv64, this machine is"):
        bundle.check_machine()


def test_a_folder_of_the_user_s_is_not_replaced(tmp_path):
    check_target(tmp_path / "new")
    check_target(tmp_path)
    (tmp_path / "notes").touch()
    for other in ("pyvenv.cfg", "CACHEDIR.TAG"):  # an environment of the user's, a cache
        (tmp_path / other).touch()
        with pytest.raises(
            BundleError, match=r"is not empty, and not made by unbundle\.py; give a new folder"
        ):
            check_target(tmp_path)
    (tmp_path / ".made-by-unbundle").touch()  # of an earlier time, whole or not
    check_target(tmp_path)


def test_too_small_parts_and_unknown_targets_are_refused(tmp_path):
    with pytest.raises(UsageError, match="--part-bytes 10 is too few"):
        PartWriter(tmp_path, 10)
    with pytest.raises(UsageError, match=r"such as 3\.12"):
        Target("3.9", "linux-x86_64")
    with pytest.raises(UsageError, match="unknown platform 'windows'"):
        Target("3.12", "windows")


def test_markers_are_those_of_the_other_machine():
    lock = requirements.read("jax", "cuda13").lock
    old, new = (
        {package.name: package for package in packages_of(lock, Target(python, "linux-x86_64"))}
        for python in ("3.11", "3.12")
    )
    assert (old["scipy"].version, new["scipy"].version) == ("1.17.1", "1.18.1")
    assert "nvidia-cublas" in new  # a marker for Linux, whatever packs
    assert all(digest.startswith("sha256:") for package in new.values() for digest in package.hashes)


def test_what_is_left_out_is_chosen_by_patterns():
    lock = requirements.read("onnxrt", "cuda13").lock
    carried, left = parted(packages_of(lock, Target("3.12", "linux-x86_64")), ["nvidia-*"])
    assert {package.name for package in carried} >= {"onnxruntime-gpu", "numpy"}
    assert {package.name for package in left} >= {"nvidia-cublas", "nvidia-cudnn-cu13"}
    assert not any(package.name.startswith("nvidia-") for package in carried)


@pytest.mark.parametrize("pattern", ["typing_extensions", "Typing.Extensions", "typing_*"])
def test_a_pattern_is_compared_as_installers_compare_names(pattern):
    lock = requirements.read("torch", "cpu").lock
    _, left = parted(packages_of(lock, Target("3.12", "linux-x86_64")), [pattern])
    assert [package.name for package in left] == ["typing-extensions"]
