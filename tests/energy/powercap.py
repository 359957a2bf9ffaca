"""A powercap tree of real files in a temporary folder, whose counters a test moves."""


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
