"""Kinds of number in what is read: beyond them a figure is damage that a reader would fail over, or wait for without end."""

from __future__ import annotations

from typing import Annotated

import msgspec

ROUNDS_LIMIT = 10**6
Count = Annotated[int, msgspec.Meta(ge=0)]
Size = Annotated[int, msgspec.Meta(ge=1)]
Round = Annotated[int, msgspec.Meta(ge=0, le=ROUNDS_LIMIT)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
DeviceName = Annotated[str, msgspec.Meta(pattern=r"^[^:]+(:[0-9]{1,9})?$")]  # what `Device.parse` reads
