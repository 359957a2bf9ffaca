"""What a reader of a cell must know besides its numbers: flags as data, and the one place that puts them into words.

A flag has a kind and values; `KINDS` says how each kind is told. Flags of one kind are told as one: numbers that differ as
a span ("cut at 7 to 37 of 50 batches"), while another text (a device's name, a cause) makes another flag. A value that
only a kind's details name differs from round to round, or matters to few: it stays out of tables.
"""

from __future__ import annotations

from inferometer.flags.flag import CELL, ENERGY, INTERVAL, Flag, Value
from inferometer.flags.kinds import DISTURBED, KINDS, Kind, flag
from inferometer.flags.wording import Told, Who, details, group, group_key, words

__all__ = [
    "CELL",
    "DISTURBED",
    "ENERGY",
    "INTERVAL",
    "KINDS",
    "Flag",
    "Kind",
    "Told",
    "Value",
    "Who",
    "details",
    "flag",
    "group",
    "group_key",
    "words",
]
