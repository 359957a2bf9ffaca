"""Sessions over simulated devices, driven without a thread and without waiting."""

import pytest

from inferometer.energy import stored


@pytest.fixture(autouse=True)
def no_characterizations(monkeypatch, tmp_path):
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path / "no-characterizations"))
    assert stored.load("anything") is None
