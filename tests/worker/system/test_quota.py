"""Processor quotas of control groups, version 1 and 2, as containers show them."""

import pytest

from inferometer.worker.system.quota import Quota


def host(folder, own, **files):
    """Write /proc/self/cgroup and the files of a mount; names have "__" for "/" and "_DOT_" for "."."""
    (folder / "proc" / "self").mkdir(parents=True)
    (folder / "proc" / "self" / "cgroup").write_text(own)
    for name, text in files.items():
        path = folder / "mount" / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Quota(folder / "proc", folder / "mount")


def stat(us):
    return f"usage_usec 9\nnr_periods 3\nthrottled_usec {us}\n"


def test_the_smallest_of_the_groups_above_holds(tmp_path):
    quota = host(
        tmp_path, "0::/a/b\n",
        a__cpu_DOT_max="300000 100000\n", a__b__cpu_DOT_max="max 100000\n",
        a__cpu_DOT_stat=stat(2_000_000), a__b__cpu_DOT_stat=stat(500_000), cpu_DOT_stat="usage_usec 9\n",
    )  # fmt: skip
    assert quota.cores() == 3.0
    assert quota.throttled_s() == pytest.approx(2.5)


def test_a_container_that_sees_its_group_as_the_root(tmp_path):
    quota = host(
        tmp_path, "0::/docker/4f\n", cpu_DOT_max="150000 100000\n", cpu_DOT_stat=stat(100_000)
    )  # the path is the host's
    assert quota.cores() == 1.5
    assert quota.throttled_s() == pytest.approx(0.1)


def test_version_one(tmp_path):
    files = {
        "cpu__pod__cpu_DOT_cfs_quota_us": "200000\n", "cpu__pod__cpu_DOT_cfs_period_us": "100000\n",
        "cpu__pod__cpu_DOT_stat": "nr_periods 1\nthrottled_time 700000000\n",
        "cpu__cpu_DOT_cfs_quota_us": "-1\n", "cpu__cpu_DOT_cfs_period_us": "100000\n",
    }  # fmt: skip
    quota = host(tmp_path, "4:memory:/pod\n3:cpu,cpuacct:/pod\n1:name=systemd:/\n", **files)
    assert quota.cores() == 2.0
    assert quota.throttled_s() == pytest.approx(0.7)


def test_without_groups_or_quota_nothing_is_told(tmp_path):
    assert Quota(tmp_path / "proc", tmp_path / "mount").cores() is None
    quota = host(tmp_path, "0::/\n", cpu_DOT_stat="usage_usec 9\n", cpu_DOT_max="max 100000\n")
    assert quota.cores() is None and quota.throttled_s() is None
