"""A proxy before PostgreSQL that keeps the answer to a commit, a ticket's, from whoever sent it.

It is committed, and its writer doesn't know: the moment at which to kill a worker. Nothing
in the programs under test knows of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TICKET_WRITTEN = b'INSERT INTO "tickets"'
COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""CommandComplete (PostgreSQL 18, 54.7)."""


@dataclass(slots=True)
class HeldCommit:
    """url: the database through the proxy. committed: what is awaited is, and nobody was told.

    written: what is sent in the transactions whose commits are held back.
    """

    host: str
    port: int
    written: bytes
    url: str = ""
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    holding: bool = True
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    def let_go(self) -> None:
        """Hold nothing back from now on."""
        self.holding = False

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        database_reader, database_writer = await asyncio.open_connection(self.host, self.port)
        connection = _Connection(self)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(_pump(reader, database_writer, connection.note_request))
                pumps.create_task(_pump(database_reader, writer, connection.may_answer))
        except* (OSError, EOFError):
            pass  # either side was killed: that is what this is for
        finally:
            writer.close()
            database_writer.close()


class _Connection:
    """What has passed through one connection so far."""

    def __init__(self, held: HeldCommit) -> None:
        self._held = held
        self._asked = self._answered = b""
        self._wrote = False

    def note_request(self, chunk: bytes) -> bool:
        self._asked = self._asked[-len(self._held.written) :] + chunk
        self._wrote |= self._held.written in self._asked
        return True

    def may_answer(self, chunk: bytes) -> bool:
        self._answered = self._answered[-len(COMMITTED) :] + chunk
        if not (self._held.holding and self._wrote and COMMITTED in self._answered):
            return True
        self._held.committed.set()
        return False


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: Callable[[bytes], bool]
) -> None:
    """Until the reader's side ends, which ends the writer's too."""
    while chunk := await reader.read(65_536):
        if passes(chunk):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def held_commit(
    database_url: str, *, written: bytes = TICKET_WRITTEN
) -> AsyncIterator[HeldCommit]:
    """Let programs use the database through `url` while the block lasts."""
    parts = urlsplit(database_url)
    held = HeldCommit(parts.hostname or "127.0.0.1", parts.port or 5432, written)
    server = await asyncio.start_server(held.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = parts.netloc.rpartition("@")[0]
    through = parts._replace(netloc=f"{user}@127.0.0.1:{port}", query="sslmode=disable")
    held.url = through.geturl()
    try:
        yield held
    finally:
        server.close()
        for connection in held.connections:
            connection.cancel()
        await asyncio.gather(*held.connections, return_exceptions=True)
