"""A database in which so many tickets stand open, each with all the rows that a ticket has."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks import database
from benchmarks.program import migrated_database
from devstack.databases import drop_database
from devstack.stack import Stack

_BESIDE: Final = (
    """
    INSERT INTO requests (tenant_id, request_key, kind, outcome, ticket_id, topic, partition,
                          "offset", content_hash, decided_at)
    SELECT tenant_id, md5('request' || id)::uuid, 'request', 'created', id, 'ticket.requested',
           n % 4, n / 4, 0, created_at
      FROM (SELECT tenant_id, id, created_at, row_number() OVER () AS n FROM tickets) AS t
    """,
    """
    INSERT INTO ticket_messages (ticket_id, tenant_id, sequence, sender_type, body, created_at)
    SELECT id, tenant_id, 1, 'customer', 'It is gone since this morning.', created_at FROM tickets
    """,
    """
    INSERT INTO ticket_facts (tenant_id, subject_id, sequence, outbox_id, ce_type, ticket_id,
                              ticket_number, causation_id, occurred_at, data)
    SELECT tenant_id, id, 1, -n / 500, 'ticket.created', id, ticket_number, 'open-' || n,
           created_at, '{}'
      FROM (SELECT *, row_number() OVER () AS n FROM tickets) AS t
    """,
)
"""What opening them would have left, so that every index is as deep as in earnest."""


@contextmanager
def filled_database(stack: Stack, tickets: int) -> Iterator[str]:
    """Its URL; it is dropped afterwards. 3,000,000 tickets take some 5 GB."""
    url = migrated_database(stack)
    try:
        database.open_tickets(url, tickets)
        for statement in (*_BESIDE, "VACUUM (ANALYZE)"):
            database.execute(url, statement)
        database.checkpoint(url)
        yield url
    finally:
        drop_database(url)
