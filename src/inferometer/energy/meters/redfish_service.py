"""Ask a baseboard management controller (BMC) by DMTF's Redfish: JSON over HTTPS, with a password, on one kept connection."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from inferometer.energy.meters.addresses import split_address
from inferometer.errors import MeterError, UsageError
from inferometer.redaction import without_user

ROOT = "/redfish/v1"
ANSWER_S = 5.0
LARGEST_ANSWER = 1 << 20
CREDENTIALS, AUTHORITIES = "INFEROMETER_REDFISH_CREDS", "INFEROMETER_REDFISH_CA"


@dataclass(frozen=True)
class Address:
    """Where a BMC listens."""

    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read redfish://HOST[:PORT] (HTTPS), or redfish+http:// for one without TLS; UsageError otherwise."""
        parts, port = split_address(url, "address of a BMC", "write redfish://bmc")
        if parts.scheme not in ("redfish", "redfish+http") or not parts.hostname or parts.path.strip("/"):
            raise UsageError(
                f"'{without_user(url)}' is no address of a BMC; write redfish://bmc or redfish://bmc:8443"
            )
        if parts.username or parts.password:
            raise UsageError(
                f"a password in an address would be stored with the run; set {CREDENTIALS}=user:password"
            )
        tls = parts.scheme == "redfish"
        return cls(parts.hostname, port or (443 if tls else 80), tls)

    def __str__(self) -> str:
        return f"{'redfish' if self.tls else 'redfish+http'}://{self.host}:{self.port}"


class Service:
    """The resources of one BMC; `get` may be called from one thread at a time."""

    def __init__(self, address: Address, environ: Mapping[str, str]) -> None:
        """Prepare; MeterError if the environment's credentials or authorities cannot be used."""
        self.address = address
        self._headers = {"Accept": "application/json", "OData-Version": "4.0"}
        user, separator, password = environ.get(CREDENTIALS, "").partition(":")
        if separator:
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"
        elif user:
            raise MeterError(f"{CREDENTIALS} is not of the form user:password")
        self._context = _context(environ.get(AUTHORITIES)) if address.tls else None
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str) -> dict[str, Any]:
        """Return a resource; decimal fractions as `Decimal`, whose digits tell how fine they are. MeterError if it is not to be had."""
        try:
            status, body = self._ask(path)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise MeterError(f"the BMC at {self.address} does not answer: {_why(error)}") from error
        if status in (401, 403):
            raise MeterError(
                f"the BMC at {self.address} refuses {path} ({status}); set {CREDENTIALS}=user:password"
            )
        if status != 200:
            raise MeterError(f"the BMC at {self.address} answers {status} for {path}")
        try:
            found = json.loads(body, parse_float=Decimal)
        except ValueError as error:
            raise MeterError(f"what {self.address} answers for {path} is no JSON") from error
        if not isinstance(found, dict):
            raise MeterError(f"what {self.address} answers for {path} is no resource")
        return found

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
            self._connection = None

    def _ask(self, path: str) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = self._connect()
        try:
            return self._send(self._connection, path)
        except (http.client.RemoteDisconnected, ConnectionError):  # it was kept for too long: once more, anew
            self.close()
            self._connection = self._connect()
            return self._send(self._connection, path)

    def _send(self, connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
        connection.request("GET", path, headers=self._headers)
        answer = connection.getresponse()
        body = answer.read(LARGEST_ANSWER + 1)
        if len(body) > LARGEST_ANSWER:
            raise http.client.HTTPException(f"an answer of more than {LARGEST_ANSWER} bytes")
        return answer.status, body

    def _connect(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(self.address.host, self.address.port, timeout=ANSWER_S)
        return http.client.HTTPSConnection(
            self.address.host, self.address.port, timeout=ANSWER_S, context=self._context
        )


def link(resource: Mapping[str, Any], name: str) -> str:
    """Return the path that a resource links to by ``name``; "" where it has no such link, or one to elsewhere."""
    found = resource.get(name)
    path = found.get("@odata.id") if isinstance(found, dict) else None
    return path if isinstance(path, str) and path.startswith("/") else ""


def members(collection: Mapping[str, Any]) -> list[str]:
    """Return the paths of a collection's members."""
    found = collection.get("Members")
    listed = found if isinstance(found, list) else []
    return [path for one in listed if (path := link({"member": one}, "member"))]


def _context(authorities: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities or None)
    except OSError as error:
        raise MeterError(f"{AUTHORITIES} cannot be used: {_why(error)}") from error


def _why(error: Exception) -> str:
    told = getattr(error, "verify_message", "")
    if told:
        return f"{told} ({AUTHORITIES}=FILE names the authority of its certificate)"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
