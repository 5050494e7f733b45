"""Checks of Kafka, each on an open admin client."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from aiokafka.errors import GroupCoordinatorNotAvailableError

from consumer import clients, topics
from consumer.finding import Finding, failed, ok
from consumer.settings import Settings
from consumer.wanted_topics import wanted_topics
from consumer.wording import counted


async def topics_as_wanted(settings: Settings, admin: Any) -> Finding:  # noqa: ANN401  aiokafka's
    existing = await topics.existing_topics(admin)
    wanted = wanted_topics(settings, existing, partitions=1)
    found = await topics.differences(admin, wanted)
    if found:
        first = found[0]
        more = f" (and {len(found) - 1} more: `ticketing topics --check`)" if found[1:] else ""
        return failed("topics", f"{first.topic} {first.problem}{more}", first.remedy)
    are = "is as it" if len(wanted) == 1 else "are as they"
    return ok("topics", f"{counted(len(wanted), 'topic')} {are} should be")


async def record_size(settings: Settings, admin: Any) -> Finding:  # noqa: ANN401  aiokafka's
    """The relay sends whole batches: a topic has to take one."""
    too_small = await topics.taking_less_than(admin, settings, clients.PRODUCER_BATCH_BYTES)
    if too_small:
        return failed(
            "max.message.bytes",
            f"{', '.join(too_small)} takes less than {clients.PRODUCER_BATCH_BYTES} bytes",
            "set max.message.bytes=1048588 (Kafka's default) for it",
        )
    return ok("max.message.bytes", "our batches fit every topic that we write to")


async def group_state(settings: Settings, admin: Any) -> Finding:  # noqa: ANN401  aiokafka's
    response: Any = None
    with suppress(GroupCoordinatorNotAvailableError):  # a broker that never had any group
        (response,) = await admin.describe_consumer_groups([settings.group_id])
    if response is None:
        return ok("group", f"{settings.group_id} has never been here")
    error, _, group_state_, _, _, members = response.groups[0][:6]
    if error:
        return failed(
            "group",
            f"{settings.group_id} can't be described (Kafka's error {error})",
            "check the broker's log and our rights on the group",
        )
    state = group_state_ or "Dead"
    return ok("group", f"{settings.group_id} is {state}, {counted(len(members), 'member')}")


KAFKA_CHECKS: Final[tuple[Callable[[Settings, Any], Awaitable[Finding]], ...]] = (
    topics_as_wanted,
    record_size,
    group_state,
)
