"""Who had the processors: the arithmetic on written accounts, and a real neighbour on this machine's."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from inferometer.worker.flags import flag
from inferometer.worker.system.contention import Contention, CpuAccounting, CpuSnapshot
from parts import missing

STAT = """cpu  400 0 100 1500 0 0 0 0 0 0
cpu0 {user} 0 50 {idle} 0 0 0 {steal} 0 0
cpu1 100 0 50 850 0 0 0 0 0 0
cpu7 900 0 0 0 0 0 0 0 0 0
intr 1 2 3
"""


@pytest.mark.parametrize("counted", [True, False])
def test_a_child_that_answers_is_no_neighbour(counted):
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        accounts = CpuAccounting(children=[spinning.pid] if counted else [])
        time.sleep(0.2)  # Python has begun
        before = accounts.now()
        if before is None:
            missing("/proc/stat of Linux")
        used_s = cpu_s(spinning.pid)
        time.sleep(1)
        found, used_s = accounts.since(before), cpu_s(spinning.pid) - used_s
    finally:
        spinning.kill()
        spinning.wait()
    assert used_s > 0.1
    assert (found.own_s > 0.8 * used_s) == counted


def cpu_s(process):
    times = psutil.Process(process).cpu_times()
    return times.user + times.system


class Held:
    """A quota that has held back for so long (s)."""

    seconds: float | None = 0.0

    def throttled_s(self):
        return self.seconds


def accounts(folder, processors=(0, 1), **counts):
    write(folder, **counts)
    found = CpuAccounting(folder, Held())
    found.processors = frozenset(processors)
    return found


def write(folder, user=300, idle=650, steal=0):
    (folder / "stat").write_text(STAT.format(user=user, idle=idle, steal=steal))


def contention(others_s=0.0, stolen_s=0.0, throttled_s=0.0, capacity_s=20.0):
    before = CpuSnapshot(100.0, 50.0, 1.0, 7.0, 3.0)
    own_s = 5.0
    after = CpuSnapshot(100.0 + capacity_s, 50.0 + own_s + others_s, 1.0 + stolen_s, 12.0, 3.0 + throttled_s)
    return Contention.between(before, after, processors=2)


def test_only_this_process_processors_count(tmp_path):
    found = accounts(tmp_path)
    before = found.now()
    write(tmp_path, user=400, idle=730, steal=20)
    found._quota.seconds = 0.25
    told = found.since(before)
    assert told.processors == 2
    assert told.capacity_s == pytest.approx(2.0)  # 200 ticks of 10 ms on cpu0, none on cpu1
    assert told.others_s == pytest.approx(1.0, abs=0.1)  # but for what this test itself took
    assert told.stolen_s == pytest.approx(0.2)
    assert told.throttled_s == pytest.approx(0.25)


def test_its_share_of_all_counts_processors_that_are_not_its_own(tmp_path):
    found = accounts(tmp_path)
    before = found.now()
    write(tmp_path, user=400, idle=730)
    stat = tmp_path / "stat"
    stat.write_text(stat.read_text().replace("cpu  400", "cpu  1400"))  # of which 9 s on processors of others
    told = found.since(before)
    assert told.host_busy_s == pytest.approx(10.0)
    facts = Contention(2, 4.0, 2.5, 0.0, 0.0, None, told.host_busy_s).facts()
    assert facts["own_of_all"] == 0.25
    assert Contention(2, 4.0, 2.5, 0.0, 0.0, None, 2.49).facts()["own_of_all"] == 1.0
    assert "own_of_all" not in contention().facts()


def test_own_time_is_no_other_process():
    assert contention(others_s=0.0).others_s == 0.0
    assert contention(others_s=-0.2).others_s == 0.0  # ticks are coarser than a process's own account
    assert contention(others_s=3.0).others_s == pytest.approx(3.0)


def test_a_reader_is_told_from_a_share_on():
    assert contention(others_s=0.9, stolen_s=0.19, throttled_s=0.05).flags() == []
    assert contention(others_s=1.2).flags() == [flag("others-computed", share=0.06, processors=2)]
    assert contention(others_s=5.0).flags() == [flag("crowded", share=0.25, processors=2)]
    assert contention(stolen_s=0.4).flags() == [flag("hypervisor", share=0.02, processors=2)]
    assert contention(throttled_s=1.2).flags() == [flag("quota", share=0.06, processors=2)]


def test_facts_are_shares():
    facts = contention(others_s=6.0, stolen_s=0.4).facts()
    shares = {"own_share": 0.25, "others_share": 0.3, "stolen_share": 0.02}
    assert facts == {"processors": 2, **shares, "throttled_s": 0.0}


def test_what_no_group_tells_is_not_told(tmp_path):
    found = accounts(tmp_path)
    found._quota.seconds = None
    before = found.now()
    write(tmp_path, idle=750)
    told = found.since(before)
    assert told.throttled_s is None and "throttled_s" not in told.facts() and told.flags() == []


def test_of_a_few_ticks_nothing_is_told(tmp_path):
    found = accounts(tmp_path)
    before = found.now()
    write(tmp_path, user=310)
    assert found.since(before) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n",
        "cpu0 1 2 3 4\ncpu1 1 2 3 4\n",
        "cpu0 9 0 0 9 0 0 0 0\n",  # a container that numbers its processors anew
    ],
)
def test_without_accounts_of_every_processor_nothing_is_told(tmp_path, text):
    found = accounts(tmp_path)
    (tmp_path / "stat").write_text(text)
    assert found.now() is None
    assert found.since(None) is None
    (tmp_path / "stat").unlink()
    assert found.now() is None


def test_a_real_neighbour_is_seen():
    found = CpuAccounting()
    before = found.now()
    if before is None:
        missing("this system keeps no accounts of its processors")
    code = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    told = found.since(before)
    assert told.others_s > 0.15 and told.facts()["others_share"] > 0
