"""A meter of others, as an installed package with an entry point: docs/energy.md's own example, and ones that fail."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from documented import examples
from powercap import drawing, make_zone

(EXAMPLE,) = [code for code in examples("energy.md") if "class WallPlug" in code]
WATTS = 40
SLEEP = [sys.executable, "-c", "import time; time.sleep(1)"]


def install(folder, code, name="wallplug"):
    """Make a package as pip leaves it: a module, and the entry point among its facts."""
    facts = folder / f"{name}-1.0.dist-info"
    facts.mkdir(parents=True)
    (folder / f"{name}.py").write_text(code)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[inferometer.meters]\n{name} = {name}:find\n")
    return folder


def inferometer(site, *arguments, **environ):
    """Run the command in a process that sees the package; return exit status, output and what it said besides."""
    paths = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "inferometer", *arguments],
        env=os.environ | {"PYTHONPATH": paths} | environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def counted(tmp_path):
    """A file that counts joules as at `WATTS`."""
    path, begin, done = tmp_path / "joules", time.monotonic(), threading.Event()
    path.write_text("0.0")

    def count():
        while not done.wait(0.002):
            new = tmp_path / "joules.new"
            new.write_text(f"{(time.monotonic() - begin) * WATTS:.4f}\n")
            new.replace(path)

    thread = threading.Thread(target=count)
    thread.start()
    yield str(path)
    done.set()
    thread.join()


def test_the_documented_plug_in_is_listed_and_measures(tmp_path, counted):
    site = install(tmp_path / "site", EXAMPLE)
    status, out, _ = inferometer(site, "meters", "--meter", "wallplug", WALLPLUG=counted)
    assert status == 0
    assert f"wallplug:{counted}: wall plug (external, wallplug), counter in J" in out
    assert "a read takes" in out
    rows = tmp_path / "rows.csv"
    arguments = ["measure", "--meter", "wallplug", "--csv", str(rows), "--", *SLEEP]
    status, _, err = inferometer(site, *arguments, WALLPLUG=counted)
    assert status == 0
    assert "energy  wall plug (external, wallplug): " in err and " W, counter" in err
    power = float(rows.read_text().splitlines()[1].split(",")[11])
    assert power == pytest.approx(WATTS, rel=0.2)  # the counting thread shares this machine with other work


def test_one_that_finds_nothing_says_why(tmp_path):
    site = install(tmp_path / "site", EXAMPLE)
    status, out, _ = inferometer(site, "meters", "--meter", "wallplug")
    assert status == 0
    assert "  wallplug: WALLPLUG is not set -- WALLPLUG=FILE" in out.splitlines()


FAILING = {
    "at import": (
        "import no_such_library",
        "failed with ModuleNotFoundError: No module named 'no_such_library'",
    ),
    "in its function": ("def find(environ):\n    raise OSError('no\\nbus')", "failed with OSError: no bus"),
    "by its answer": (
        "def find(environ):\n    return []",
        "failed with TypeError: wallplug:find returned list, not inferometer.energy.meters.found.Found",
    ),
    "by another name": (
        EXAMPLE.replace('meter="wallplug"', 'meter="plug"'),
        "says that its meter is 'plug', not 'wallplug'",
    ),
    "by what is no meter": (
        "from inferometer.energy.meters.found import Found\ndef find(environ):\n    return Found((object(),))",
        "failed with AttributeError: 'object' object has no attribute 'device'",
    ),
}


@pytest.mark.parametrize("how", FAILING)
def test_one_that_fails_is_one_line_and_the_others_are_read(tmp_path, how):
    code, said = FAILING[how]
    site = install(tmp_path / "site", code)
    tree = tmp_path / "tree"
    with drawing(make_zone(tree / "intel-rapl:0", "package-0")):
        status, out, _ = inferometer(site, "meters", "--powercap", str(tree), WALLPLUG="x")
        assert status == 0
        assert "rapl:package-0: package-0 (cpu, rapl)" in out
        assert len([line for line in out.splitlines() if said in line]) == 1, out
        only_rapl = ["--powercap", str(tree), "--meter", "rapl", "--meter", "wallplug"]
        status, _, err = inferometer(site, "measure", *only_rapl, "--", *SLEEP, WALLPLUG="x")
        assert status == 0
        assert "energy  package-0 (cpu, rapl): " in err and " W, counter" in err


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise OSError('the bus is off')", "reading failed with OSError: the bus is off"),
        ("return 'many'", "reading failed with ValueError: could not convert string to float: 'many'"),
        ("return float('nan')", "it gave nan"),
    ],
)
def test_reads_that_fail_end_neither_the_sampling_nor_the_command(tmp_path, body, said):
    code = EXAMPLE.replace(
        "        try:\n            return float(self.path.read_text())",
        f"        {body}\n        try:\n            pass",
    )
    assert body in code
    site, tree = install(tmp_path / "site", code), tmp_path / "tree"
    meters = ["--powercap", str(tree), "--meter", "rapl", "--meter", "wallplug"]
    with drawing(make_zone(tree / "intel-rapl:0", "package-0")):
        status, out, _ = inferometer(site, "meters", *meters, "--json", WALLPLUG="x")
        assert status == 0
        assert [row.get("failed") for row in json.loads(out)] == [None, said]
        status, out, _ = inferometer(site, "meters", *meters, WALLPLUG="x")
        assert f"  cannot be read now: {said}" in out.splitlines()
        status, _, err = inferometer(site, "measure", *meters, "--", *SLEEP, WALLPLUG="x")
        assert status == 0
        assert "energy  package-0 (cpu, rapl): " in err and " W, counter" in err
        assert f"energy  wall plug (external, wallplug): unresolved, at least 0 J: {said}" in err
