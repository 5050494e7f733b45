"""The only commit: one transaction per batch, on a connection of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from db.errors import READ_ONLY, Unworkable, sqlstate

BEGIN = "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off"
"""Look-ups by key and the checks of foreign keys are planned once per connection and kept; one
planned while its table was empty would read the whole table for ever."""


@asynccontextmanager
async def lent(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the pool; one that can only read is not kept.

    It may stay so for ever: its server was the primary once, or began the session while writing
    was forbidden. The next one is opened to whoever is the primary now.
    """
    async with pool.acquire() as connection:
        try:
            yield connection
        except Exception as error:
            if sqlstate(error) == READ_ONLY and not is_gone(connection):
                connection.terminate()
            raise


@asynccontextmanager
async def transaction(
    pool: asyncpg.Pool, *, begin: str = BEGIN
) -> AsyncIterator[asyncpg.Connection]:
    """Commit what the block did, or nothing of it where it raises. begin: BEGIN, or more.

    A failure inside the block, or of the commit, reaches the caller as it is. Whether a commit
    that was cut off took effect is unknown; doing the batch again finds out.
    """
    async with lent(pool) as connection:
        await connection.execute(begin)
        try:
            yield connection
        except BaseException:
            await _roll_back(connection)
            raise
        if await connection.execute("COMMIT") != "COMMIT":
            raise NotCommitted


async def _roll_back(connection: asyncpg.Connection) -> None:
    """Undo everything, or end the connection, which does the same: why we stop is what counts."""
    if is_gone(connection):
        return
    try:
        await connection.execute("ROLLBACK")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        if not is_gone(connection):
            connection.terminate()


def is_gone(connection: asyncpg.Connection) -> bool:
    """Whether it has ended, be it that the pool has already taken it back for that.

    The pool's does not even say so then: it raises, in place of what its user was about to raise.
    Where that was a cancellation, nobody would have been told to stop.
    """
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


class NotCommitted(Unworkable):
    """The database rolled the transaction back: a statement had failed, and nobody had noticed."""


class RollBack(Exception):
    """Raised inside a transaction to leave nothing behind."""
