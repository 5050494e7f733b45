"""Rows are written in the caller's transaction: all of a batch or nothing."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from db import clocks, parties, requests, tables, tickets
from db.bulk import Rows, copy, insert
from handlers.change_rows import CHANGED_COLUMNS
from handlers.outcomes import Known
from handlers.sla.rows import CLOCK_COLUMNS, NEW_CLOCK_COLUMNS
from handlers.written import REQUEST_COLUMNS, TICKET_COLUMNS, Written

OUTBOX_COLUMNS: Final = ("id", "facts", "dead_letters", "bytes", "created_at")

COPY_FROM: Final = 80
"""From this many tickets on COPY (a statement per table) beats one INSERT for all tables."""

ROWS_PER_TICKET: Final = 6

NO_COPY: Final = 1_000_000
"""More tickets than any batch has: for a role under row-level security, where COPY is refused."""


async def write(
    connection: asyncpg.Connection,
    written: Written,
    known: Known,
    *,
    dead_letters: int = 0,
    copy_from: int = COPY_FROM,
) -> int:
    """Write the rows, and the outbox row that announces them. Returns how many facts there are.

    dead_letters: how many of them the caller wrote under the same outbox number.
    copy_from: from how many tickets on COPY is used; larger than any batch for a role that is
    under row-level security, which COPY does not work with.
    """
    if written.customers:
        await parties.add_unlisted_customers(connection, written.customers)
    if written.settled:
        await requests.settle(connection, REQUEST_COLUMNS, sorted(written.settled.values()))
    if written.changed:
        changed = [written.changed[key] for key in sorted(written.changed)]
        await tickets.update(connection, CHANGED_COLUMNS, changed)
    await _put_clocks(connection, written)
    batches = written.tables()
    facts = len(written.facts)
    if facts or dead_letters:
        counts = (facts, dead_letters, sum(len(fact[-1]) for fact in written.facts))
        announcement = (str(known.outbox_id), *map(str, counts), known.now.isoformat())
        batches.append(Rows(tables.outbox, OUTBOX_COLUMNS, [announcement]))
    await _add(connection, batches, copy_from)
    return facts


async def write_opened(
    connection: asyncpg.Connection, written: Written, *, copy_from: int = COPY_FROM
) -> None:
    """Write the tickets of a batch ahead of the rest, since changes of the batch address them."""
    if written.customers:
        await parties.add_unlisted_customers(connection, written.customers)
        written.customers = []
    opened = [
        Rows(tables.tickets, TICKET_COLUMNS, written.tickets),
        Rows(tables.sla_clocks, NEW_CLOCK_COLUMNS, written.new_clocks),
        Rows(tables.sla_clocks, CLOCK_COLUMNS, written.held_clocks),
    ]
    await _add(connection, [batch for batch in opened if batch.rows], copy_from)
    written.tickets, written.new_clocks, written.held_clocks = [], [], []


async def _put_clocks(connection: asyncpg.Connection, written: Written) -> None:
    if written.clocks:
        rows = [written.clocks[key] for key in sorted(written.clocks)]
        await clocks.put(connection, CLOCK_COLUMNS, rows)


async def _add(connection: asyncpg.Connection, batches: Sequence[Rows], copy_from: int) -> None:
    if sum(len(batch.rows) for batch in batches) < copy_from * ROWS_PER_TICKET:
        await insert(connection, batches)
    else:
        for batch in batches:
            await copy(connection, batch)
