"""Energy of spans of time, from this machine's meters, with an interval and a source on every joule.

In anyone's code:

    from inferometer import energy
    with energy.region("load"):
        ...
    print(energy.results().to_csv())

For the runner: `open_session`.
"""

from __future__ import annotations

from inferometer.energy.regions.process_profile import begin, configure, end, region, reset, results
from inferometer.energy.regions.profile import Profile
from inferometer.energy.regions.region import Region
from inferometer.energy.regions.results import RegionEnergy, RegionResults
from inferometer.energy.session import Session, open_session

__all__ = [
    "Profile",
    "Region",
    "RegionEnergy",
    "RegionResults",
    "Session",
    "begin",
    "configure",
    "end",
    "open_session",
    "region",
    "reset",
    "results",
]
