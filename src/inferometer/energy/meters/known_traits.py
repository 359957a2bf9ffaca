"""What `inferometer meters characterize` found, kept between runs: a JSON file a device in the user's data folder.

The folder may be shared by many machines (a home on the network), each of which has a `rapl:package-0`: a file is of a device of
one machine, unless its uid is the only one of its kind in the world.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from inferometer.energy.meters.phase_spread import integrates
from inferometer.energy.readings import Meter, Traits
from inferometer.errors import MeterError

LONGEST_S = 3600.0  # a longer update period is no measurement
UNIQUE = ("GPU-", "redfish")  # a card's UUID, and the address of a BMC


def folder() -> Path:
    """Return where characterizations lie: INFEROMETER_METERS or the user's data folder; MeterError if there is none."""
    given = os.environ.get("INFEROMETER_METERS")
    if given:
        return Path(given)
    from platformdirs import user_data_path

    try:
        return user_data_path("inferometer") / "meters"
    except RuntimeError as error:  # neither HOME nor the user database says where
        raise MeterError("this user has no home folder; set INFEROMETER_METERS to a folder") from error


def path_of(uid: str) -> Path:
    """Return the file of one device, as met on this machine."""
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in uid)[:60]
    whose = uid if uid.startswith(UNIQUE) else f"{machine()} {uid}"
    return folder() / f"{plain}-{hashlib.sha256(whose.encode()).hexdigest()[:8]}.json"


@functools.cache
def machine() -> str:
    """Return what tells this machine from others; those of one image have one machine-id, so it is not that alone."""
    try:
        number = Path("/etc/machine-id").read_text().strip()
    except OSError:
        number = ""
    return f"{number} {platform.node()}"


def save(uid: str, facts: dict[str, Any]) -> Path:
    """Write a device's characterization; MeterError if the folder cannot be written."""
    path = path_of(uid)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n")
        temporary.replace(path)
    except OSError as error:
        raise MeterError(
            f"cannot write {path}: {error.strerror}; set INFEROMETER_METERS to a folder that can"
        ) from error
    return path


def load(uid: str) -> dict[str, Any] | None:
    """Return a device's characterization, or None where there is none or it is damaged."""
    try:
        facts = msgspec.json.decode(path_of(uid).read_bytes())
    except (OSError, MeterError, msgspec.MsgspecError):
        return None
    return facts if isinstance(facts, dict) and facts.get("uid") == uid else None


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def apply_stored(meters: Iterable[Meter]) -> dict[str, dict[str, Any]]:
    """Set each meter's period and integration to what was measured; return the characterizations by uid."""
    known = {}
    for meter in meters:
        facts = load(meter.device.uid)
        if facts is None:
            continue
        known[meter.device.uid] = facts
        if meter.traits.kind == "counter":
            meter.traits = _as_measured(meter.traits, facts)
    return known


def _as_measured(traits: Traits, facts: dict[str, Any]) -> Traits:
    """Return traits with what was measured of the counter; what is damaged of it is left out."""
    counter, spread = (_table(facts.get(name)) for name in ("counter", "phase_spread"))
    period, verdict = counter.get("period_s"), counter.get("integrates")
    if isinstance(share := spread.get("meter"), (int, float)):
        verdict = integrates(share)  # earlier versions took up to 10 % for seeing all
    if isinstance(period, (int, float)) and 0 < period < LONGEST_S:
        # no value is handed out more often by who holds it, whatever was measured
        least_s = traits.period_s if traits.held_s else 0.0
        traits = replace(traits, period_s=max(float(period), least_s), period_known=True)
    return replace(traits, integrates=verdict) if isinstance(verdict, bool) else traits
