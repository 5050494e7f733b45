"""A few lines of HTTP/1.1: three pages for probes and Prometheus, and nothing a caller can break.

Each connection carries one request and is closed, whatever came in.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import orjson
import structlog

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"
LONGEST_HEAD = 16 * 1024
SECONDS_FOR_A_REQUEST = 5.0
MOST_CONNECTIONS = 64
END_OF_HEAD = b"\r\n\r\n"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Page:
    """What a path answers with."""

    status: HTTPStatus
    content_type: str
    body: bytes


Pages = Mapping[str, Callable[[], Awaitable[Page]]]


class Callers:
    """Who is connected. Among too many, who has let us wait longest makes room for the newest."""

    def __init__(self) -> None:
        self._transports: dict[int, asyncio.WriteTransport] = {}
        self._awaited: dict[int, None] = {}
        self._last = 0

    def admit(self, transport: asyncio.WriteTransport) -> int | None:
        """Return the caller's number; None where all others have asked and wait for an answer."""
        if len(self._transports) >= MOST_CONNECTIONS:
            oldest = next(iter(self._awaited), None)
            if oldest is None:
                return None
            self._transports[oldest].abort()  # ends its reading, and so its task
            self.leave(oldest)
        self._last += 1
        self._transports[self._last] = transport
        self._awaited[self._last] = None
        return self._last

    def has_asked(self, number: int) -> None:
        """Its request is whole: from now on it waits for us."""
        self._awaited.pop(number, None)

    def leave(self, number: int) -> None:
        """Forget it; it may be forgotten already."""
        self._transports.pop(number, None)
        self._awaited.pop(number, None)


class CannotListen(OSError):
    """HTTP can't listen on {host}:{port}: {reason}."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"HTTP can't listen on {host}:{port} ({reason}); give TICKETING_HTTP_HOST an address of"
            " this machine and TICKETING_HTTP_PORT a free port (0 picks one)."
        )


def listen(host: str, port: int) -> socket.socket:
    """Open the port before anything else starts; raises CannotListen."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        return socket.create_server(address, family=family)
    except OSError as error:
        number = None if isinstance(error, socket.gaierror) else error.errno
        reason = str(error.strerror) if number is None else os.strerror(number)
        raise CannotListen(host, port, reason) from None


@asynccontextmanager
async def serving(listener: socket.socket, pages: Pages) -> AsyncIterator[str]:
    """Serve until the block ends; yields the address as host:port."""
    callers = Callers()
    tasks: set[asyncio.Task[None]] = set()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        number = callers.admit(writer.transport)
        if task is None or number is None:
            writer.transport.abort()
            return
        tasks.add(task)
        try:
            await _serve_one(reader, writer, pages, partial(callers.has_asked, number))
        except asyncio.CancelledError:  # by us, at the end; Python 3.11 would print a traceback
            writer.transport.abort()
        finally:
            tasks.discard(task)
            callers.leave(number)

    server = await asyncio.start_server(on_connection, sock=listener, limit=LONGEST_HEAD)
    host, port = listener.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    log.info("http.listening", address=address, paths=sorted(pages))
    try:
        yield address
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _serve_one(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    pages: Pages,
    has_asked: Callable[[], None],
) -> None:
    with suppress(OSError):  # the caller went away, or was too slow: its own affair
        try:
            async with asyncio.timeout(SECONDS_FOR_A_REQUEST):
                head = await _head(reader)
            has_asked()
            if head and not writer.is_closing():
                method, page = await _answer(head, pages)
                writer.write(_rendered(page, with_body=method != "HEAD"))
            async with asyncio.timeout(SECONDS_FOR_A_REQUEST):
                await writer.drain()
        finally:
            writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Read up to the empty line; b"" where none came before the end, or before 16 KiB."""
    try:
        return await reader.readuntil(END_OF_HEAD)
    except asyncio.LimitOverrunError:
        return b"- - -"
    except asyncio.IncompleteReadError as error:
        return b"- - -" if error.partial else b""


async def _answer(head: bytes, pages: Pages) -> tuple[str, Page]:
    """Return the method and its page; a page that fails is a 500 and a log line."""
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, path, version
        return "", _plain(HTTPStatus.BAD_REQUEST)
    method, target, _ = words
    if method not in {"GET", "HEAD"}:
        return method, _plain(HTTPStatus.METHOD_NOT_ALLOWED)
    make = pages.get(target.partition("?")[0])
    if make is None:
        return method, _plain(HTTPStatus.NOT_FOUND)
    try:
        return method, await make()
    except Exception:
        log.exception("http.page_failed", path=target.partition("?")[0])
        return method, _plain(HTTPStatus.INTERNAL_SERVER_ERROR)


def json_page(is_good: bool, document: Mapping[str, object]) -> Page:  # noqa: FBT001 - the one question
    """200 where it is good, else 503; the reasons are in the document either way."""
    status = HTTPStatus.OK if is_good else HTTPStatus.SERVICE_UNAVAILABLE
    return Page(status, JSON, orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))


def _plain(status: HTTPStatus) -> Page:
    return Page(status, PLAIN, f"{status.phrase}\n".encode())


def _rendered(page: Page, *, with_body: bool) -> bytes:
    allow = "Allow: GET, HEAD\r\n" if page.status is HTTPStatus.METHOD_NOT_ALLOWED else ""
    head = (
        f"HTTP/1.1 {page.status} {page.status.phrase}\r\n"
        f"Content-Type: {page.content_type}\r\n"
        f"Content-Length: {len(page.body)}\r\n"
        f"{allow}Connection: close\r\n\r\n"
    )
    return head.encode() + (page.body if with_body else b"")
