"""A table's footnotes, each told once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from inferometer.flags import Flag, group_key, words


class Footnotes:
    """Footnotes, numbered from 1 as they come."""

    def __init__(self) -> None:
        # what makes one footnote -> its number, and all that it stands for
        self._notes: dict[Hashable, tuple[int, list[Flag | str]]] = {}

    def exactly(self, text: str) -> tuple[int, ...]:
        """Return the number of a text that stands for itself; () for an empty one."""
        return (self._number(text, text),) if text else ()

    def number(self, flags: Iterable[Flag]) -> tuple[int, ...]:
        """Return the numbers of flags, ascending; those told as one share a number."""
        found = {self._number(group_key(flag), flag) for flag in flags}
        return tuple(sorted(found)) if found else ()

    def _number(self, key: Hashable, told: Flag | str) -> int:
        number, members = self._notes.setdefault(key, (len(self._notes) + 1, []))
        members.append(told)
        return number

    def texts(self) -> tuple[str, ...]:
        """Return the footnotes in the order of their numbers."""
        return tuple(_text(members) for _, members in self._notes.values())


def _text(members: list[Flag | str]) -> str:
    flags = [member for member in members if isinstance(member, Flag)]
    return words(*flags) if flags else str(members[0])
