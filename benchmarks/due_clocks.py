"""Tickets on whose clocks something is due at a known time, as if they had long stood open."""

import time

import asyncpg

from benchmarks import database
from benchmarks.load import TENANTS, customers
from benchmarks.program import ProgramFailed

_DUE_TICKETS = """
WITH planned AS (
  SELECT n, md5($1 || '-due-' || n) AS hash, n % 2 = 1 AS is_breach, now() + make_interval(
           secs => $4::float8 + $5::float8 * CASE WHEN $5 > 0 THEN random() ELSE 0 END) AS due_at
    FROM generate_series(0, $2 - 1) AS n),
opened AS (
  INSERT INTO tickets (id, ticket_number, tenant_id, subject, priority, origin_type, target_type,
                       customer_id, ticket_type, sla_due_date, first_response_due_at, sequence,
                       created_at, updated_at)
  SELECT hash::uuid, 'TCK-' || upper(left(hash, 12)), ($6::text[])[1 + n % 4],
         'Line ' || n || ' loses its connection', 'normal', 'customer', 'tenant',
         ($3::uuid[])[1 + n % cardinality($3::uuid[])], 'technical_support', at + interval '72 h',
         at + interval '24 h', CASE WHEN is_breach THEN 4 ELSE 1 END, at, at
    FROM planned
   CROSS JOIN LATERAL (SELECT due_at - interval '12 h' * (1 + is_breach::int)) AS t (at)
  RETURNING tenant_id, id, created_at, sequence = 4 AS is_breach)
INSERT INTO sla_clocks (tenant_id, ticket_id, metric, started_at, target_seconds, due_at,
                        next_fire_at, fired)
SELECT tenant_id, id, metric, created_at, target_seconds,
       created_at + make_interval(secs => target_seconds),
       created_at + make_interval(
         secs => target_seconds * CASE WHEN is_breach AND is_first THEN 1 ELSE 0.5 END),
       CASE WHEN is_breach AND is_first THEN '{warning:50,warning:75,warning:90}'::text[]
            ELSE '{}' END
  FROM opened
 CROSS JOIN (VALUES ('first_response', 86400, true), ('resolution', 259200, false))
    AS m (metric, target_seconds, is_first)
"""
"""By turns: half the time for a first response is over, or all of it. By the default targets of
normal tickets; nothing is due on their other clock for hours."""

_NOW = "SELECT extract(epoch FROM now())::float8"
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"


def add_due_tickets(url: str, name: str, count: int, *, within: float, over: float) -> float:
    """One clock of each becomes due: all at once, or at random over so many seconds.

    within: in how many seconds the first may be. Returns when that is, in seconds since the epoch
    by the database's clock. name: in all their ids. Raises ProgramFailed where the rows took longer
    to write: what follows would measure that.
    """
    known = [customer.id for customer in customers()]

    async def add(connection: asyncpg.Connection) -> float:
        async with connection.transaction():
            began: float = await connection.fetchval(_NOW)
            await connection.execute(_DUE_TICKETS, name, count, known, within, over, list(TENANTS))
        seconds = await connection.fetchval(_CLOCK) - began
        if seconds > within:
            raise ProgramFailed(f"{count:,} tickets took {seconds:.1f} s to write, and were late.")
        return began + within

    return database.ask(url, add)


def sleep_until(moment: float) -> None:
    """moment: seconds since the epoch, by the clock of this machine."""
    time.sleep(max(0.0, moment - time.time()))
