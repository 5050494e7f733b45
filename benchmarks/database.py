"""The harness's own questions to the database: counters, and customers to know."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import asyncpg

from benchmarks.load import TENANTS, customers

_Answer = TypeVar("_Answer")

_ROWS = """
SELECT coalesce(sum(n_tup_ins), 0)::bigint, coalesce(sum(n_tup_upd), 0)::bigint,
       coalesce(sum(n_tup_del), 0)::bigint
FROM pg_stat_user_tables
"""


_OPEN_TICKETS = """
WITH opened AS (
  INSERT INTO tickets (id, ticket_number, tenant_id, subject, priority, origin_type, target_type,
                       customer_id, ticket_type, service_address, sla_due_date,
                       first_response_due_at, created_at, updated_at)
  SELECT md5('open-' || n)::uuid, 'TCK-' || upper(left(md5('open-' || n), 12)),
         ($3::text[])[1 + n % 4], 'Line ' || n || ' loses its connection', 'normal', 'customer',
         'tenant', ($2::uuid[])[1 + n % cardinality($2::uuid[])], 'technical_support',
         n || ' Harbour Street, 20457 Hamburg', at + interval '72 h', at + interval '24 h', at, at
    FROM generate_series(0, $1 - 1) AS n
   CROSS JOIN LATERAL (SELECT now() - interval '6 h' * n / $1) AS t (at)
  RETURNING tenant_id, id, created_at)
INSERT INTO sla_clocks (tenant_id, ticket_id, metric, started_at, target_seconds, due_at,
                        next_fire_at)
SELECT tenant_id, id, metric, created_at, target_seconds,
       created_at + make_interval(secs => target_seconds),
       created_at + make_interval(secs => target_seconds * 0.5)
  FROM opened
 CROSS JOIN (VALUES ('first_response', 86400), ('resolution', 259200)) AS m (metric, target_seconds)
"""
"""Opened within six hours, so that nothing is due on their clocks for six more."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What was written since the database was made; a dead tuple is an updated or deleted row."""

    inserted: int
    updated: int
    deleted: int

    def since(self, earlier: "Rows") -> "Rows":
        return Rows(
            self.inserted - earlier.inserted,
            self.updated - earlier.updated,
            self.deleted - earlier.deleted,
        )


def ask(url: str, question: Callable[["asyncpg.Connection"], Awaitable[_Answer]]) -> _Answer:
    async def answer() -> _Answer:
        connection = await asyncpg.connect(url)
        try:
            return await question(connection)
        finally:
            await connection.close()

    return asyncio.run(answer())


def execute(url: str, statement: str) -> None:
    ask(url, lambda connection: connection.execute(statement))


def count_rows(url: str) -> Rows:
    """Exact only while nobody else is connected: a session reports its rows up to 10 s late."""
    found = ask(url, lambda connection: connection.fetchrow(_ROWS))
    return Rows(*found)


def wal_position(url: str) -> int:
    """Bytes of write-ahead log that the whole server has written."""
    query = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
    return int(ask(url, lambda connection: connection.fetchval(query)))


def server_version(url: str) -> str:
    return str(ask(url, lambda connection: connection.fetchval("SHOW server_version")))


def checkpoint(url: str) -> None:
    """Every run starts from a checkpoint, so that none pays for the one before."""
    with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
        ask(url, lambda connection: connection.execute("CHECKPOINT"))


def open_tickets(url: str, count: int) -> None:
    """Tickets that stand open, as `load.open_ticket_id` numbers them, each with its two clocks."""
    known = customers()
    ask(
        url,
        lambda connection: connection.execute(
            _OPEN_TICKETS, count, [customer.id for customer in known], list(TENANTS)
        ),
    )
    execute(url, "VACUUM (ANALYZE) tickets, sla_clocks")


def add_customers(url: str) -> None:
    known = customers()
    ask(
        url,
        lambda connection: connection.execute(
            "INSERT INTO customers (id, tenant_id, name, status, updated_at) "
            "SELECT id, tenant_id, 'Customer', 'active', now() "
            "FROM unnest($1::uuid[], $2::text[]) AS known (id, tenant_id)",
            [customer.id for customer in known],
            [customer.tenant_id for customer in known],
        ),
    )
    ask(url, lambda connection: connection.execute("ANALYZE customers"))
