"""The parts of a network meter's address, checked before anything connects."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from inferometer.errors import UsageError
from inferometer.redaction import without_user


def split_address(url: str, what: str, example: str) -> tuple[SplitResult, int | None]:
    """Return an address's parts and its port, if it has one; UsageError where no address can have them.

    ``what`` and ``example``: what it is meant to be, and one such, for the message.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")  # as a look-up of the name does, with an error of its own
    except UnicodeError as error:
        raise UsageError(
            f"'{without_user(url)}' is no {what} (a host's name has 1 to 63 letters between its dots); {example}"
        ) from error
    except ValueError as error:
        quoted = "" if "@" in url else f" ({error})"  # which may quote a part of a password
        raise UsageError(f"'{without_user(url)}' is no {what}{quoted}; {example}") from error
    return parts, port
