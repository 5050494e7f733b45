"""Topics as Kafka has them: what is there, what is missing, what is wrong with them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from consumer import clients
from consumer.scan import started
from consumer.settings import Settings
from consumer.wanted_topics import LONGEST, Difference, WantedTopic, wanted_topics
from schemas.catalogue import OUTBOUND_TOPICS

BROKER_REPLICATION: Final = "default.replication.factor"
ALREADY_EXISTS: Final = 36


class TopicNotCreated(Exception):
    """Topic {name} could not be created: {reason}."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"Topic {name} could not be created: {reason}.")


@dataclass(frozen=True, slots=True)
class Ensured:
    """Which topics were made, and what is still not as it should be."""

    created: list[str]
    differences: list[Difference]


async def ensure(
    settings: Settings, *, partitions: int, replication: int | None, create_missing: bool
) -> Ensured:
    """Create what is missing, unless told to look only. What exists is never changed.

    replication: None leaves it to the broker's default. Raises TopicNotCreated.
    """
    async with started(clients.admin(settings)) as admin:
        existing = await existing_topics(admin)
        wanted = wanted_topics(settings, existing, partitions=partitions)
        missing = [topic for topic in wanted if topic.name not in existing]
        created = await create(admin, missing, replication) if missing and create_missing else []
        # The broker does not list a topic at once that it has just made.
        unmade = [topic for topic in wanted if topic.name not in created]
        return Ensured(created, await differences(admin, unmade))


async def existing_topics(admin: Any) -> set[str]:  # noqa: ANN401  aiokafka's admin client
    """The names of all topics. Asking for all creates none, as asking for one might."""
    return set(await admin.list_topics())


async def create(
    admin: Any,  # noqa: ANN401  aiokafka's admin client
    wanted: Iterable[WantedTopic],
    replication: int | None,
) -> list[str]:
    """Create these topics; returns the names of those that were not there. Raises TopicNotCreated.

    replication: None leaves it to the broker's default.
    """
    if replication is None:
        replication = int((await _broker_configs(admin)).get(BROKER_REPLICATION, "1"))
    response = await admin.create_topics(
        [
            NewTopic(topic.name, topic.partitions, replication, topic_configs=dict(topic.configs))
            for topic in wanted
        ]
    )
    created = []
    for name, code, message in response.topic_errors:
        if code == 0:
            created.append(name)
        elif code != ALREADY_EXISTS:
            raise TopicNotCreated(name, message or for_code(code).__name__)
    return created


async def differences(
    admin: Any,  # noqa: ANN401  aiokafka's admin client
    wanted: Collection[WantedTopic],
) -> list[Difference]:
    """What is missing or not as it should be, in the order of `wanted`."""
    existing = await existing_topics(admin)
    found = [topic for topic in wanted if topic.name in existing]
    configs = await _topic_configs(admin, [topic.name for topic in found if topic.configs])
    missing = [
        Difference(topic.name, "does not exist", "run `ticketing topics`")
        for topic in wanted
        if topic.name not in existing
    ]
    return missing + [
        difference
        for topic in found
        for name, value in topic.configs.items()
        if (difference := _compare(topic.name, name, value, configs[topic.name].get(name)))
    ]


async def taking_less_than(
    admin: Any,  # noqa: ANN401  aiokafka's admin client
    settings: Settings,
    size: int,
) -> list[str]:
    """Which of the topics that we publish to refuse a batch of this many bytes."""
    names = {settings.topic_prefix + name for name in OUTBOUND_TOPICS}
    configs = await _topic_configs(admin, sorted(names & await existing_topics(admin)))
    return [name for name, config in configs.items() if int(config[LONGEST]) < size]


def _compare(topic: str, name: str, wanted: str, actual: str | None) -> Difference | None:
    if name == LONGEST:
        is_right = int(actual or 0) >= int(wanted)
    else:
        is_right = wanted in (actual or "").split(",")
    if is_right:
        return None
    return Difference(
        topic,
        f"has {name}={actual}",
        f"set it: kafka-configs.sh --alter --entity-type topics --entity-name {topic}"
        f" --add-config {name}={wanted}",
    )


async def _topic_configs(
    admin: Any,  # noqa: ANN401  aiokafka's admin client
    names: Iterable[str],
) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    if not resources:
        return {}
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for response in await admin.describe_configs(resources)
        for resource in response.resources
    }


async def _broker_configs(admin: Any) -> dict[str, str]:  # noqa: ANN401  aiokafka's admin client
    node = (await admin.describe_cluster())["brokers"][0]["node_id"]
    (response,) = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.BROKER, str(node))]
    )
    return {entry[0]: entry[1] for entry in response.resources[0][4]}
