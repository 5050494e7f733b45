"""The promise, judged by the project's own checker on what the fakes hold in the end."""

from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, Final, TypeVar

from consumer import reading
from consumer.audit import Audit, Report
from consumer.evidence import Stretch
from consumer.outgoing import DLQ
from consumer.published import Published
from consumer.settings import Settings
from consumer.subscription import Subscription
from db import inventory
from handlers.identity import ticket_id
from schemas.catalogue import TOPIC_OF_CE_TYPE
from tests.simulation.audit_questions import AuditConnection, facts
from tests.simulation.broker import Broker, Log
from tests.simulation.shapes import Row
from tests.simulation.store import Database

LASTING: Final = (
    *("tickets", "ticket_messages", "ticket_facts", "requests", "dead_letters", "customers"),
    *("partners", "parked_requests", "held_facts", "outbox", "sla_clocks", "sla_segments"),
)
"""What repeating must not change."""

T = TypeVar("T")
Tables = Mapping[str, Mapping[Any, Row]]


def judged(settings: Settings, database: Database, broker: Broker) -> Report:
    """What became of everything, once the service has come to rest."""
    connection: Any = AuditConnection(database)
    audit = Audit(Published(dict(TOPIC_OF_CE_TYPE)), now=database.now())
    subscription = Subscription(settings)
    inbound = [topic for topic in sorted(broker.topics) if subscription.role_of(topic)]
    longest = settings.max_record_bytes
    for log in _logs(broker, inbound):
        role = subscription.role_of(log.topic)
        assert role is not None
        arrivals = [reading.arrival(each, role, longest) for each in log.records]
        stretch = Stretch(log.topic, log.partition, 0, log.end - 1)
        audit.arrived(
            arrivals, stretch, _now(reading.rows_of(connection, arrivals, stretch, role, longest))
        )
    tickets = {(tenant, ticket_id(key)): (tenant, key) for _, (tenant, key) in audit.waiting_for}
    unknown = _now(inventory.unknown_customers(connection, [ticket for _, ticket in tickets]))
    audit.settle({tickets[each]: at for each, at in unknown.items()})
    audit.published.committed(reading.facts(facts(connection.transaction)))
    for log in _logs(broker, sorted(set(TOPIC_OF_CE_TYPE.values()))):
        audit.published.sent(reading.sent(record, is_early=True) for record in log.records)
    for log in _logs(broker, [topic + DLQ for topic in inbound]):
        audit.sent_letters(reading.sent_letter(record, is_early=True) for record in log.records)
    gaps = [f"Nobody has seen {gap}." for gap in audit.published.gaps()]
    return audit.report(loose_ends=[*gaps, *loose_ends(database.tables)])


def lasting(database: Database) -> Tables:
    """Everything that repeating must not change, as it is now."""
    return {name: dict(database.tables[name]) for name in LASTING}


def loose_ends(tables: Tables) -> Iterator[str]:
    """What no key checks: the first of `db.loose_ends`."""
    for (tenant, ticket), row in tables["tickets"].items():
        numbers = sorted(key[2] for key in tables["ticket_facts"] if key[:2] == (tenant, ticket))
        if numbers != list(range(1, row["sequence"] + 1)):
            yield f"Ticket {ticket} has sequence {row['sequence']}, but facts {numbers}."
    parked = tables["parked_requests"].keys()
    for key, row in tables["requests"].items():
        if (row["outcome"] == "parked") != (key in parked):
            yield f"Request {key[1]} is {row['outcome']}, but kept as parked: {key in parked}."
    for (number,), row in tables["outbox"].items():
        found = [each for each in tables["ticket_facts"].values() if each["outbox_id"] == number]
        if len(found) != row["facts"]:
            yield f"Outbox row {number} announces {row['facts']} facts of {len(found)}."


def _logs(broker: Broker, topics: list[str]) -> Iterator[Log]:
    for topic in topics:
        yield from broker.topics.get(topic, ())


def _now(question: Coroutine[Any, Any, T]) -> T:
    """The answer to what waits for nothing."""
    try:
        question.send(None)
    except StopIteration as answered:
        found: T = answered.value
        return found
    raise AssertionError("an audit of fakes has nothing to wait for")
