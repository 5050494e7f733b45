"""A ticket's history as subscribers of all topics have it, and what must be true of any."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from handlers.change_facts import TOLD
from schemas.catalogue import OUTBOUND_TOPICS
from schemas.vocabulary import RejectionCode
from tests.scenarios.world import World

REJECTED = "ticket.rejected"
FACT_TOPICS = sorted(OUTBOUND_TOPICS - {REJECTED})


class Told(NamedTuple):
    """A fact as it was published. cause: the request id of what brought it about."""

    ticket_id: str
    sequence: int
    ce_type: str
    cause: str | None
    data: dict[str, Any]


async def told_on(world: World, topic: str) -> list[Told]:
    """Every record of a fact topic, repeats too."""
    told = []
    for record in await world.read(topic):
        headers = {name: value.decode() for name, value in record.headers}
        sequence = int(headers.get("ce_sequence", 0))
        cause = headers.get("ce_causationid")
        data = json.loads(record.value)
        told.append(Told(record.key.decode(), sequence, headers["ce_type"], cause, data))
    return told


async def histories(world: World) -> dict[str, list[Told]]:
    """The distinct facts of each ticket, by their sequence over all topics."""
    found: dict[str, dict[int, Told]] = {}
    for topic in FACT_TOPICS:
        for fact in await told_on(world, topic):
            facts = found.setdefault(fact.ticket_id, {})
            assert facts.setdefault(fact.sequence, fact) == fact, "a repeat is the same fact"
    return {ticket: [facts[each] for each in sorted(facts)] for ticket, facts in found.items()}


async def refusals(world: World) -> dict[str | None, tuple[str, str]]:
    """The code and the sentence of each refusal, by the request id that caused it."""
    told = await told_on(world, REJECTED)
    found = {fact.cause: (fact.data["code"], fact.data["message"]) for fact in told}
    assert len(found) == len(told)
    assert {code for code, _ in found.values()} <= set(RejectionCode)
    return found


async def assert_consistent(world: World, history: Sequence[Told]) -> None:
    """Numbered from 1 without gaps; each change begins where the last ended; the row is the end."""
    assert [fact.sequence for fact in history] == list(range(1, len(history) + 1))
    created, *rest = history
    assert created.ce_type == "ticket.created"
    fields = {name: created.data.get(name) for name in TOLD}
    for fact in rest:
        for name, change in (fact.data.get("changes") or {}).items():
            assert fields[name] == change["from"], (fact, name)
            fields[name] = change["to"]
    ((document, sequence),) = await world.ask(
        "SELECT to_jsonb(tickets), sequence FROM tickets WHERE id = $1", created.ticket_id
    )
    row = json.loads(document)
    assert sequence == len(history)
    assert {name: _read(name, row[name]) for name in TOLD} == {
        name: _read(name, value) for name, value in fields.items()
    }
    await _assert_messages(world, history)


async def _assert_messages(world: World, history: Sequence[Told]) -> None:
    """Every message is told of, once; what is internal without its text."""
    rows = await world.ask(
        "SELECT id::text, sender_type, is_internal, body FROM ticket_messages"
        " WHERE ticket_id = $1 AND body <> $2",
        history[0].ticket_id,
        history[0].data["description"],
    )
    stored = {row["id"]: row for row in rows}
    said = [fact.data["message"] for fact in history if fact.ce_type == "ticket.message_added"]
    assert sorted(stored) == sorted(message["message_id"] for message in said)
    for message in said:
        row = stored[message["message_id"]]
        assert message["sender_type"] == row["sender_type"]
        assert message["is_internal"] == row["is_internal"]
        assert message["body"] == (None if row["is_internal"] else row["body"])


def _read(name: str, value: Any) -> Any:  # noqa: ANN401  any field of a ticket
    """A time as the instant that it is: PostgreSQL and facts write it in their own ways."""
    is_time = value is not None and name.endswith(("_at", "_date"))
    return datetime.fromisoformat(value) if is_time else value
