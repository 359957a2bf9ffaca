"""What `inferometer meters characterize` found, kept between runs: a JSON file a device in the user's data folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from inferometer.energy.readings import Meter
from inferometer.errors import MeterError


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
    """Return the file of one device."""
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in uid)[:60]
    return folder() / f"{plain}-{hashlib.sha256(uid.encode()).hexdigest()[:8]}.json"


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


def apply_stored(meters: Iterable[Meter]) -> dict[str, dict[str, Any]]:
    """Set each meter's period and integration to what was measured; return the characterizations by uid."""
    known = {}
    for meter in meters:
        facts = load(meter.device.uid)
        if facts is None:
            continue
        known[meter.device.uid] = facts
        counter = facts.get("counter", {})
        if meter.traits.kind == "counter":
            period = counter.get("period_s")
            known_period = bool(period) or meter.traits.period_known
            verdict = counter.get("integrates")
            integrates = meter.traits.integrates if verdict is None else bool(verdict)
            meter.traits = replace(
                meter.traits,
                period_s=float(period or meter.traits.period_s),
                period_known=known_period,
                integrates=integrates,
            )
    return known
