"""`ticketing customers rebuild`: the tables compared with the topics, on real servers."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tests.integration.command import Command
from tests.scenarios.messages import Message, customer, partner, party_id, tombstone

pytestmark = pytest.mark.integration

DAYS = [f"2026-01-0{day}T00:00:00Z" for day in range(1, 10)]
ANNA, BERT, CARL, DORA = map(party_id, ("Anna", "Bert", "Carl", "Dora"))

Publish = Callable[..., None]


@pytest.fixture
def publish(kafka_command: Command) -> Publish:
    """Makes the two topics, and sends records there."""
    settings = kafka_command.settings
    prefix = settings.topic_prefix
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    names = [prefix + name for name in ("customer.changed", "partner.changed")]
    config = {"cleanup.policy": "compact"}
    topics = [NewTopic(name, 2, 1, config=config) for name in names]
    for future in admin.create_topics(topics).values():
        future.result()

    def send(*messages: Message) -> None:
        producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})
        for message in messages:
            producer.produce(prefix + message.topic, message.value, message.key)
        assert producer.flush(60) == 0

    return send


def rebuild(command: Command, *arguments: str) -> Any:  # noqa: ANN401  any JSON value
    done = command("customers", "rebuild", *arguments, "--json")
    assert done.code == 0, done.err
    return done.json


def ask(command: Command, question: str, *arguments: object) -> list[dict[str, Any]]:
    async def read() -> Sequence[Any]:
        connection = await asyncpg.connect(command.environment["DATABASE_URL"])
        try:
            found: Sequence[Any] = await connection.fetch(question, *arguments)
            return found
        finally:
            await connection.close()

    return [dict(row) for row in asyncio.run(read())]


def row(command: Command, id_: str, table: str = "customers") -> dict[str, Any]:
    (found,) = ask(
        command,
        f"SELECT tenant_id, external_id, name, status, tier FROM {table} WHERE id = $1",  # noqa: S608  ours
        id_,
    )
    return found


def test_an_empty_table_is_filled_as_the_topics_say(
    kafka_command: Command, publish: Publish
) -> None:
    publish(
        customer("Anna", external_id=7, tier="gold", updated_at=DAYS[1]),
        customer("Anna", external_id=7, tier="silver", updated_at=DAYS[0]),
        customer("Bert", updated_at=DAYS[0]),
        customer("Bertha", customer_id=BERT, updated_at=DAYS[0]),
        tombstone("Carl"),
        customer("Dora", updated_at=DAYS[0]),
        tombstone("Dora"),
        partner("Cable & Co"),
    )
    done = rebuild(kafka_command, "--yes")
    assert done["announced"] == {"customer": 4, "partner": 1}
    assert (done["missing"], done["different"], done["put_right"]) == (4, 0, 4)
    assert row(kafka_command, ANNA) == {
        "tenant_id": "north",
        "external_id": 7,
        "name": "Anna",
        "status": "active",
        "tier": "gold",
    }
    assert row(kafka_command, BERT)["name"] == "Bertha"
    assert row(kafka_command, DORA)["status"] == "deleted"
    assert row(kafka_command, party_id("Cable & Co"), "partners")["status"] == "active"
    again = rebuild(kafka_command, "--yes")
    assert (again["missing"], again["different"], again["put_right"]) == (0, 0, 0)


def test_differences_are_shown_field_by_field(kafka_command: Command, publish: Publish) -> None:
    publish(
        customer("Anna", tier="gold", updated_at=DAYS[1]),
        customer("Bert", updated_at=DAYS[1]),
        customer("Carl", updated_at=DAYS[0]),
    )
    rebuild(kafka_command, "--yes")
    kafka_command.execute(
        "UPDATE customers SET tier = 'none', status = 'blocked' WHERE name = 'Anna';"
        "DELETE FROM customers WHERE name = 'Bert';"
        "UPDATE customers SET updated_at = now(), name = 'Newer' WHERE name = 'Carl';"
        "INSERT INTO customers (id, tenant_id, status, updated_at)"
        " VALUES (gen_random_uuid(), 'north', 'active', now()),"
        " (gen_random_uuid(), 'north', 'unverified', to_timestamp(0))"
    )
    prefix = kafka_command.settings.topic_prefix
    shown = kafka_command("customers", "rebuild", "--dry-run")
    assert shown.code == 1
    topics = f"{prefix}customer.changed, {prefix}partner.changed"
    head, *differences = shown.out.splitlines()
    assert head == f"3 records in {topics} announce 3 customers and 0 partners."
    fields = "status blocked should be active, tier none should be gold"
    assert set(differences) == {
        f"  customer {ANNA} of tenant north: {fields}",
        f"  customer {BERT} of tenant north is missing here (active, Bert)",
        "1 missing here, 1 different here.",
        "1 newer here than in any record.",
        "2 here, but in no record: they stay.",
    }
    assert row(kafka_command, ANNA)["tier"] == "none"
    done = kafka_command("customers", "rebuild", "--yes")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "Put right: 2 parties."
    assert row(kafka_command, ANNA)["tier"] == "gold"
    assert row(kafka_command, CARL)["name"] == "Newer"
    assert len(ask(kafka_command, "SELECT FROM customers")) == 5
    assert kafka_command("customers", "rebuild", "--dry-run").code == 0


def test_equal_in_age_is_applied(kafka_command: Command, publish: Publish) -> None:
    publish(customer("Anna", updated_at=DAYS[1]))
    rebuild(kafka_command, "--yes")
    kafka_command.execute("UPDATE customers SET name = 'Hannah'")
    assert rebuild(kafka_command, "--yes")["put_right"] == 1
    assert row(kafka_command, ANNA)["name"] == "Anna"


def test_a_tombstone_of_a_compacted_topic_deletes(kafka_command: Command, publish: Publish) -> None:
    kafka_command.handle(
        json.loads(customer("Anna", updated_at=DAYS[1]).value or b""), topic="customer.changed"
    )
    publish(tombstone("Anna"))
    assert rebuild(kafka_command, "--yes")["different"] == 1
    assert row(kafka_command, ANNA)["status"] == "deleted"
    assert rebuild(kafka_command, "--yes")["different"] == 0


def test_what_has_no_effect_is_counted_and_named(kafka_command: Command, publish: Publish) -> None:
    publish(
        customer("Anna", updated_at=DAYS[1]),
        customer("Anna", tenant_id="south", updated_at=DAYS[5]),
        Message(b"not json", b"x", topic="customer.changed"),
    )
    kafka_command.handle(
        json.loads(customer("Bert", tenant_id="south", updated_at=DAYS[0]).value or b""),
        topic="customer.changed",
    )
    publish(customer("Bert", updated_at=DAYS[3]))
    done = rebuild(kafka_command, "--yes")
    assert (done["unreadable"], done["moved"], done["other_tenant"]) == (1, 1, 1)
    assert len(done["problems"]) == 2
    assert any("InvalidJson" in each or "NotJson" in each for each in done["problems"])
    assert any(f"gives customer {ANNA} of north to another" in each for each in done["problems"])
    assert row(kafka_command, ANNA)["tenant_id"] == "north"
    assert row(kafka_command, BERT)["tenant_id"] == "south"


def test_an_external_id_goes_to_who_is_newer(kafka_command: Command, publish: Publish) -> None:
    publish(
        customer("Anna", external_id=7, updated_at=DAYS[3]),
        customer("Bert", external_id=7, updated_at=DAYS[1]),
    )
    rebuild(kafka_command, "--yes")
    assert row(kafka_command, ANNA)["external_id"] == 7
    assert row(kafka_command, BERT)["external_id"] is None
    kafka_command.execute("UPDATE customers SET external_id = NULL WHERE name = 'Anna'")
    kafka_command.execute("UPDATE customers SET external_id = 7 WHERE name = 'Bert'")
    assert rebuild(kafka_command, "--yes")["different"] == 2
    assert row(kafka_command, ANNA)["external_id"] == 7
    assert row(kafka_command, BERT)["external_id"] is None


@pytest.mark.parametrize(
    ("option", "customers", "partners"), [("--customers-only", 1, 0), ("--partners-only", 0, 1)]
)
def test_one_kind_can_be_left_alone(
    kafka_command: Command, publish: Publish, option: str, customers: int, partners: int
) -> None:
    publish(customer("Anna"), partner("Cable & Co"))
    assert rebuild(kafka_command, option, "--yes")["put_right"] == 1
    assert len(ask(kafka_command, "SELECT FROM customers")) == customers
    assert len(ask(kafka_command, "SELECT FROM partners")) == partners


def test_it_asks_and_without_a_terminal_needs_yes(kafka_command: Command, publish: Publish) -> None:
    publish(customer("Anna"))
    done = kafka_command("customers", "rebuild")
    assert done.code == 2
    assert done.err.splitlines()[-3:] == [
        "missing here: 1",
        "different here: 0",
        "Nothing was done: without a terminal to ask, --yes is needed.",
    ]
    assert ask(kafka_command, "SELECT FROM customers") == []


def test_both_kinds_alone_is_wrong_use(command: Command) -> None:
    done = command("customers", "rebuild", "--customers-only", "--partners-only")
    assert (done.code, done.err) == (
        2,
        "Give one of --customers-only and --partners-only, or neither for both.\n",
    )


def test_without_a_topic_nothing_is_compared(kafka_command: Command) -> None:
    done = kafka_command("customers", "rebuild", "--partners-only")
    assert (done.code, done.err) == (
        1,
        "No topic that announces partners exists: run `ticketing topics`.\n",
    )


def test_brokers_that_are_away_are_named(command: Command) -> None:
    done = command("customers", "rebuild", "--yes")
    assert done.code == 1
    assert done.err.startswith("Kafka at 127.0.0.1:1 can't be used: ")
