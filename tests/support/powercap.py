"""A powercap tree of real files in a temporary folder, whose counters a test moves."""

import contextlib
import os
import threading
import time


def make_zone(folder, name, microjoules=0, range_uj=262143328850):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
    set_counter(folder, microjoules)
    return folder


def set_counter(folder, microjoules):
    """Overwrite in place, as sysfs does: readers keep the file open."""
    with (folder / "energy_uj").open("r+b" if (folder / "energy_uj").exists() else "wb") as file:
        file.write(f"{microjoules}\n".encode())
        file.truncate()


@contextlib.contextmanager
def drawing(zone, watts=50):
    """Let a zone's counter grow as at so many watts."""
    begin, done = time.monotonic(), threading.Event()

    def count():
        with contextlib.suppress(OSError):  # a counter of the hardware's waits for no other process
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -19)
        while not done.wait(0.001):
            set_counter(zone, round((time.monotonic() - begin) * watts * 1e6))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield zone
    finally:
        done.set()
        thread.join()
