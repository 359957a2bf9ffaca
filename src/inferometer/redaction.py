"""Passwords in addresses, taken out of whatever is stored or printed."""

from __future__ import annotations

import re

_HIDDEN = "***"
_SHORTEST = 4  # characters of a part of a password that is looked for elsewhere in the same text
# scheme://user:password@ or scheme://token@; a password that was not encoded may hold any sign but those that end a word
_USER = re.compile(r"""(?<=://)(?:[^\s/@:"'<>\\]*:[^\s"'<>\\]*|[^\s/@:"'<>\\]+)@""")
_USER_BYTES = re.compile(_USER.pattern.encode())


def redacted(text: str) -> str:
    """Return a text without user names and passwords in its addresses: "mqtt://u:p@lab" is "mqtt://***@lab".

    Nor does what an error quotes of such a password stay.
    """
    if "://" not in text:
        return text
    secrets = [part for user in _USER.findall(text) for part in re.split(r"[:/@]", user)[1:]]
    text = _USER.sub(f"{_HIDDEN}@", text)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN) if len(secret) >= _SHORTEST else text
    return text


def without_user(address: str) -> str:
    """Return an address without user name and password, whatever signs these hold: of a text `redacted` can only guess where it ends."""
    before, at, host = address.rpartition("@")
    scheme, separator, _ = before.partition("://")
    return f"{scheme if separator else ''}{separator}{_HIDDEN}@{host}" if at else address


def redacted_bytes(data: bytes) -> bytes:
    """Return a file's content, JSON or text in UTF-8, as `redacted` does."""
    return _USER_BYTES.sub(f"{_HIDDEN}@".encode(), data) if b"://" in data else data
