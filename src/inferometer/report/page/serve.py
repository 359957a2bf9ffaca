"""The live report over HTTP, for the reader's own machine: two addresses, both read only."""

from __future__ import annotations

import errno
import http.server
import ipaddress
import socket
import sys
from http import HTTPStatus

from inferometer.errors import UsageError
from inferometer.report.page.live import LiveFolder

_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Server(http.server.ThreadingHTTPServer):
    """Serves one folder; `url` is where."""

    daemon_threads = True

    def __init__(self, live: LiveFolder, host: str, port: int) -> None:
        self.live = live
        self.host = host
        self.local = is_local(host)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Return the address to open."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.server_address[1]}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent about readers who left in the middle of an answer; let everything else be seen."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def open_server(live: LiveFolder, host: str, port: int) -> Server:
    """Return a server bound to ``host`` and ``port`` (0: any free one); UsageError if it cannot be."""
    try:
        return Server(live, host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} of {host} is in use; give another --port (0: any free one)"
            ) from error
        if error.errno == errno.EACCES:
            raise UsageError(
                f"port {port} may not be opened by this user; give a --port above 1023"
            ) from error
        raise UsageError(f"cannot serve on {host}: {error.strerror or error}; give another --host") from error


def is_local(host: str) -> bool:
    """Return whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "inferometer"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        if self.server.local and not self._host_is_ours():
            self._send(
                HTTPStatus.FORBIDDEN, b"this server answers to local names only\n", with_body=with_body
            )
        elif path not in ("/", "/body"):
            self._send(HTTPStatus.NOT_FOUND, b"there is only / here\n", with_body=with_body)
        else:
            self._report(path, with_body=with_body)

    def _host_is_ours(self) -> bool:
        """Refuse names that a stranger's page could have pointed at this machine (DNS rebinding)."""
        name = self.headers.get("Host", "").strip()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        return is_local(name)

    def _report(self, path: str, *, with_body: bool) -> None:
        snapshot = self.server.live.snapshot()
        if path == "/body" and self.headers.get("If-None-Match") == snapshot.tag:
            self._send(HTTPStatus.NOT_MODIFIED, b"", tag=snapshot.tag, with_body=False)
        else:
            content = snapshot.page if path == "/" else snapshot.body
            self._send(HTTPStatus.OK, content, "text/html; charset=utf-8", snapshot.tag, with_body=with_body)

    def _send(
        self, status: HTTPStatus, content: bytes, kind: str = "text/plain", tag: str = "", *, with_body: bool
    ) -> None:
        self.send_response(status)
        for name, value in _SECURITY.items():
            self.send_header(name, value)
        if tag:
            self.send_header("ETag", tag)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a poll every two seconds is no news."""
