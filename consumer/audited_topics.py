"""The topics that an audit reads: what we consume, what we publish, and dead letters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consumer.scan import Partitions, partitions_of
from consumer.settings import Settings
from consumer.subscription import DEAD_LETTER_SUFFIX, Subscription
from handlers.entries import TopicRole
from schemas.catalogue import TOPIC_OF_CE_TYPE


@dataclass(frozen=True, slots=True)
class AuditedTopics:
    """The partitions of everything that we read and write. roles: of the topics that we read."""

    roles: Mapping[str, TopicRole]
    topic_of: Mapping[str, str]
    inbound: Partitions
    facts: Partitions
    letters: Partitions


async def find_topics(admin: Any, settings: Settings) -> AuditedTopics:  # noqa: ANN401  aiokafka's
    subscription = Subscription(settings)
    known = await admin.list_topics()
    roles = {topic: role for topic in known if (role := subscription.role_of(topic))}
    topic_of = {kind: settings.topic_prefix + name for kind, name in TOPIC_OF_CE_TYPE.items()}
    return AuditedTopics(
        roles,
        topic_of,
        await partitions_of(admin, roles),
        await partitions_of(admin, set(topic_of.values())),
        await partitions_of(admin, {topic + DEAD_LETTER_SUFFIX for topic in roles}),
    )
