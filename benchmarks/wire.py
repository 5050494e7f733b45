"""Counts what goes over PostgreSQL's wire: a proxy before the server that reads message types.

The server's own counters know statements at best; a round trip exists only on the wire.
"""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

_HEADER_BYTES = 5
_READ_BYTES = 1 << 18

_ENDS_A_STATEMENT = b"C"  # CommandComplete, from the server
_MAKES_IT_ANSWER = frozenset((b"Q", b"S", b"H"))  # Query, Sync, Flush, from the client
_WAITS_FOR_ROWS = b"G"  # CopyInResponse, from the server: the client waited before it sent data


@dataclass(slots=True)
class Traffic:
    """All connections together. Every statement counts, BEGIN and COMMIT too."""

    sent: Counter[bytes] = field(default_factory=Counter)
    received: Counter[bytes] = field(default_factory=Counter)

    @property
    def statements(self) -> int:
        return self.received[_ENDS_A_STATEMENT]

    @property
    def round_trips(self) -> int:
        return sum(self.sent[kind] for kind in _MAKES_IT_ANSWER) + self.received[_WAITS_FOR_ROWS]


class MessageTypes:
    """Finds the types of the messages in one direction of a connection, cut anywhere.

    The client's first message (StartupMessage) has no type and is passed over.
    """

    def __init__(self, *, from_client: bool) -> None:
        self._header = b"\0" if from_client else b""
        self._payload_bytes = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        position = 0
        while position < len(data):
            skipped = min(self._payload_bytes, len(data) - position)
            position += skipped
            self._payload_bytes -= skipped
            taken = data[position : position + _HEADER_BYTES - len(self._header)]
            position += len(taken)
            self._header += taken
            if len(self._header) == _HEADER_BYTES:
                self._payload_bytes = int.from_bytes(self._header[1:]) - (_HEADER_BYTES - 1)
                if kind := self._header[:1].strip(b"\0"):
                    yield kind
                self._header = b""


async def _pass_on(
    source: asyncio.StreamReader,
    target: asyncio.StreamWriter,
    types: MessageTypes,
    seen: Counter[bytes],
) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(_READ_BYTES):
            target.write(data)
            await target.drain()
            seen.update(types.feed(data))
    target.close()


@contextlib.contextmanager
def counted(url: str) -> Iterator[tuple[str, Traffic]]:
    """The URL to use instead, and the traffic that went through it so far."""
    where, traffic, loop = urlsplit(url), Traffic(), asyncio.new_event_loop()

    async def connect(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(where.hostname, where.port or 5432)
        up, down = MessageTypes(from_client=True), MessageTypes(from_client=False)
        async with asyncio.TaskGroup() as both:
            both.create_task(_pass_on(client, to_server, up, traffic.sent))
            both.create_task(_pass_on(server, to_client, down, traffic.received))

    listening = loop.run_until_complete(asyncio.start_server(connect, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, name="wire", daemon=True)
    thread.start()
    try:
        port = listening.sockets[0].getsockname()[1]
        yield _through(url, port), traffic
    finally:
        asyncio.run_coroutine_threadsafe(_end(listening), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _through(url: str, port: int) -> str:
    """The same database by way of the proxy, unencrypted, since it could not read otherwise."""
    where = urlsplit(url)
    account = where.netloc.rpartition("@")[0]
    query = urlencode({**dict(parse_qsl(where.query)), "sslmode": "disable"})
    return where._replace(netloc=f"{account}@127.0.0.1:{port}", query=query).geturl()


async def _end(listening: asyncio.Server) -> None:
    listening.close()
    ours = asyncio.current_task()
    open_connections = [task for task in asyncio.all_tasks() if task is not ours]
    for task in open_connections:
        task.cancel()
    await asyncio.gather(*open_connections, return_exceptions=True)
