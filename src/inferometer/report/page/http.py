"""One request and one answer of HTTP/1.1, as little of it as a page needs, and strictly (RFC 9110, RFC 9112)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

_LINE = re.compile(rb"([A-Z]{1,16}) ([!-~]{1,4096}) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class BadRequestError(Exception):
    """A request that is none; its text says why."""


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    method: str
    path: str  # without its query
    host: str  # name or address, without the port
    headers: Mapping[str, str]  # by name in small letters; of several of one name the last
    may_stay: bool  # the connection may be used again

    @classmethod
    def parse(cls, head: bytes) -> Request:
        """Read the lines up to the empty one; BadRequestError where they are none, or name no host or several."""
        first, *lines = head.rstrip(b"\r\n").split(b"\r\n")
        line = _LINE.fullmatch(first)
        found = [_HEADER.fullmatch(text) for text in lines]
        if line is None or not all(found):
            raise BadRequestError("no request of HTTP/1.1")
        pairs = [(match[1].decode().lower(), match[2].decode("latin-1")) for match in found if match]
        hosts = [value for name, value in pairs if name == "host"]
        host = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if host is None:
            raise BadRequestError("a request names one host, and no user")
        headers = dict(pairs)
        has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        stays = line[3] == b"1" and headers.get("connection", "").lower() != "close" and not has_body
        path = line[2].decode().partition("?")[0]
        return cls(line[1].decode(), path, host[1] or host[2], headers, stays)


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: HTTPStatus
    content: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    tag: str = ""

    def encode(self, *, with_content: bool = True, stays: bool = False) -> bytes:
        """Return the answer as sent; ``stays``: the connection may be used again."""
        headers = {"Server": "inferometer", "Date": formatdate(usegmt=True), **_SECURITY}
        if self.tag:
            headers["ETag"] = self.tag
        if self.status != HTTPStatus.NOT_MODIFIED:
            headers |= {"Content-Type": self.kind, "Content-Length": str(len(self.content))}
        headers["Connection"] = "keep-alive" if stays else "close"
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join((*lines, "", "")).encode("latin-1") + (self.content if with_content else b"")
