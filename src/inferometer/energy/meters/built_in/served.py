"""This host's meters as root serves them: `inferometer meters serve` over a Unix socket, for users who may not read RAPL.

A device keeps its uid and the meter that reads it, so that its joules are those of the same counter; where it can be read
directly, that is done. Values are read anew every 10 ms at most, which the traits say.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any

from inferometer.energy.meters.found import Absence, Found
from inferometer.energy.meters.served_lines import (
    FRESHEST_S,
    LONGEST_LINE,
    SOCKET,
    SOCKET_VARIABLE,
    VERSION,
    Answer,
    Offered,
    Question,
    decode_answer,
    encode,
)
from inferometer.energy.readings import Traits
from inferometer.errors import MeterError

ANSWER_S = 2.0  # within which the server must answer
_START = "root starts it with: inferometer meters serve --group NAME"


class Line:
    """A connection to the server, made anew when it was lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._answers: BufferedReader | None = None

    def ask(self, question: Question) -> Answer:
        """Return the answer; MeterError if there is none. OSError only where no connection can be made."""
        if self._socket is None:
            self._connect()
        assert self._socket and self._answers
        try:
            self._socket.sendall(encode(question))
            return decode_answer(self._answers.readline(LONGEST_LINE))
        except (OSError, MeterError) as error:
            self.close()
            raise MeterError(f"{self._path}: {_why(error)}") from error

    def close(self) -> None:
        """End the connection."""
        for part in (self._answers, self._socket):
            if part is not None:
                with contextlib.suppress(OSError):
                    part.close()
        self._socket = self._answers = None

    def _connect(self) -> None:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(ANSWER_S)
        try:
            line.connect(str(self._path))
        except OSError:
            line.close()
            raise
        self._socket, self._answers = line, line.makefile("rb")


class ServedMeter:
    """One meter that the server reads."""

    def __init__(self, offered: Offered, path: Path) -> None:
        self.device = offered.device
        self.traits = _through_the_socket(offered.traits)
        self._line = Line(path)
        self._closed = False

    def read(self) -> float:
        """Return joules or watts; MeterError while the server is away."""
        if self._closed:
            raise MeterError(f"{self.device.uid} is closed")
        try:
            value = self._line.ask(Question("read", self.device.uid)).value
        except OSError as error:
            raise MeterError(f"no answer from 'inferometer meters serve': {_why(error)}") from error
        if value is None:
            raise MeterError(f"the server told no value of {self.device.uid}")
        return value

    def conditions(self) -> dict[str, Any]:
        """Return nothing: energy and power alone are served."""
        return {}

    def close(self) -> None:
        """End the connection."""
        self._closed = True
        self._line.close()


def find(environ: Mapping[str, str]) -> Found:
    """Return the meters that are served at INFEROMETER_METERS_SOCKET or /run/inferometer/meters.sock."""
    told = environ.get(SOCKET_VARIABLE, SOCKET)
    if not told:
        return Found()
    path, line = Path(told), Line(Path(told))
    try:
        answer = line.ask(Question("meters"))
    except FileNotFoundError:
        absence = Absence("served", "", f"there is no socket {path}", _START)
        return Found(absences=(absence,)) if environ.get(SOCKET_VARIABLE) else Found(quiet=(absence,))
    except PermissionError:
        remedy = "join the group that owns it, or have root start it with --everyone"
        return Found(absences=(Absence("served", "", f"{path} is not open to this user", remedy),))
    except OSError as error:
        return Found(absences=(Absence("served", "", f"{path}: {_why(error)}", _START),))
    finally:
        line.close()
    if answer.version != VERSION:
        reason = f"{path} speaks version {answer.version}, not {VERSION}"
        return Found(absences=(Absence("served", "", reason, "start it anew with this inferometer"),))
    return Found(tuple(ServedMeter(offered, path) for offered in answer.meters))


def _through_the_socket(traits: Traits) -> Traits:
    """Return how a meter behaves here: a value that was read up to `FRESHEST_S` ago was a period old then, at most."""
    held_s = min(traits.period_s or FRESHEST_S, FRESHEST_S) if traits.period_known else FRESHEST_S
    return replace(traits, period_s=max(traits.period_s, FRESHEST_S), held_s=traits.held_s + held_s)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
