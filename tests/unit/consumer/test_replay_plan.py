"""Where a replay begins and ends, and what it reads first."""

from collections.abc import Collection
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndTimestamp

from consumer.replay_filter import ReplayFilter
from consumer.replay_plan import NotReplayable, Plan, Stretch, named, phases, plan
from consumer.settings import Settings
from consumer.subscription import Subscription

SETTINGS: Final = Settings(
    _env_file=None,
    topic_prefix="p.",
    request_topics="ticket.requested,^(?P<tenant>[a-z]+)-requests$",
)
PLACE: Final = TopicPartition("p.ticket.requested", 0)
SINCE: Final = datetime(2026, 3, 1, tzinfo=UTC)


class Broker:
    """Both clients. Partitions hold the offsets 10 to 99; the group has read some of them."""

    def __init__(self, *topics: str, read: dict[TopicPartition, int] | None = None) -> None:
        self._topics = topics
        self._read = {} if read is None else read
        self._client = self
        self.asked_for: Collection[TopicPartition] = ()
        self.at: int | None = 50

    async def set_topics(self, topics: Collection[str]) -> None:
        assert topics

    async def list_topics(self) -> list[str]:
        return list(self._topics)

    async def describe_topics(self, topics: Collection[str]) -> list[dict[str, Any]]:
        return [{"topic": each, "partitions": [{"partition": 0}]} for each in topics]

    async def beginning_offsets(
        self, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 10)

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 100)

    async def offsets_for_times(self, times: dict[Any, int]) -> dict[Any, Any]:
        assert set(times.values()) == {1_772_323_200_000}
        at = None if self.at is None else OffsetAndTimestamp(self.at, 0)
        return dict.fromkeys(times, at)

    async def list_consumer_group_offsets(self, group_id: str) -> dict[Any, Any]:
        assert group_id == SETTINGS.group_id
        return {each: SimpleNamespace(offset=at) for each, at in self._read.items()}


async def planned(broker: Broker, wanted: ReplayFilter, *, includes_unread: bool = False) -> Plan:
    return await plan(broker, broker, SETTINGS, wanted, includes_unread=includes_unread)


async def stretch(
    read_to: int | None = 100,
    *,
    includes_unread: bool = False,
    at: int | None = 50,
    **wanted: Any,  # noqa: ANN401  of a filter
) -> Stretch:
    broker = Broker(PLACE.topic, read={} if read_to is None else {PLACE: read_to})
    broker.at = at
    made = await planned(broker, ReplayFilter(**wanted), includes_unread=includes_unread)
    (found,) = made.stretches
    return found


async def test_everything_that_is_kept_and_was_read_is_scanned() -> None:
    assert await stretch() == Stretch(PLACE, 10, 100)


async def test_what_the_group_has_not_read_is_left_to_it() -> None:
    assert await stretch(70) == Stretch(PLACE, 10, 70, unread=30)
    assert await stretch(70, includes_unread=True) == Stretch(PLACE, 10, 100, unread=30)
    assert await stretch(None) == Stretch(PLACE, 10, 10, unread=90)
    assert await stretch(-1) == Stretch(PLACE, 10, 10, unread=90)
    assert await stretch(5) == Stretch(PLACE, 10, 10, unread=90)
    assert await stretch(70, from_offset=80) == Stretch(PLACE, 80, 80, unread=20)


async def test_a_group_that_is_ahead_of_a_topic_made_anew_is_none() -> None:
    assert await stretch(1_000) == Stretch(PLACE, 10, 100)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"from_offset": 20}, Stretch(PLACE, 20, 100)),
        ({"from_offset": 0}, Stretch(PLACE, 10, 100, gone=10)),
        ({"to_offset": 20}, Stretch(PLACE, 10, 21)),
        ({"from_offset": 20, "to_offset": 20}, Stretch(PLACE, 20, 21)),
        ({"to_offset": 5}, Stretch(PLACE, 10, 10)),
        ({"from_offset": 500}, Stretch(PLACE, 500, 500)),
        ({"to_offset": 99}, Stretch(PLACE, 10, 100)),
        ({"to_offset": 500}, Stretch(PLACE, 10, 100)),
        ({"since": SINCE}, Stretch(PLACE, 50, 100)),
        ({"since": SINCE, "from_offset": 60}, Stretch(PLACE, 60, 100)),
        ({"since": SINCE, "from_offset": 20}, Stretch(PLACE, 50, 100)),
        ({"until": SINCE}, Stretch(PLACE, 10, 100)),
    ],
)
async def test_a_filter_says_where_to_begin_and_end(wanted: dict[str, Any], found: Stretch) -> None:
    assert await stretch(**wanted) == found


async def test_where_nothing_is_so_young_nothing_is_scanned() -> None:
    assert await stretch(since=SINCE, at=None) == Stretch(PLACE, 100, 100)


ALL: Final = (
    *("p.ticket.requested", "p.ticket.change_requested", "p.north-requests", "p.south-requests"),
    *("p.customer.changed", "p.partner.changed", "p.ticket.created", "p.ticket.requested.dlq"),
    *("ticket.requested", "other"),
)


async def test_without_a_name_all_topics_of_requests_and_changes_are_meant() -> None:
    async def topics(**wanted: Any) -> list[str]:  # noqa: ANN401  of a filter
        made = await planned(Broker(*ALL), ReplayFilter(**wanted))
        return [each.partition.topic for each in made.stretches]

    requests = ["p.ticket.change_requested", "p.ticket.requested"]
    bound = ["p.north-requests", "p.south-requests"]
    assert await topics() == [*bound, *requests]
    assert await topics(tenant="north") == ["p.north-requests", *requests]
    assert await topics(topics=("p.customer.changed",)) == ["p.customer.changed"]


async def test_what_kafka_does_not_have_is_told() -> None:
    with pytest.raises(NotReplayable, match=r"Kafka has no topic p\.customer\.changed\."):
        await planned(Broker(), ReplayFilter(topics=("p.customer.changed",)))
    with pytest.raises(NotReplayable, match=r"There is no partition 3 of p\.ticket\.requested\."):
        await planned(Broker(PLACE.topic), ReplayFilter(partition=3))


async def test_where_no_topic_is_there_nothing_is_planned() -> None:
    made = await planned(Broker("other"), ReplayFilter())
    assert (made.offsets, made.unread, made.gone) == (0, 0, 0)


def test_a_topic_may_be_named_without_its_prefix() -> None:
    names = ("ticket.requested", "p.ticket.requested", "north-requests", "customer.changed")
    found = named(names, SETTINGS)
    assert found == ("p.ticket.requested", "p.north-requests", "p.customer.changed")
    for name in ("ticket.created", "ticket.requested.dlq", "other", ""):
        with pytest.raises(NotReplayable, match="is no topic that the service reads"):
            named([name], SETTINGS)


def test_parties_come_before_requests_and_changes_after_them() -> None:
    stretches = [Stretch(TopicPartition(topic, 0), 0, 1) for topic in ALL[:6]]
    found = phases(stretches, Subscription(SETTINGS))
    assert [sorted(each.topic for each in phase) for phase in found] == [
        ["p.customer.changed", "p.partner.changed"],
        ["p.north-requests", "p.south-requests", "p.ticket.requested"],
        ["p.ticket.change_requested"],
    ]
    with pytest.raises(NotReplayable, match="other is no topic that the service reads any more"):
        phases([Stretch(TopicPartition("other", 0), 0, 1)], Subscription(SETTINGS))
