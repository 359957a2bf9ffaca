"""Free memory by the host and by the control groups above a process."""

from inferometer.worker.system.memory import free_bytes, limit_bytes


def host(folder, own, **files):
    """Write /proc/self/cgroup and the files of a mount; return its free bytes. 9 GB of the host are free."""
    (folder / "proc" / "self").mkdir(parents=True)
    (folder / "proc" / "self" / "cgroup").write_text(own)
    (folder / "proc" / "meminfo").write_text("MemTotal: 99000000 kB\nMemAvailable: 9000000 kB\n")
    for name, text in files.items():
        path = folder / "mount" / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return free_bytes(folder / "proc", folder / "mount")


def limit(folder):
    return limit_bytes(folder / "proc", folder / "mount")


def test_a_limit_of_any_group_above_holds(tmp_path):
    found = host(
        tmp_path, "0::/slice/job\n",
        slice__memory_DOT_max=1000, slice__memory_DOT_current=400,
        slice__job__memory_DOT_max="max", slice__job__memory_DOT_current=300,
    )  # fmt: skip
    assert found == 600 and limit(tmp_path) == 1000


def test_files_that_the_kernel_can_drop_count_as_free(tmp_path):
    limits = {"memory_DOT_max": 1000, "memory_DOT_current": 900}
    assert host(tmp_path, "0::/\n", **limits, memory_DOT_stat="anon 100\ninactive_file 750") == 850


def test_version_one(tmp_path):
    found = host(
        tmp_path, "5:memory:/pod\n3:cpu:/pod\n",
        memory__pod__memory_DOT_limit_in_bytes=2000, memory__pod__memory_DOT_usage_in_bytes=500,
        memory__memory_DOT_limit_in_bytes=9223372036854771712, memory__memory_DOT_usage_in_bytes=1,
    )  # fmt: skip
    assert found == 1500 and limit(tmp_path) == 2000


def test_without_a_limit_the_host_tells(tmp_path):
    assert host(tmp_path, "0::/\n", memory_DOT_max="max", memory_DOT_current=5) == 9_000_000 * 1024
    assert free_bytes() > 0 and limit(tmp_path) is None
