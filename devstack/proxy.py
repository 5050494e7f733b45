"""A TCP proxy in front of a server, that makes trouble when told: slow, cut off, or silent.

It looks at bytes and knows no protocol. A connection is two streams, one toward the server and one
toward the client, and each can be troubled alone.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

CHUNK_BYTES: Final = 64 * 1024
CHUNKS_UNDER_WAY: Final = 256
"""Of one stream: what a proxy keeps at most before it stops reading."""

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no time. Closing then resets the connection, as a cable that is cut does in
the end, and throws away what is not sent."""


class Toward(StrEnum):
    """Whose bytes: those on their way to the server, or to the client."""

    SERVER = "server"
    CLIENT = "client"


class Act(StrEnum):
    """What happens to a connection: it is cut, or the bytes are kept and not passed on."""

    CUT = "cut"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Trouble:
    """When a connection is struck, and how.

    once_seen: begins once these have passed toward the server, one after the other; where there
    are none, at once. then_toward: of which stream `after_bytes` more bytes still pass. A cut
    concerns the whole connection; held are the streams of `held`.
    """

    act: Act
    once_seen: tuple[bytes, ...] = ()
    then_toward: Toward = Toward.SERVER
    after_bytes: int = 0
    held: frozenset[Toward] = frozenset(Toward)


class Proxy:
    """Listens on one port of 127.0.0.1 and connects to another. One trouble at a time."""

    def __init__(self, port: int, server_port: int) -> None:
        self.port = port
        self._server_port = server_port
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.trouble: Trouble | None = None
        self.delay_seconds = 0.0
        self.struck = 0
        self.has_struck = asyncio.Event()
        self.has_withheld = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Proxy"]:
        """Pass everything on while the block lasts; then end all connections."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            self._server.close()
            self.cut()
            for task in set(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def begin(self, trouble: Trouble) -> None:
        """From now on every connection that fits meets this trouble, once."""
        self.trouble = trouble
        self.has_struck.clear()
        self.has_withheld.clear()
        for link in self._links:
            link.begin(trouble)

    def hold(self, *streams: Toward) -> None:
        """A black hole: accept and read, and pass nothing on; both ways where none is named."""
        self.begin(Trouble(Act.HOLD, held=frozenset(streams) or frozenset(Toward)))

    def delay(self, seconds: float) -> None:
        """Everything takes so much longer, each way."""
        self.delay_seconds = seconds

    def cut(self) -> None:
        """Reset every connection that there is now."""
        for link in set(self._links):
            link.cut()

    def heal(self, *, late: bool = False) -> None:
        """End all trouble. Connections with bytes held back are cut, or get them late."""
        self.trouble = None
        self.delay_seconds = 0.0
        for link in set(self._links):
            link.heal(late=late)

    def note_strike(self) -> None:
        """Called by a connection that has met its trouble."""
        self.struck += 1
        self.has_struck.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = None
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
            link = _Link(self, writer, to_server)
            self._links.add(link)
            await asyncio.gather(
                link.pump(reader, to_server, Toward.SERVER),
                link.pump(from_server, writer, Toward.CLIENT),
            )
        except OSError:
            return
        finally:
            _reset(writer)
            if link is not None:
                self._links.discard(link)
                link.cut()


async def until_struck(proxies: Sequence[Proxy]) -> None:
    """Wait until a connection of one of them has met its trouble."""
    waiting = [asyncio.create_task(each.has_struck.wait()) for each in proxies]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


@dataclass(eq=False)
class _Link:
    """One client's connection, and ours to the server on its behalf."""

    proxy: Proxy
    to_client: asyncio.StreamWriter
    to_server: asyncio.StreamWriter
    trouble: "_Course | None" = None
    held: frozenset[Toward] = frozenset()
    withheld: bool = False
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.free.set()
        if self.proxy.trouble is not None:
            self.begin(self.proxy.trouble)

    def begin(self, trouble: Trouble) -> None:
        self.trouble = _Course(trouble)
        if self.trouble.is_due:
            self._strike(trouble)

    def cut(self) -> None:
        for writer in (self.to_client, self.to_server):
            _reset(writer)

    def heal(self, *, late: bool) -> None:
        self.trouble, self.held = None, frozenset()
        if self.withheld and not late:
            self.cut()
        self.withheld = False
        self.free.set()

    async def pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, toward: Toward
    ) -> None:
        """Pass one stream on until it ends; then its other end learns that it has ended."""
        passing: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_UNDER_WAY)
        loop = asyncio.get_running_loop()
        writing = asyncio.create_task(self._write(passing, writer, toward))
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await passing.put((loop.time() + self.proxy.delay_seconds, chunk))
            await passing.put((0.0, b""))
            await writing
        finally:
            writing.cancel()

    async def _write(
        self,
        passing: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
        toward: Toward,
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, chunk = await passing.get()
            if (seconds := due - loop.time()) > 0:
                await asyncio.sleep(seconds)
            if not chunk:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return
            await self._pass_on(chunk, writer, toward)

    async def _pass_on(self, chunk: bytes, writer: asyncio.StreamWriter, toward: Toward) -> None:
        while chunk:
            if toward in self.held:
                self.withheld = True
                self.proxy.has_withheld.set()
                await self.free.wait()
            course = self.trouble
            room = len(chunk) if course is None else course.room(chunk, toward)
            writer.write(chunk[:room])
            await writer.drain()
            chunk = chunk[room:]
            if course is not None and course is self.trouble:
                course.passed(room, toward)
                if course.is_due:
                    self._strike(course.trouble)

    def _strike(self, trouble: Trouble) -> None:
        self.trouble = None
        match trouble.act:
            case Act.CUT:
                self.cut()
            case Act.HOLD:
                self.held = trouble.held
                self.free.clear()
        self.proxy.note_strike()


class _Course:
    """How far one connection is from its trouble. Pure."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self._sought = list(trouble.once_seen)
        self._last = b""
        self._left = trouble.after_bytes

    @property
    def is_due(self) -> bool:
        """Whether it strikes now."""
        return not self._sought and self._left <= 0

    def room(self, chunk: bytes, toward: Toward) -> int:
        """How many of these bytes pass before it strikes, or before we have to ask again."""
        if self._sought:
            return self._room_until_seen(chunk) if toward is Toward.SERVER else len(chunk)
        return min(len(chunk), self._left) if toward is self.trouble.then_toward else len(chunk)

    def passed(self, count: int, toward: Toward) -> None:
        """So many have passed."""
        if not self._sought and toward is self.trouble.then_toward:
            self._left -= count

    def _room_until_seen(self, chunk: bytes) -> int:
        """Up to and with the bytes that are looked for, also where they came in two pieces."""
        before, sought = len(self._last), self._sought[0]
        at = (self._last + chunk).find(sought)
        if at < 0:
            self._last = (self._last + chunk)[1 - len(sought) :]
            return len(chunk)
        end = at + len(sought) - before
        self._last = b""
        self._sought.pop(0)
        if not self._sought and self.trouble.then_toward is Toward.SERVER:
            self._left += end  # these pass on the way, and do not count
        return end


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close at once, and let the other end know that it was not in order."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
