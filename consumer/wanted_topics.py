"""The topics that we need: which they are, and with what settings."""

import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from consumer.clients import ROOM_FOR_HEADERS
from consumer.settings import Settings
from consumer.subscription import DEAD_LETTER_SUFFIX, Subscription
from consumer.topic_entry import TopicEntry
from schemas.catalogue import OUTBOUND_TOPICS

DEAD_LETTER_PARTITIONS: Final = 1
"""Few letters, and one partition keeps them in the order in which they were found."""

CLEANUP: Final = "cleanup.policy"
LONGEST: Final = "max.message.bytes"


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A topic as it should be. name: with the prefix; configs: what differs from the default."""

    name: str
    partitions: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it should be, and what to do about it; one sentence each."""

    topic: str
    problem: str
    remedy: str


def wanted_topics(
    settings: Settings, existing: Collection[str] = (), *, partitions: int
) -> tuple[WantedTopic, ...]:
    """Everything we read and write. Of a pattern's topics only the dead letter topics are ours.

    existing: the names of all topics that are there, to find those that a pattern means.
    """
    inbound = {
        settings.topic_prefix + entry.text: {CLEANUP: "compact"} if is_party else {}
        for entry, is_party in _entries(settings)
        if entry.pattern is None
    }
    subscription = Subscription(settings)
    matched = {name for name in existing if subscription.role_of(name) is not None}
    longest = str(settings.max_record_bytes + ROOM_FOR_HEADERS)
    return (
        *(WantedTopic(name, partitions, configs) for name, configs in inbound.items()),
        *(
            WantedTopic(settings.topic_prefix + name, partitions, {})
            for name in sorted(OUTBOUND_TOPICS)
        ),
        *(
            WantedTopic(name + DEAD_LETTER_SUFFIX, DEAD_LETTER_PARTITIONS, {LONGEST: longest})
            for name in sorted(inbound.keys() | matched)
        ),
    )


def _entries(settings: Settings) -> Iterable[tuple[TopicEntry, bool]]:
    for entry in (*settings.request_topics, *settings.change_topics):
        yield entry, False
    for entry in (*settings.customer_topics, *settings.partner_topics):
        yield entry, True


def shell_lines(
    settings: Settings, wanted: Iterable[WantedTopic], replication: int | None
) -> list[str]:
    """The same as commands for Kafka's own script, for who may not let a program do it."""
    lines = []
    for topic in wanted:
        words = ["kafka-topics.sh", "--bootstrap-server", settings.kafka_bootstrap_servers]
        words += ["--create", "--if-not-exists", "--topic", topic.name]
        words += ["--partitions", str(topic.partitions)]
        if replication is not None:
            words += ["--replication-factor", str(replication)]
        for name, value in topic.configs.items():
            words += ["--config", f"{name}={value}"]
        lines.append(shlex.join(words))
    return lines
