"""The ceiling of a run: its very rows, written by COPY alone into the same schema, without Kafka.

Batches as large as the run's, one transaction each, one connection, nothing encoded on the way:
the rows were read back in the form in which they are sent, the binary one, which the server takes
in some 15 % faster than text.
"""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg

_BATCHES = "SELECT DISTINCT outbox_id FROM ticket_facts ORDER BY outbox_id"

# Of each table the rows of one batch; `outbox` is made up again, since the relay has deleted its
# rows: when the batch was written and how many facts it has.
_ROWS = {
    "tickets": """
        SELECT rows.* FROM tickets AS rows JOIN ticket_facts AS facts
            ON (rows.tenant_id, rows.id) = (facts.tenant_id, facts.subject_id)
        WHERE outbox_id = $1 ORDER BY rows.tenant_id, rows.id""",
    "ticket_messages": """
        SELECT rows.* FROM ticket_messages AS rows JOIN ticket_facts AS facts
            ON (rows.tenant_id, rows.ticket_id) = (facts.tenant_id, facts.subject_id)
        WHERE outbox_id = $1 ORDER BY rows.tenant_id, rows.ticket_id""",
    "sla_clocks": """
        SELECT rows.* FROM sla_clocks AS rows JOIN ticket_facts AS facts
            ON (rows.tenant_id, rows.ticket_id) = (facts.tenant_id, facts.subject_id)
        WHERE outbox_id = $1 ORDER BY rows.tenant_id, rows.ticket_id, rows.metric""",
    "requests": """
        SELECT rows.* FROM requests AS rows JOIN ticket_facts AS facts
            ON (rows.tenant_id, rows.ticket_id) = (facts.tenant_id, facts.subject_id)
        WHERE outbox_id = $1 ORDER BY rows.tenant_id, rows.request_key""",
    "ticket_facts": """
        SELECT * FROM ticket_facts WHERE outbox_id = $1 ORDER BY tenant_id, subject_id""",
    "outbox": """
        SELECT outbox_id, count(*)::int, sum(length(data)), min(occurred_at)
        FROM ticket_facts WHERE outbox_id = $1 GROUP BY outbox_id""",
}
# The types must be the columns' own: COPY's binary form converts nothing.
_OUTBOX_COLUMNS = ("id", "facts", "bytes", "created_at")


@dataclass(frozen=True, slots=True)
class Ceiling:
    tickets: int
    batches: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.tickets / self.seconds


def measure_ceiling(source_url: str, target_url: str) -> Ceiling:
    """`source_url` is the database after the run, `target_url` an equal one without tickets."""
    return asyncio.run(_copy_all(source_url, target_url))


async def _copy_all(source_url: str, target_url: str) -> Ceiling:
    source, target = await asyncpg.connect(source_url), await asyncpg.connect(target_url)
    try:
        batches = [batch async for batch in _read_batches(source)]
        await target.execute("CHECKPOINT")
        start = time.perf_counter()
        for batch in batches:
            async with target.transaction():
                for table, rows in batch.items():
                    columns = _OUTBOX_COLUMNS if table == "outbox" else None
                    await target.copy_to_table(
                        table, source=io.BytesIO(rows), columns=columns, format="binary"
                    )
        seconds = time.perf_counter() - start
        tickets: int = await target.fetchval("SELECT count(*) FROM tickets")
        return Ceiling(tickets, len(batches), seconds)
    finally:
        await source.close()
        await target.close()


async def _read_batches(source: asyncpg.Connection) -> AsyncIterator[dict[str, bytes]]:
    for batch in await source.fetch(_BATCHES):
        rows = {}
        for table, query in _ROWS.items():
            output = io.BytesIO()
            await source.copy_from_query(query, batch["outbox_id"], output=output, format="binary")
            rows[table] = output.getvalue()
        yield rows
