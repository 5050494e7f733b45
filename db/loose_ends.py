"""Rows that must not be: what no foreign key checks, since we alone write them with their ticket.

Asked in an audit's read-only snapshot (`db.inventory`). They read whole tables where no index
helps. $1 and $2: the window.
"""

from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

LOOSE_ENDS_SHOWN: Final = 1_000
"""Of each kind: the thousandth says no more than the first."""


class LooseEnd(NamedTuple):
    """A kind of row that must not be. sentence: with the columns that the question selects."""

    sentence: str
    question: str


LOOSE_ENDS: Final = (
    LooseEnd(
        "Message {1} of ticket {2} (tenant {0}) has no ticket.",
        """
        SELECT m.tenant_id, m.sequence, m.ticket_id FROM ticket_messages m
         WHERE m.created_at BETWEEN $1 AND $2 AND NOT EXISTS (SELECT FROM tickets t
                   WHERE t.tenant_id = m.tenant_id AND t.id = m.ticket_id)
        """,
    ),
    LooseEnd(
        "Fact {1} of ticket {2} (tenant {0}) has no ticket.",
        """
        SELECT f.tenant_id, f.sequence, f.subject_id FROM ticket_facts f
         WHERE f.sequence > 0 AND f.occurred_at BETWEEN $1 AND $2
           AND NOT EXISTS (SELECT FROM tickets t
                   WHERE t.tenant_id = f.tenant_id AND t.id = f.subject_id)
        """,
    ),
    LooseEnd(
        "Ticket {1} (tenant {0}) has sequence {2}, but {3} facts from {4} to {5}.",
        """
        SELECT t.tenant_id, t.ticket_number, t.sequence, f.count, f.first, f.last
          FROM tickets t CROSS JOIN LATERAL (
               SELECT count(*), min(sequence) AS first, max(sequence) AS last FROM ticket_facts f
                WHERE f.tenant_id = t.tenant_id AND f.subject_id = t.id AND f.sequence > 0) f
         WHERE t.updated_at BETWEEN $1 AND $2
           AND (f.count <> t.sequence OR f.first IS DISTINCT FROM 1
               OR f.last IS DISTINCT FROM t.sequence)
        """,
    ),
    LooseEnd(
        "Ticket {1} (tenant {0}) has no first message.",
        """
        SELECT t.tenant_id, t.ticket_number FROM tickets t
         WHERE t.created_at BETWEEN $1 AND $2 AND NOT EXISTS (SELECT FROM ticket_messages m
                   WHERE m.tenant_id = t.tenant_id AND m.ticket_id = t.id)
        """,
    ),
    LooseEnd(
        "Ticket {1} (tenant {0}) was opened by no request.",
        """
        SELECT t.tenant_id, t.ticket_number
          FROM tickets t LEFT JOIN requests q ON q.tenant_id = t.tenant_id
           AND q.ticket_id = t.id AND q.outcome = 'created'
         WHERE t.created_at BETWEEN $1 AND $2 AND q.ticket_id IS NULL
        """,
    ),
    LooseEnd(
        "Request {1} (tenant {0}) is on record as rejected, but nothing tells it.",
        """
        SELECT q.tenant_id, q.request_key
          FROM requests q LEFT JOIN ticket_facts f ON f.tenant_id = q.tenant_id
           AND f.ticket_id = coalesce(q.ticket_id, q.request_key) AND f.sequence = 0
         WHERE q.outcome = 'rejected' AND q.decided_at BETWEEN $1 AND $2 AND f.ticket_id IS NULL
        """,
    ),
    LooseEnd(
        "Request {1} (tenant {0}) is on record as parked, but it isn't kept.",
        """
        SELECT q.tenant_id, q.request_key FROM requests q
         WHERE q.outcome = 'parked' AND q.decided_at BETWEEN $1 AND $2
           AND NOT EXISTS (SELECT FROM parked_requests p
                   WHERE p.tenant_id = q.tenant_id AND p.request_key = q.request_key)
        """,
    ),
    LooseEnd(
        "Request {1} (tenant {0}) is kept as parked, but on record it isn't.",
        """
        SELECT p.tenant_id, p.request_key FROM parked_requests p
         WHERE p.parked_at BETWEEN $1 AND $2 AND NOT EXISTS (SELECT FROM requests q
                   WHERE q.tenant_id = p.tenant_id AND q.request_key = p.request_key
                     AND q.outcome = 'parked')
        """,
    ),
    LooseEnd(
        "Fact {1} of {2} (tenant {0}) is held back, but there is no such fact.",
        """
        SELECT h.tenant_id, h.sequence, h.subject_id FROM held_facts h
         WHERE h.held_at BETWEEN $1 AND $2 AND NOT EXISTS (SELECT FROM ticket_facts f
                   WHERE f.tenant_id = h.tenant_id AND f.subject_id = h.subject_id
                     AND f.sequence = h.sequence)
        """,
    ),
    LooseEnd(
        "Outbox row {0} announces {1} facts and {2} dead letters, but there are {3} and {4}.",
        """
        SELECT o.id, o.facts, o.dead_letters, f.count, d.count FROM outbox o
         CROSS JOIN LATERAL (SELECT count(*) FROM ticket_facts f WHERE f.outbox_id = o.id) f
         CROSS JOIN LATERAL (SELECT count(*) FROM dead_letters d WHERE d.outbox_id = o.id) d
         WHERE o.created_at BETWEEN $1 AND $2 AND (f.count, d.count) <> (o.facts, o.dead_letters)
        """,
    ),
    LooseEnd(
        "Clock {1}, cycle {2}, of ticket {3} (tenant {0}) has no ticket.",
        """
        SELECT c.tenant_id, c.metric, c.cycle, c.ticket_id FROM sla_clocks c
         WHERE c.started_at BETWEEN $1 AND $2 AND NOT EXISTS (SELECT FROM tickets t
                   WHERE t.tenant_id = c.tenant_id AND t.id = c.ticket_id)
        """,
    ),
    LooseEnd(
        "Segment {4} of clock {1}, cycle {2}, of ticket {3} (tenant {0}) has no clock.",
        """
        SELECT s.tenant_id, s.metric, s.cycle, s.ticket_id, s.number FROM sla_segments s
         WHERE s.at BETWEEN $1 AND $2 AND NOT EXISTS (SELECT FROM sla_clocks c
                   WHERE c.tenant_id = s.tenant_id AND c.ticket_id = s.ticket_id
                     AND c.metric = s.metric AND c.cycle = s.cycle)
        """,
    ),
    LooseEnd(
        "Ticket {1} (tenant {0}) shows {3} as the due time of {2}, but its clock says {4}.",
        """
        SELECT t.tenant_id, t.ticket_number, m.metric, m.due_at, c.due_at
          FROM tickets t
         CROSS JOIN LATERAL (VALUES ('first_response', t.first_response_due_at),
                                    ('resolution', t.sla_due_date)) AS m (metric, due_at)
          LEFT JOIN LATERAL (SELECT CASE
                  WHEN c.state IN ('running', 'paused') OR (m.metric = 'first_response'
                       AND t.first_response_at IS NOT NULL) THEN c.due_at END AS due_at
                 FROM sla_clocks c
                WHERE c.tenant_id = t.tenant_id AND c.ticket_id = t.id AND c.metric = m.metric
                ORDER BY c.cycle DESC LIMIT 1) c ON true
         WHERE t.updated_at BETWEEN $1 AND $2 AND t.status IN ('open', 'in_progress', 'waiting')
           AND m.due_at IS DISTINCT FROM c.due_at
        """,
    ),
    LooseEnd(
        "Ticket {1} (tenant {0}) is {2}, but its clock {3}, cycle {4}, is {5}.",
        """
        SELECT t.tenant_id, t.ticket_number, t.status, c.metric, c.cycle, c.state
          FROM tickets t JOIN sla_clocks c ON c.tenant_id = t.tenant_id AND c.ticket_id = t.id
         WHERE t.updated_at BETWEEN $1 AND $2 AND t.status IN ('resolved', 'closed')
           AND c.state IN ('running', 'paused')
        """,
    ),
    LooseEnd(
        "Clock {2}, cycle {3}, of ticket {1} (tenant {0}) is {4}, but waits to tell something.",
        """
        SELECT c.tenant_id, c.ticket_id, c.metric, c.cycle, c.state FROM sla_clocks c
         WHERE c.next_fire_at >= $1 AND c.started_at <= $2 AND c.state IN ('fulfilled', 'cancelled')
        """,
    ),
    LooseEnd(
        "Clock {2}, cycle {3}, of ticket {1} (tenant {0}) has {4} segments, but {5} from {6} to {7}"
        " are on record.",
        """
        SELECT t.tenant_id, t.ticket_number, c.metric, c.cycle, c.segments, s.count, s.first, s.last
          FROM tickets t JOIN sla_clocks c ON c.tenant_id = t.tenant_id AND c.ticket_id = t.id
         CROSS JOIN LATERAL (
               SELECT count(*), min(number) AS first, max(number) AS last FROM sla_segments s
                WHERE s.tenant_id = c.tenant_id AND s.ticket_id = c.ticket_id
                  AND s.metric = c.metric AND s.cycle = c.cycle) s
         WHERE t.updated_at BETWEEN $1 AND $2 AND (s.count <> c.segments
               OR (s.count > 0 AND (s.first, s.last) <> (1, s.count)))
        """,
    ),
    LooseEnd(
        "Clock {2}, cycle {3}, of ticket {1} (tenant {0}) names fact {4} as its breach, which is no"
        " sla.breached of it.",
        """
        SELECT t.tenant_id, t.ticket_number, c.metric, c.cycle, c.breach_sequence
          FROM tickets t JOIN sla_clocks c ON c.tenant_id = t.tenant_id AND c.ticket_id = t.id
         WHERE t.updated_at BETWEEN $1 AND $2 AND c.breach_sequence IS NOT NULL
           AND NOT EXISTS (SELECT FROM ticket_facts f
                   WHERE f.tenant_id = t.tenant_id AND f.subject_id = t.id
                     AND f.sequence = c.breach_sequence AND f.ce_type = 'sla.breached'
                     AND f.data::json ->> 'metric' = c.metric
                     AND f.data::json ->> 'cycle' = c.cycle::text)
        """,
    ),
    LooseEnd(
        "Ticket {1} (tenant {0}) says {2} of being breached, but its clocks have {3} breaches.",
        """
        SELECT t.tenant_id, t.ticket_number, t.sla_breached, c.breaches
          FROM tickets t CROSS JOIN LATERAL (
               SELECT coalesce(sum(breaches), 0) AS breaches FROM sla_clocks c
                WHERE c.tenant_id = t.tenant_id AND c.ticket_id = t.id) c
         WHERE t.updated_at BETWEEN $1 AND $2 AND t.sla_breached <> (c.breaches > 0)
        """,
    ),
    LooseEnd(
        "Ticket {1} (tenant {0}) is for customer {2}, who is one of tenant {3}.",
        """
        SELECT t.tenant_id, t.ticket_number, t.customer_id, c.tenant_id
          FROM tickets t JOIN customers c ON c.id = t.customer_id AND c.tenant_id <> t.tenant_id
         WHERE t.updated_at BETWEEN $1 AND $2
        """,
    ),
    LooseEnd(
        "Ticket {1} (tenant {0}) is for partner {2}, who is one of tenant {3}.",
        """
        SELECT t.tenant_id, t.ticket_number, t.partner_id, p.tenant_id
          FROM tickets t JOIN partners p ON p.id = t.partner_id AND p.tenant_id <> t.tenant_id
         WHERE t.updated_at BETWEEN $1 AND $2
        """,
    ),
)


async def loose_ends(connection: asyncpg.Connection, since: datetime, until: datetime) -> list[str]:
    """A sentence for each row that points to nothing."""
    sentences = []
    for kind in LOOSE_ENDS:
        rows = await connection.fetch(f"{kind.question} LIMIT {LOOSE_ENDS_SHOWN}", since, until)
        sentences += [kind.sentence.format(*row) for row in rows]
    return sentences
