"""The profile of this process, which `inferometer.energy`'s functions use: every meter, opened on first use."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable

from inferometer.energy.regions.profile import Profile
from inferometer.energy.regions.region import Region
from inferometer.energy.regions.results import RegionResults
from inferometer.energy.regions.total import Visit
from inferometer.energy.session import open_session
from inferometer.errors import UsageError

# by process: a forked child has no sampling thread and opens meters of its own
_default: dict[int, Profile] = {}
_default_lock = threading.RLock()
# no other thread holds it when the process is forked: the child would wait for that one forever
os.register_at_fork(
    before=_default_lock.acquire,
    after_in_parent=_default_lock.release,
    after_in_child=_default_lock.release,
)


def default_profile() -> Profile:
    """Return this process's profile over every meter, opened on first use."""
    profile = _default.get(os.getpid())
    if profile is not None:
        return profile
    with _default_lock:
        if os.getpid() not in _default:
            _default.clear()
            _default[os.getpid()] = Profile()
        return _default[os.getpid()]


def configure(meters: Iterable[str] | None = None, *, device: str = "", powercap: str | None = None) -> None:
    """Choose the meters of this process's regions; to be called before the first region."""
    with _default_lock:
        if os.getpid() in _default:
            raise UsageError(
                "regions were measured already; call configure before the first region, or reset()"
            )
        _default.clear()
        _default[os.getpid()] = Profile(open_session(device, meters, powercap=powercap))


def region(name: str) -> Region:
    """Return a region of this process: `with region("load"):`, or `@region("load")`."""
    return Region(name, default_profile)


def begin(name: str) -> Visit:
    """Enter a region of this process; end it with `end`."""
    return (_default.get(os.getpid()) or default_profile()).begin(name)


def end(visit: Visit) -> None:
    """Leave the region."""
    profile = visit.profile if isinstance(visit, Visit) else default_profile()
    profile.end(visit)


def results() -> RegionResults:
    """Return the energy of every region of this process."""
    return default_profile().results()


def reset() -> None:
    """Forget this process's regions and let go of the meters."""
    with _default_lock:
        for profile in _default.values():
            profile.close()
        _default.clear()
