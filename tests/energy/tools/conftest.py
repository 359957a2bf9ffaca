import tempfile
from pathlib import Path

import pytest

from inferometer.energy.tools.serve import Access, serving
from inferometer.energy.tools.shared_meters import SharedMeter
from powercap import drawing, make_zone
from ramps import WATTS, Ramp


@pytest.fixture
def folder():
    """A folder that every user may enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def zone(folder):
    with drawing(make_zone(folder / "tree" / "intel-rapl:0", "package-0"), WATTS) as made:
        yield made


@pytest.fixture
def ramp(tmp_path):
    meter = Ramp()
    shared = {meter.device.uid: SharedMeter(meter)}
    with serving(shared, tmp_path / "s", Access()):
        yield meter, {"INFEROMETER_METERS_SOCKET": str(tmp_path / "s")}
