"""What the workflow scenarios check, whatever engine ran the workflow."""

import json

from db.connect import connect, engine
from examples.workflows.lead import Lead, Onboarded
from examples.workflows.ledger import prepare

STEPS = ["customer", "licence", "mail", "subscription", "tenant"]


async def prepare_ledger(database_url: str) -> None:
    """The schema that the stand-ins of the steps leave their traces in."""
    database = engine(database_url)
    await prepare(database)
    await database.dispose()


async def assert_onboarded_once(database_url: str, lead: Lead, done: Onboarded) -> None:
    """One ticket with its one fact to publish, and every other step done once."""
    connection = await connect(database_url)
    tickets = await connection.fetch("SELECT id::text, ticket_number, tenant_id FROM tickets")
    assert [tuple(row) for row in tickets] == [(done.ticket_id, done.ticket_number, lead.tenant_id)]
    facts = await connection.fetch("SELECT ce_type, data, outbox_id FROM ticket_facts")
    assert [row["ce_type"] for row in facts] == ["ticket.created"]
    assert json.loads(facts[0]["data"])["ticket_number"] == done.ticket_number
    outbox = await connection.fetch("SELECT id, facts FROM outbox")
    assert [tuple(row) for row in outbox] == [(facts[0]["outbox_id"], 1)]
    assert await connection.fetchval("SELECT count(*) FROM ticket_messages") == 1
    trace = await connection.fetch("SELECT step, result FROM onboarding.steps ORDER BY step")
    assert [row["step"] for row in trace] == STEPS
    results = {row["step"]: json.loads(row["result"]) for row in trace}
    assert results["customer"]["customer_id"] == done.customer_id
    assert results["licence"]["licence"] == done.licence
    assert results["subscription"]["subscription"] == done.subscription
    assert results["mail"]["to"] == lead.email
    await connection.close()
