"""This installation of inferometer as a wheel, whichever way it was installed."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from inferometer.errors import UsageError, unknown
from inferometer.version import __version__

_NAME = "inferometer"
_PACKAGE = Path(__file__).parents[1]
_EXTRA = re.compile(r"extra == ['\"](\w+)['\"]")
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can tell: equal code gives equal bytes


def requirement_lines(extras: Iterable[str] = ()) -> list[str]:
    """Return what inferometer needs, with that of some of its extras; UsageError for an extra that it has not."""
    known = [name for name in _distribution().metadata.get_all("Provides-Extra") or () if name != "dev"]
    for name in extras:
        if name not in known:
            raise unknown("extra", name, known)
    return [*dict.fromkeys(line for extra in ("", *extras) for line in _lines_of(extra))]


def _lines_of(extra: str) -> Iterator[str]:
    """Yield the requirements of an extra, or ("") of inferometer without any."""
    from packaging.requirements import Requirement

    for line in _distribution().requires or ():
        wanted, _, marker = line.partition(";")
        if extra != (_EXTRA.search(marker) or {1: ""})[1]:
            continue
        if (named := Requirement(wanted)).name == _NAME:  # an extra of several others
            yield from (each for other in sorted(named.extras) for each in _lines_of(other))
        else:
            yield wanted.strip() if extra else line


def write_own_wheel(folder: Path) -> Path:
    """Write the wheel (PEP 427) into a folder and return its path."""
    info = f"{_NAME}-{__version__}.dist-info"
    content = {
        f"{_NAME}/{path.relative_to(_PACKAGE).as_posix()}": path.read_bytes()
        for path in sorted(_PACKAGE.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    own = _distribution()
    content[f"{info}/METADATA"] = (own.read_text("METADATA") or "").encode()
    content[f"{info}/entry_points.txt"] = (own.read_text("entry_points.txt") or "").encode()
    content[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: {_NAME}\nRoot-Is-Purelib: true\nTag: py3-none-any\n".encode()
    )
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in content.items())
    content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = folder / f"{_NAME}-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            file.writestr(entry, data)
    return wheel


def _distribution() -> Distribution:
    own = distribution(_NAME)
    if own.version != __version__:
        raise UsageError(
            f"inferometer {__version__} was installed as {own.version}; install it again (pip install -e .), then pack"
        )
    return own


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
