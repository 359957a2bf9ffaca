import pytest


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Two packages whose counters stand still until a test moves them."""
    for name in ("package-0", "package-1"):
        zone = tmp_path / "powercap" / f"intel-rapl:{name[-1]}"
        zone.mkdir(parents=True)
        for file, text in (("name", name), ("max_energy_range_uj", "262143328850"), ("energy_uj", "0")):
            (zone / file).write_text(f"{text}\n")
    monkeypatch.setenv("INFEROMETER_POWERCAP", str(tmp_path / "powercap"))
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path / "characterizations"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.chdir(tmp_path)
    return tmp_path
