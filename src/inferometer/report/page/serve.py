"""The live report over HTTP, for the reader's own machine: two addresses, both read only.

One thread answers, another renders, however many connect: a connection that is slow to ask costs a socket and no thread, for as
long as there is room.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from inferometer.errors import UsageError
from inferometer.report.page.http import Answer, BadRequestError, Request
from inferometer.report.page.live import LiveFolder, LivePage

HEADER_S = 10.0  # a connection that has not asked by then is closed
_SEND_S = 60.0  # and one that does not take its answer
_HEADER_BYTES = 16 * 1024
_MOST_OPEN = 400  # connections; beyond, those that wait to ask go first
_BACKLOG = 1024
_SHUT = 10.0


class Server:
    """Serves one folder; `url` is where."""

    def __init__(
        self, live: LiveFolder, host: str, port: int, say: Callable[[str], None] = lambda text: None
    ) -> None:
        """Bind ``host`` and ``port``, OSError if it cannot be; ``say`` is told, once, why a report could not be made."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host = host
        self._live, self._say, self._local = live, say, is_local(host)
        self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self.server_address: tuple[str, int] = self._socket.getsockname()[:2]
        self._told: set[str] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._waiting: dict[asyncio.StreamWriter, None] = {}  # for their request, the oldest first
        self._rendering: asyncio.Future[LivePage] | None = None
        self._stopped = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """Return the address to open."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.server_address[1]}/"

    def serve_forever(self, ready: Callable[[], None] = lambda: None) -> None:
        """Answer until `shutdown`, or KeyboardInterrupt; ``ready`` is called once an interruption ends it cleanly."""
        try:
            asyncio.run(self._serve(ready))
        finally:
            self._stopped.set()

    def shutdown(self) -> None:
        """End `serve_forever`, which runs in another thread."""
        if self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._stopped.wait(_SHUT)

    def server_close(self) -> None:
        """Give the port back."""
        self._socket.close()

    async def _serve(self, ready: Callable[[], None]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        with ThreadPoolExecutor(1) as self._renderer:
            server = await asyncio.start_server(
                self._connected, sock=self._socket, limit=_HEADER_BYTES, backlog=_BACKLOG
            )
            try:
                ready()
                await self._stop.wait()
            finally:
                server.close()
                for writer in tuple(self._open):
                    writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self._waiting[writer] = None
        if len(self._open) > _MOST_OPEN:
            next(iter(self._waiting)).transport.abort()
        try:
            while await self._answered(reader, writer):
                self._waiting[writer] = None
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # readers leave in the middle of an answer, or never ask; or the server ends before they are answered
        finally:
            self._waiting.pop(writer, None)
            self._open.discard(writer)
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection may bring another."""
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEADER_S)
            self._waiting.pop(writer, None)
            request = Request.parse(head)
        except asyncio.LimitOverrunError:
            return await self._send(writer, Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        except BadRequestError as error:
            return await self._send(writer, Answer(HTTPStatus.BAD_REQUEST, f"{error}\n".encode()))
        return await self._send(writer, await self._answer(request), request)

    async def _send(
        self, writer: asyncio.StreamWriter, answer: Answer, request: Request | None = None
    ) -> bool:
        stays = bool(request and request.may_stay and answer.status < HTTPStatus.BAD_REQUEST)
        writer.write(answer.encode(with_content=not (request and request.method == "HEAD"), stays=stays))
        await asyncio.wait_for(writer.drain(), _SEND_S)
        return stays

    async def _answer(self, request: Request) -> Answer:
        if request.method not in ("GET", "HEAD"):
            return Answer(HTTPStatus.NOT_IMPLEMENTED, b"this server is only read\n")
        if self._local and not is_local(request.host):  # a stranger's page may have pointed its name here
            return Answer(HTTPStatus.FORBIDDEN, b"this server answers to local names only\n")
        if request.path not in ("/", "/body"):
            return Answer(HTTPStatus.NOT_FOUND, b"there is only / here\n")
        try:
            page = await self._page()
        except Exception as error:  # a page that cannot be drawn is said, whatever it is by
            return self._not_made(error)
        if request.path == "/body" and request.headers.get("if-none-match") == page.tag:
            return Answer(HTTPStatus.NOT_MODIFIED, tag=page.tag)
        content = page.page if request.path == "/" else page.body
        return Answer(HTTPStatus.OK, content, "text/html; charset=utf-8", page.tag)

    async def _page(self) -> LivePage:
        """Return the folder as it is; those who ask while it is being rendered share it."""
        if self._rendering is None:
            loop = asyncio.get_running_loop()
            self._rendering = loop.run_in_executor(self._renderer, self._live.snapshot)
            self._rendering.add_done_callback(self._rendered)
        return await asyncio.shield(self._rendering)

    def _rendered(self, done: asyncio.Future[LivePage]) -> None:
        self._rendering = None
        with contextlib.suppress(asyncio.CancelledError):
            done.exception()  # somebody who asked has it

    def _not_made(self, error: Exception) -> Answer:
        reason = f"the report could not be made: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        if reason not in self._told:  # a page asks every two seconds
            self._told.add(reason)
            self._say(reason)
        return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"{reason}\n".encode())


def open_server(
    live: LiveFolder, host: str, port: int, say: Callable[[str], None] = lambda text: None
) -> Server:
    """Return a server bound to ``host`` and ``port`` (0: any free one); UsageError if it cannot be."""
    try:
        return Server(live, host, port, say)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} of {host} is in use; give another --port (0: any free one)"
            ) from error
        if error.errno == errno.EACCES:
            raise UsageError(
                f"port {port} may not be opened by this user; give a --port above 1023"
            ) from error
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise UsageError(f"cannot serve on {host}: {reason}; give another --host") from error


def is_local(host: str) -> bool:
    """Return whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
