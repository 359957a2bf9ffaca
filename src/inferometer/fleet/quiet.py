"""What Ray's client and gRPC print of a connection that breaks: it is told in a line by whoever uses the connection."""

from __future__ import annotations

import contextlib
import logging
import threading
import traceback
from collections.abc import Iterator

_CHATTY = "ray.util.client.logsclient"  # which has a level of its own, set as a connection is made


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let neither say anything, once a connection is there: gRPC's threads die with a traceback where a channel is closed under them."""
    logging.getLogger(_CHATTY).setLevel(logging.ERROR)
    before = threading.excepthook

    def heard(died: threading.ExceptHookArgs) -> None:
        if not _is_grpcs(died):
            before(died)

    threading.excepthook = heard
    try:
        yield
    finally:
        threading.excepthook = before


def _is_grpcs(died: threading.ExceptHookArgs) -> bool:
    """Return whether gRPC itself raised what a thread died of."""
    frames = [frame for frame, _ in traceback.walk_tb(died.exc_traceback)]
    return bool(frames) and str(frames[-1].f_globals.get("__name__")).startswith("grpc.")
