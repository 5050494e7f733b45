"""A backlog for the relay, made in the database at once: as if nobody had published for a day."""

from typing import Final

from tests.scenarios.world import World

FACTS_IN_A_WRITE: Final = 200

WRITES: Final = """
INSERT INTO outbox (id, facts, bytes, created_at)
SELECT nextval('outbox_id_seq'), 0, 0, now()
  FROM (SELECT s, w FROM generate_series(2, $1::int) s, generate_series(1, $2::int) w
         ORDER BY s, w) ordered
"""

FACTS: Final = """
WITH t AS (SELECT f.tenant_id, f.subject_id, f.ticket_number, f.data::jsonb AS data,
                  (row_number() OVER (ORDER BY f.subject_id) - 1) / $3::int AS w
             FROM ticket_facts f WHERE f.sequence = 1),
     o AS (SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM outbox WHERE facts = 0)
INSERT INTO ticket_facts (tenant_id, subject_id, sequence, outbox_id, ce_type, ticket_id,
                          ticket_number, causation_id, occurred_at, data)
SELECT t.tenant_id, t.subject_id, s, o.id, 'ticket.priority_changed', t.subject_id,
       t.ticket_number, 'backlog-' || s, now(), (t.data || jsonb_build_object('sequence', s))::text
  FROM t CROSS JOIN generate_series(2, $1::int) s
  JOIN o ON o.number = (s - 2) * $2::int + t.w
"""

COUNTS: Final = """
UPDATE outbox SET facts = f.facts, bytes = f.bytes
  FROM (SELECT outbox_id, count(*) AS facts, sum(length(data)) AS bytes FROM ticket_facts
         GROUP BY outbox_id) f
 WHERE outbox.id = f.outbox_id
"""


async def add_backlog(world: World, *, facts: int) -> None:
    """Give the tickets that there are further facts, each write before the next, unpublished.

    facts: how many there are to be in all; a multiple of the tickets' number, which have one fact
    each now. A ticket's facts are in writes with rising numbers, as in life.
    """
    tickets = await world.count("tickets")
    each, rest = divmod(facts, tickets)
    assert rest == 0
    writes = -(-tickets // FACTS_IN_A_WRITE)
    await world.ask(WRITES, each, writes)
    await world.ask(FACTS, each, writes, FACTS_IN_A_WRITE)
    await world.ask(COUNTS)
    await world.ask("UPDATE tickets SET sequence = $1, last_change_sequence = $1", each)
    assert await world.count("ticket_facts") == facts
