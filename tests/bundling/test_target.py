"""Where unbundle.py puts inferometer: what is not its own stays, and what works is not lost to what does not."""

import subprocess
import sys
import zipfile

import pytest

from inferometer.planning.request import make_request
from travelled import bundle_of

# in place of uv: `venv` makes an environment, `pip` installs a program; one that is told to fails
UV = """#!/bin/sh
for last; do :; done
case "$*" in
*" venv "*) mkdir -p "$last/bin" && echo new > "$last/version" ;;
*) {install} ;;
esac
"""
INSTALLS = 'bin=$(dirname "$(echo "$*" | sed "s/.*--python \\([^ ]*\\).*/\\1/")"); printf "#!/bin/sh\\n" > "$bin/inferometer"; chmod +x "$bin/inferometer"'
FAILS = "echo 'error: no space' >&2; exit 2"


@pytest.fixture
def unbundle(tmp_path):
    """Return what unpacks a bundle whose uv does as it is told into a folder, and returns how it ended."""

    def call(install, target):
        wheel = tmp_path / "uv-1-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("uv-1.data/scripts/uv", UV.replace("{install}", install))
        bundle = tmp_path / f"bundle{len([*tmp_path.glob('bundle*')])}"
        bundle_of(make_request("mobilenet_v3_large"), bundle, [wheel])
        words = [sys.executable, bundle / "unbundle.py", "--to", target]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    return call


def test_a_file_and_a_link_are_refused_and_stay(unbundle, tmp_path):
    notes, link = tmp_path / "notes.txt", tmp_path / "link"
    notes.write_text("mine")
    link.symlink_to("notes.txt")
    for target, cause in ((notes, "is a file; give a new folder"), (link, "is a link; give the folder")):
        done = unbundle(INSTALLS, target)
        assert done.returncode == 1 and cause in done.stderr
        assert done.stderr.count("\n") == 1
    assert link.is_symlink() and notes.read_text() == "mine"


def test_an_installation_that_fails_leaves_the_earlier_one(unbundle, tmp_path):
    target = tmp_path / "core"
    assert unbundle(INSTALLS, target).returncode == 0
    (target / "version").write_text("old")
    done = unbundle(FAILS, target)
    assert done.returncode == 1 and "cannot be installed from the bundle: error: no space" in done.stderr
    assert (target / "version").read_text() == "old" and (target / "bin" / "inferometer").exists()
    assert unbundle(INSTALLS, target).returncode == 0
    assert (target / "version").read_text() == "new\n"
    assert not [*tmp_path.glob("inferometer-bundle-*")]


def test_a_first_installation_that_fails_leaves_nothing(unbundle, tmp_path):
    assert unbundle(FAILS, tmp_path / "core").returncode == 1
    assert not (tmp_path / "core").exists()
    (tmp_path / "empty").mkdir()
    assert unbundle(FAILS, tmp_path / "empty").returncode == 1
    assert [*(tmp_path / "empty").iterdir()] == []
