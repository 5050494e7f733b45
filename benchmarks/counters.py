"""What a session did to its database, by PostgreSQL's own counters: statements, rows, pages.

A page counts each time that it is looked at, whether it was in the server's memory or not. What a
foreign key looks up counts with the statement that it checks.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import asyncpg

SERVER_OPTIONS: Final = {"shared_preload_libraries": "pg_stat_statements", "autovacuum": "off"}
"""For a server whose counters tell of nothing else."""

_EXTENSIONS: Final = """
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
CREATE EXTENSION IF NOT EXISTS pgstattuple
"""

_LEVELS: Final = """
SELECT indexrelname, (pgstatindex(indexrelid)).tree_level FROM pg_stat_user_indexes
"""

_FLUSH: Final = "SELECT pg_stat_force_next_flush()"
_FORGET: Final = "SELECT pg_stat_reset(), pg_stat_statements_reset()"

_STATEMENTS: Final = """
SELECT query, calls, rows, shared_blks_hit + shared_blks_read, shared_blks_read
  FROM pg_stat_statements
 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND query NOT LIKE '%pg_stat%'
 ORDER BY 4 DESC, query
"""

_INDEXES: Final = """
SELECT indexrelname, (idx_blks_hit + idx_blks_read)::bigint FROM pg_statio_user_indexes
 WHERE idx_blks_hit + idx_blks_read > 0 ORDER BY indexrelname
"""

_UPDATES: Final = (
    "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'tickets'"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """All calls of one. pages: those looked at; absent: those of them that were not in memory."""

    text: str
    calls: int
    rows: int
    pages: int
    absent: int


@dataclass(frozen=True, slots=True)
class Index:
    """levels: above the pages that hold its keys. pages: those looked at, of all levels."""

    name: str
    levels: int
    pages: int


@dataclass(frozen=True, slots=True)
class Counted:
    """indexes: those that were looked at, as deep as they were before.

    updates: of tickets; hot: those of them whose page had room, so that no index was written.
    """

    statements: tuple[Statement, ...]
    indexes: tuple[Index, ...]
    updates: int
    hot: int

    @property
    def calls(self) -> int:
        return sum(each.calls for each in self.statements)

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.statements)

    @property
    def pages(self) -> int:
        return sum(each.pages for each in self.statements)

    @property
    def absent(self) -> int:
        return sum(each.absent for each in self.statements)


async def prepare(pool: asyncpg.Pool) -> None:
    """Once for each database; its server was started with SERVER_OPTIONS."""
    await pool.execute(_EXTENSIONS)


async def counted(pool: asyncpg.Pool, work: Callable[[], Awaitable[None]]) -> Counted:
    """What the work does. The pool has one connection, and nobody else uses the database."""
    levels = dict(await pool.fetch(_LEVELS))  # reads every index, so before all else
    await pool.execute(_FLUSH)
    await pool.execute(_FORGET)
    await work()
    await pool.execute(_FLUSH)  # or the session tells some seconds later
    statements = [Statement(*row) for row in await pool.fetch(_STATEMENTS)]
    indexes = [Index(name, levels[name], pages) for name, pages in await pool.fetch(_INDEXES)]
    updates, hot = await pool.fetchrow(_UPDATES)
    return Counted(tuple(statements), tuple(indexes), updates, hot)
