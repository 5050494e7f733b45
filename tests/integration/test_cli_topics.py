"""`ticketing topics` on a real broker."""

import shlex

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
)

from schemas.catalogue import TOPICS
from tests.integration.command import Command


def configs(command: Command, topic: str) -> dict[str, str]:
    admin = AdminClient({"bootstrap.servers": command.environment["KAFKA_BOOTSTRAP_SERVERS"]})
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    (described,) = admin.describe_configs([resource]).values()
    return {name: entry.value for name, entry in described.result().items()}


def make_topic(command: Command, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": command.environment["KAFKA_BOOTSTRAP_SERVERS"]})
    (created,) = admin.create_topics([NewTopic(name, 1, 1)]).values()
    created.result()
    while name not in admin.list_topics(timeout=30).topics:  # the broker hears of it a bit later
        continue


def partitions(command: Command, topic: str) -> int:
    admin = AdminClient({"bootstrap.servers": command.environment["KAFKA_BOOTSTRAP_SERVERS"]})
    return len(admin.list_topics(timeout=30).topics[topic].partitions)


def test_every_topic_is_made_once(kafka_command: Command) -> None:
    prefix = kafka_command.settings.topic_prefix
    before = kafka_command("topics", "--check")
    assert before.code == 1
    assert f"{prefix}ticket.requested does not exist; run `ticketing topics`." in before.out

    made = kafka_command("topics", "--partitions", "3", "--replication-factor", "1", "--json")
    assert made.code == 0
    names = {topic.name for topic in TOPICS}
    letters = {f"{topic.name}.dlq" for topic in TOPICS if topic.has_dead_letters}
    assert set(made.json["created"]) == {prefix + name for name in names | letters}

    assert kafka_command("topics").out == "All topics are as they should be.\n"
    assert kafka_command("topics", "--check").code == 0
    assert partitions(kafka_command, f"{prefix}ticket.requested") == 3
    assert configs(kafka_command, f"{prefix}customer.changed")["cleanup.policy"] == "compact"
    assert configs(kafka_command, f"{prefix}ticket.requested")["cleanup.policy"] == "delete"
    longest = int(configs(kafka_command, f"{prefix}ticket.requested.dlq")["max.message.bytes"])
    assert longest > kafka_command.settings.max_record_bytes


def test_a_topic_that_exists_is_judged_and_left_alone(kafka_command: Command) -> None:
    topic = f"{kafka_command.settings.topic_prefix}customer.changed"
    make_topic(kafka_command, topic)
    done = kafka_command("topics")
    assert done.code == 1
    assert f"Created {topic}." not in done.out.splitlines()
    assert f"{topic} has cleanup.policy=delete; set it: kafka-configs.sh" in done.out
    assert configs(kafka_command, topic)["cleanup.policy"] == "delete"


def test_a_pattern_gets_dead_letter_topics_for_what_it_matches(kafka_command: Command) -> None:
    prefix = kafka_command.settings.topic_prefix
    kafka_command.environment["REQUEST_TOPICS"] = r"^(?P<tenant>[a-z]+)\.requested$"
    make_topic(kafka_command, f"{prefix}acme.requested")
    created = kafka_command("topics", "--json").json["created"]
    assert f"{prefix}acme.requested.dlq" in created
    assert f"{prefix}ticket.requested" not in created


def test_the_lines_for_kafkas_own_script_need_no_broker(command: Command) -> None:
    command.environment["TOPIC_PREFIX"] = "p."
    done = command("topics", "--print", "--partitions", "6", "--replication-factor", "3")
    assert done.code == 0
    lines = [shlex.split(line) for line in done.out.splitlines()]
    assert {line[0] for line in lines} == {"kafka-topics.sh"}
    (parties,) = [line for line in lines if "p.customer.changed" in line]
    assert parties[1:] == [
        *("--bootstrap-server", "127.0.0.1:1", "--create", "--if-not-exists"),
        *("--topic", "p.customer.changed", "--partitions", "6", "--replication-factor", "3"),
        *("--config", "cleanup.policy=compact"),
    ]


def test_a_broker_that_is_away_is_one_sentence(command: Command) -> None:
    done = command("topics")
    assert done.code == 1
    assert done.err.startswith("Kafka at 127.0.0.1:1 can't be used: ")
    assert done.err.count("\n") == 1
