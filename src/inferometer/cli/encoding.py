"""Words and paths that are not UTF-8, which no file of a run or report could hold."""

from __future__ import annotations

from collections.abc import Iterable

from inferometer.errors import UsageError


def refuse_other_encodings(words: Iterable[str]) -> None:
    """Raise UsageError for a word of the command line that is not UTF-8."""
    for word in words:
        if told := other_encoding(word):
            raise UsageError(told)


def other_encoding(text: str) -> str:
    """Return what to say of a text that the system gave in another encoding, "" of any other."""
    if text.isascii() or not any("\udc80" <= sign <= "\udcff" for sign in text):
        return ""
    as_given = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return f"'{as_given}' is not UTF-8; rename the file or folder, or give another name"
