"""Cores are shared out so that no instance has another's."""

import os

import pytest

from inferometer.worker.system.cores import disjoint_cores, strays


def machine(folder, places):
    """Write where CPUs lie: number -> (package, core)."""
    for cpu, (package, core) in places.items():
        topology = folder / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text(f"{package}\n")
        (topology / "core_id").write_text(f"{core}\n")
    return folder


@pytest.fixture
def two_packages(tmp_path, monkeypatch):
    """Four cores of two threads in two packages, numbered as Linux does: first threads first."""
    places = {cpu: ((cpu % 4) // 2, cpu % 2) for cpu in range(8)}
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(places))
    return machine(tmp_path, places)


def test_threads_of_a_core_and_cores_of_a_package_stay_together(two_packages):
    assert disjoint_cores(2, 4, two_packages) == [[0, 4, 1, 5], [2, 6, 3, 7]]
    assert disjoint_cores(4, 2, two_packages) == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_cores_are_used_before_their_second_threads(two_packages):
    assert disjoint_cores(2, 2, two_packages) == [[0, 1], [2, 3]]
    assert disjoint_cores(2, 1, two_packages) == [[0], [1]]


def test_no_two_instances_share_a_core_where_whole_cores_suffice(two_packages):
    assert disjoint_cores(2, 3, two_packages) == [[0, 4, 1], [2, 6, 3]]
    assert disjoint_cores(3, 2, two_packages) == [[0, 4], [1, 5], [2, 6]]


def test_a_core_is_shared_only_where_it_must_be(two_packages):
    found = disjoint_cores(5, 1, two_packages)
    assert sorted(cpu for share in found for cpu in share) == [0, 1, 2, 3, 4]


def test_where_nothing_is_told_each_cpu_is_a_core(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7})
    assert disjoint_cores(3, 1, tmp_path) == [[3], [5], [7]]
    with pytest.raises(ValueError, match="more than the 3 CPUs"):
        disjoint_cores(2, 2, tmp_path)


def test_threads_that_may_run_elsewhere_are_found():
    own = os.sched_getaffinity(0)
    assert strays(os.getpid(), own) == set()
    assert strays(os.getpid(), set()) == own
