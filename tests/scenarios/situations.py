"""Situations that together take the service through every one of its awaits."""

import signal
from collections.abc import Sequence

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from db.tables import NO_DEAD_LETTER_TOPIC
from tests.integration.service_process import ServiceProcess
from tests.records import asked
from tests.scenarios.kill_run import MODULES, QUICK, Situation, leave, tell_to_end
from tests.scenarios.messages import Message, customer, party_id, requested
from tests.scenarios.resolved import close_after, resolve, until_none_is_resolved
from tests.scenarios.world import World

INTAKE = frozenset(
    f"consumer.{name}"
    for name in ("intake", "positions", "offsets", "party_progress", "lost_positions", "pauses")
)
WRITING = frozenset(
    f"consumer.{name}"
    for name in (
        *("batch", "bisect", "transaction", "timers", "parking", "closing", "firing"),
        *("wakeups", "leadership", "writes"),
    )
)
RELAY = frozenset(MODULES) - INTAKE - WRITING
LARGE = "very long " * 1_000
NOWHERE = "127.0.0.1:1"
MANY_RESOLVED = MANY_OPEN = 40
"""More than there are awaits to die at."""

SMUGGLED = "request-smuggled"
LOST = "lost"


async def send_everything(world: World, number: int) -> None:
    """One of each kind; the customer of the one before, which waits, comes now."""
    await world.publish(
        customer(),
        requested(f"a{number}"),
        requested(f"a{number}"),
        requested(f"b{number}", target_type="platform"),
        requested(f"c{number}", customer_id=party_id(f"late {number}")),
        requested(f"d{number}", customer_id=party_id("nobody")),
        Message(b"broken"),
        customer(f"late {number - 1}"),
    )


async def send_smuggled(world: World, number: int) -> None:
    """The database refuses one of several at once, and one that was parked before."""
    await world.publish(
        customer(),
        requested(f"smuggled-{number}"),
        *[requested(f"{number}-{each}") for each in range(3)],
        requested(f"smuggled-parked-{number}", customer_id=party_id("nobody")),
    )


async def refuse_large_batches(world: World) -> None:
    await world.shrink("ticket.created", max_message_bytes=2_500)
    await world.shrink("ticket.requested.dlq", max_message_bytes=2_500)


async def send_too_large_facts(world: World, number: int) -> None:
    """Facts that the broker refuses, while others are written."""
    await refuse_large_batches(world)
    await world.publish(customer())
    for each in range(2):
        await world.publish(
            requested(f"large-{number}-{each}", description=LARGE),
            requested(f"small-{number}-{each}"),
        )


async def find_facts_while_some_are_held(world: World, number: int) -> None:
    """Another process has written, so that its facts are read; the broker refused one before."""
    if number == 0:
        await send_too_large_facts(world, number)
        async with world.service(client=QUICK) as service:
            await world.come_to_rest_and_leave(service)
    await world.publish(requested(f"later-{number}"))
    async with world.service("--role", "consumer", client=QUICK) as service:
        await world.until_handled()
        service.signal(signal.SIGTERM)
        await service.end()


async def send_too_large_letters(world: World, number: int) -> None:
    """Dead letters that the broker refuses, with others and with facts."""
    await refuse_large_batches(world)
    await world.publish(
        customer(), requested(str(number)), Message(LARGE.encode()), Message(b"broken")
    )


async def send_and_miss_topics(world: World, number: int) -> None:
    """What was published waits again for its topic, as if that had been missing until now."""
    if number == 0:
        await send_too_large_facts(world, number)
        await send_too_large_letters(world, number)
        async with world.service(client=QUICK) as service:
            await world.come_to_rest_and_leave(service)
    topic = f"{world.prefix}ticket.created"
    await world.ask(
        """
        INSERT INTO held_facts (tenant_id, subject_id, sequence, reason, missing_topic, held_at)
        SELECT tenant_id, subject_id, sequence, 'The topic does not exist.', $1, now()
          FROM ticket_facts WHERE sequence = 1
            ON CONFLICT (tenant_id, subject_id, sequence) DO UPDATE SET missing_topic = $1
        """,
        topic,
    )
    await world.ask("UPDATE dead_letters SET publish_error = $1", NO_DEAD_LETTER_TOPIC)


async def send_without_dead_letter_topic(world: World, number: int) -> None:
    """A broken record whose dead letter topic nobody has made."""
    topic = "requests.two"
    if number == 0:
        await world.make_topics_named(topic)
    await world.publish(customer(), requested(str(number)).on(topic), Message(b"broken").on(topic))


async def until_nothing_is_missed(world: World, service: ServiceProcess) -> None:
    async def is_released() -> bool:
        waiting = await world.count("held_facts WHERE missing_topic IS NOT NULL")
        letters = f"dead_letters WHERE publish_error = '{NO_DEAD_LETTER_TOPIC}'"
        return waiting + await world.count(letters) == 0

    await world.until(is_released, "what waited for a topic is sent")
    await world.until_at_rest()
    await tell_to_end(service)


async def lose_positions(world: World, number: int) -> None:
    """Retention deletes what the group has not read yet."""
    topic = "requests.one"
    if number == 0:
        await world.make_topics_named(topic, partitions=1)
        await world.publish(customer(), requested("first").on(topic))
        async with world.service(client=QUICK) as service:
            await world.come_to_rest_and_leave(service)
    places = await world.publish(*[requested(f"{number}-{each}").on(topic) for each in range(6)])
    admin = AdminClient({"bootstrap.servers": world.kafka, "log_level": 0})
    partition = TopicPartition(world.prefix + topic, 0, places[-2].offset)
    admin.delete_records([partition])[partition].result()


async def send_a_stream_of_broken_records(world: World, number: int) -> None:
    """Enough for the ceiling; who looked at the one before has resumed the topic."""
    await world.ask("DELETE FROM paused_topics")
    await world.publish(*[Message(b"broken %d" % number)] * 120)


async def leave_once_paused(world: World, service: ServiceProcess) -> None:
    """It pauses the topic itself, and is told to end; then somebody resumes it."""
    await world.until_rows("paused_topics")
    await service.line("http.listening")
    service.signal(signal.SIGTERM)
    await service.line("shutdown.requested")
    await world.ask("DELETE FROM paused_topics")
    await service.line("child.ended")


async def send_more_than_there_is_room_for(world: World, number: int) -> None:
    await world.publish(customer())
    await world.publish(*[requested(f"{number}-{each}") for each in range(150)])


async def leave_in_the_middle(_: World, service: ServiceProcess) -> None:
    """The service is told to end while batches are being written."""
    await service.line("batch.committed", created=5)
    await tell_to_end(service)


async def leave_without_having_met_kafka(_: World, service: ServiceProcess) -> None:
    await service.line("dependency.lost", dependency="kafka")
    await service.line("lease.taken")  # by then all its parts are at work
    await tell_to_end(service)


async def leave_once_handled(world: World, service: ServiceProcess) -> None:
    await world.until_handled()
    await tell_to_end(service)


async def write_more_than_a_round(world: World, number: int) -> None:
    """More writes than the relay takes at once are there before it comes."""
    if await world.count("outbox") > 600:
        return
    await world.publish(customer())
    await world.publish(*[requested(f"{number}-{each}") for each in range(700)])
    async with world.service("--role", "consumer", client=QUICK, BATCH_RECORDS="1") as service:
        await world.until_handled()
        service.signal(signal.SIGTERM)
        await service.end()


async def leave_when_it_begins(_: World, service: ServiceProcess) -> None:
    await service.line("lease.taken")
    await tell_to_end(service)


async def let_a_ticket_fall_due(world: World, number: int) -> None:
    """One of many resolved tickets has been so for longer than its tenant's policy leaves it so."""
    if number == 0:
        await resolve(world, *range(MANY_RESOLVED))
        await close_after(world, days=1)
    await world.ask(
        """
        UPDATE tickets SET resolved_at = now() - interval '2 days'
         WHERE id = (SELECT id FROM tickets WHERE status = 'resolved' ORDER BY id LIMIT 1)
        """
    )


async def let_a_letter_be_over(world: World, number: int) -> None:
    """Somebody has decided long ago about the letter of a record that retention has taken since."""
    await world.ask(
        """
        INSERT INTO dead_letters (topic, partition, "offset", record_timestamp, header_names,
            header_values, error_class, error_message, group_id, failed_at, state)
        VALUES ('gone', 0, $1, 0, '{}', '{}', 'NotJson', '?', 'group', now() - interval '9 days',
                'discarded')
        """,
        number,
    )


async def leave_once_removed(world: World, service: ServiceProcess) -> None:
    async def is_removed() -> bool:
        return await world.count("dead_letters") == 0

    await world.until(is_removed, "letters that are over are removed")
    await leave(world, service)


async def leave_once_closed(world: World, service: ServiceProcess) -> None:
    await until_none_is_resolved(world, longer_than_days=1)
    await leave(world, service)


async def let_clocks_fall_due(world: World, number: int) -> None:
    """One is half used up; one the database refuses; of one nobody knows what it is judged by."""
    odd = [asked(each).ticket_id for each in (LOST, SMUGGLED)]
    if number == 0:
        await open_many(world)
        await world.ask(
            "UPDATE sla_clocks SET policy = 'lost', policy_version = 1 WHERE ticket_id = $1", odd[0]
        )
        await let_half_a_day_pass(world, odd)
    untold = await world.ask(
        "SELECT ticket_id FROM sla_clocks WHERE ticket_id <> ALL($1) AND next_fire_at > now()"
        " AND metric = 'first_response' AND fired = '{}' LIMIT 1",
        odd,
    )
    await let_half_a_day_pass(world, [row["ticket_id"] for row in untold])
    await world.ask(
        "UPDATE sla_clocks SET next_fire_at = now() WHERE ticket_id = ANY($1)"
        " AND metric = 'first_response' AND fired = '{}'",
        odd,
    )


async def let_half_a_day_pass(world: World, tickets: Sequence[str]) -> None:
    """For the answer that these tickets wait for: a warning is due."""
    await world.ask(
        """
        WITH clocks AS (
          UPDATE sla_clocks SET started_at = started_at - interval '13 hours',
                 due_at = due_at - interval '13 hours', next_fire_at = now()
           WHERE ticket_id = ANY($1) AND metric = 'first_response' RETURNING ticket_id, due_at)
        UPDATE tickets SET first_response_due_at = clocks.due_at FROM clocks WHERE id = ticket_id
        """,
        tickets,
    )


async def open_many(world: World) -> None:
    roles = ("--role", "consumer", "--role", "relay")
    async with world.service(*roles, client=QUICK) as service:
        await world.publish(
            customer(),
            requested(LOST),
            requested(SMUGGLED, assigned_team=SMUGGLED),
            *(requested(each) for each in range(MANY_OPEN)),
        )
        await world.until_rows("tickets", MANY_OPEN + 2)
        await world.come_to_rest_and_leave(service)


async def leave_once_told(world: World, service: ServiceProcess) -> None:
    async def is_told() -> bool:
        return await world.count("sla_clocks WHERE next_fire_at < now()") == 0

    await world.until(is_told, "no clock is due")
    await leave(world, service)


SHORT_GRACE = {"UNKNOWN_CUSTOMER_GRACE_SECONDS": "0.2"}


def everything(name: str, modules: frozenset[str]) -> Situation:
    return Situation(f"everything, {name}", send_everything, options=SHORT_GRACE, modules=modules)


SITUATIONS = (
    everything("intake", INTAKE),
    everything("writing", WRITING),
    everything("relay", RELAY),
    Situation(
        "the database refuses a record",
        send_smuggled,
        faults=[
            f"poison connection.copy_to_table ~{SMUGGLED}",
            f"poison connection.execute ~{SMUGGLED}",
            f"conflict connection.executemany ~{SMUGGLED}",
        ],
        options=SHORT_GRACE,
    ),
    Situation("the broker refuses facts", send_too_large_facts, modules=RELAY),
    Situation(
        "facts are found while some are held",
        find_facts_while_some_are_held,
        arguments=("--role", "relay"),
        modules=RELAY,
    ),
    Situation("the broker refuses dead letters", send_too_large_letters, modules=RELAY),
    Situation(
        "topics were missing",
        send_and_miss_topics,
        finish=until_nothing_is_missed,
        modules=RELAY,
    ),
    Situation(
        "a topic is missing",
        send_without_dead_letter_topic,
        options={"REQUEST_TOPICS": "requests.two"},
        modules=RELAY,
    ),
    Situation(
        "the broker does not answer",
        send_everything,
        faults=[
            "lose after consumer.getmany #2",
            "lose producer.start",
            "lose producer.send_batch #2",
        ],
        options=SHORT_GRACE,
    ),
    Situation(
        "positions are lost",
        lose_positions,
        options={"REQUEST_TOPICS": "requests.one"},
        modules=INTAKE,
    ),
    Situation(
        "more than there is room for",
        send_more_than_there_is_room_for,
        finish=leave_in_the_middle,
        own_options={"BATCH_RECORDS": "5"},
        modules=INTAKE,
    ),
    Situation(
        "a stream becomes dead letters",
        send_a_stream_of_broken_records,
        finish=leave_once_paused,
        own_options={"DLQ_MAX_RATIO": "0.1"},
        modules=frozenset({"consumer.pauses"}),
    ),
    Situation(
        "told to end while facts wait for the broker",
        send_more_than_there_is_room_for,
        finish=leave_in_the_middle,
        faults=[f"lose producer.start #{number}" for number in range(1, 8)],
        own_options={"BATCH_RECORDS": "5"},
        modules=frozenset({"consumer.rounds"}),
    ),
    Situation(
        "told to end before Kafka was there",
        send_more_than_there_is_room_for,
        finish=leave_without_having_met_kafka,
        own_options={"KAFKA_BOOTSTRAP_SERVERS": NOWHERE},
        modules=INTAKE,
    ),
    Situation(
        "a relay elsewhere",
        send_more_than_there_is_room_for,
        finish=leave_once_handled,
        arguments=("--role", "consumer"),
        modules=WRITING,
    ),
    Situation(
        "resolved tickets close",
        let_a_ticket_fall_due,
        finish=leave_once_closed,
        arguments=("--role", "timers", "--role", "relay"),
        modules=frozenset({"consumer.timers", "consumer.closing"}),
    ),
    Situation(
        "dead letters are over",
        let_a_letter_be_over,
        finish=leave_once_removed,
        arguments=("--role", "timers", "--role", "relay"),
        options={"DLQ_RETENTION_DAYS": "1"},
        modules=frozenset({"consumer.retention"}),
    ),
    Situation(
        "clocks fall due",
        let_clocks_fall_due,
        finish=leave_once_told,
        faults=[f"poison connection.execute ~{SMUGGLED}"],
        arguments=("--role", "timers", "--role", "relay"),
        modules=frozenset({"consumer.timers", "consumer.firing"}),
    ),
    Situation(
        "more written than a round takes",
        write_more_than_a_round,
        finish=leave_when_it_begins,
        arguments=("--role", "relay"),
        modules=RELAY,
    ),
)
