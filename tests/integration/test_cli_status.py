"""`ticketing status`: what waits, for how long, and what comes next."""

import asyncio
import json
import os
import sys

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.integration.command import Command
from tests.integration.test_cli_requests import customer, request


def with_backlog(command: Command) -> None:
    """One ticket, one parked request, one dead letter, one held fact, one holder of the lease."""
    group = command.settings.group_id
    command.handle(customer(), topic="customer.changed")
    stranger = "99999999-9999-4999-8999-999999999999"
    command.handle(
        request(),
        request(request_id="2", customer_id=stranger),
        request(request_id="3", title="ab"),
    )
    command.execute(
        "INSERT INTO held_facts SELECT tenant_id, subject_id, sequence, 'Too large.', NULL, now()"
        " FROM ticket_facts;"
        "INSERT INTO leases VALUES ('relay', 'host-7', 3, now() + interval '1 minute')"
    )
    command.execute(
        f"INSERT INTO lost_positions VALUES ('{group}', 't', 0, 5, 9, now())"  # noqa: S608
    )


def records(command: Command, *, committed: int, produced: int) -> None:
    """So many requests on partition 0, of which the group has read some."""
    servers = {"bootstrap.servers": command.environment["KAFKA_BOOTSTRAP_SERVERS"]}
    topic = f"{command.settings.topic_prefix}ticket.requested"
    producer = Producer(servers)
    for number in range(produced):
        producer.produce(topic, str(number), partition=0, timestamp=1_750_000_000_000)
    producer.flush(30)
    group = Consumer(servers | {"group.id": command.settings.group_id, "enable.auto.commit": False})
    group.commit(offsets=[TopicPartition(topic, 0, committed)], asynchronous=False)
    group.close()


def test_it_shows_everything_that_waits(kafka_command: Command) -> None:
    kafka_command("topics", "--partitions", "2", "--replication-factor", "1")
    with_backlog(kafka_command)
    records(kafka_command, committed=2, produced=7)
    prefix = kafka_command.settings.topic_prefix
    done = kafka_command("status")
    assert done.code == 0
    lines = done.page
    lag = [line for line in lines if "ticket.requested  " in line]
    assert lag[0].startswith(f"{prefix}ticket.requested  2  5  ")
    assert lag[0].endswith(" old")
    assert f"{prefix}customer.changed  2  0  -" in lines
    for expected in (
        "to publish  1 fact, the oldest AGE",
        "parked  1 request, the oldest AGE",
        "held  1 fact, the oldest AGE",
        "overdue  0 tickets",
        "next due  first response of TCK-NUMBER of north AGE",
        "timers  on time, the next clock fires AGE",
        "relay lease  host-7 (fence 3)",
        "  1  Too large.",
        f"  1  WrongSize  {prefix}ticket.requested  TIME (AGE)",
    ):
        assert expected.strip() in [line.strip() for line in lines], "\n".join(lines)


def test_json_has_the_same_numbers(kafka_command: Command) -> None:
    kafka_command("topics", "--partitions", "1", "--replication-factor", "1")
    with_backlog(kafka_command)
    records(kafka_command, committed=1, produced=3)
    found = kafka_command("status", "--json").json
    topic = f"{kafka_command.settings.topic_prefix}ticket.requested"
    (lag,) = [each for each in found["lag"] if each["topic"] == topic]
    assert (lag["records"], lag["is_started"]) == (2, True)
    assert lag["seconds"] > 3_600
    assert found["waiting"]["parked"] == 1
    assert found["leases"][0]["holder"] == "host-7"
    assert found["lost"][0]["resumed_offset"] == 9
    assert found["problems"] == []


def test_what_is_away_is_said_and_the_rest_is_shown(command: Command) -> None:
    with_backlog(command)
    done = command("status")
    assert done.code == 1
    assert "Kafka can't be read: " in done.out
    assert "parked" in done.out
    command.environment["DATABASE_URL"] = "postgresql://u:secret@127.0.0.1:1/d"
    done = command("status")
    assert done.code == 1
    assert "The database can't be read: " in done.out
    assert "secret" not in done.out + done.err


def test_topics_that_are_missing_are_said(kafka_command: Command) -> None:
    assert "There are no topics to read: run `ticketing topics`." in kafka_command("status").out


async def test_watching_looks_again_until_it_is_stopped(kafka: str, database_url: str) -> None:
    environment = {name: each for name, each in os.environ.items() if "TICKETING_" not in name}
    environment |= {
        "TICKETING_DATABASE_URL": database_url,
        "TICKETING_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "TICKETING_TOPIC_PREFIX": "nowhere.",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consumer", "status", "--watch", "--every", "0.2", "--json"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    looks = [json.loads(await process.stdout.readline()) for _ in range(2)]
    assert looks[0]["waiting"]["at"] < looks[1]["waiting"]["at"]
    process.send_signal(2)
    _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
