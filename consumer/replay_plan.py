"""What a replay will read: which partitions, from where to where, as they are at its beginning."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition

from consumer.group_lag import committed_offsets
from consumer.replay_filter import ReplayFilter
from consumer.scan import end_offsets, first_offsets, partitions_of
from consumer.settings import Settings
from consumer.subscription import Subscription
from handlers.entries import TopicRole
from schemas.vocabulary import Kind

PHASES: Final[Sequence[frozenset[str]]] = (
    frozenset({"customer", "partner"}),
    frozenset({Kind.REQUEST}),
    frozenset({Kind.CHANGE}),
)
"""One after the other: a change may be for a ticket that a replayed request opens."""


class NotReplayable(ValueError):
    """A sentence about a topic or partition that can't be replayed."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Offsets of a partition, from start to before end.

    unread: how many offsets of those that were asked for the group has not read so far.
    gone: how many of them are not kept any more.
    """

    partition: TopicPartition
    start: int
    end: int
    unread: int = 0
    gone: int = 0

    @property
    def offsets(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Plan:
    """Every partition that is concerned, in order. includes_unread: they are replayed, too."""

    stretches: Sequence[Stretch]
    includes_unread: bool = False

    @property
    def offsets(self) -> int:
        return sum(each.offsets for each in self.stretches)

    @property
    def unread(self) -> int:
        return sum(each.unread for each in self.stretches)

    @property
    def gone(self) -> int:
        return sum(each.gone for each in self.stretches)


async def plan(
    kafka: Any,  # noqa: ANN401  aiokafka's consumer
    admin: Any,  # noqa: ANN401  and its admin client
    settings: Settings,
    wanted: ReplayFilter,
    *,
    includes_unread: bool,
) -> Plan:
    """Look where to read. Raises NotReplayable."""
    subscription = Subscription(settings)
    existing = await admin.list_topics()
    topics = _topics(wanted, subscription, existing)
    partitions = await partitions_of(admin, topics)
    if wanted.partition is not None:
        partitions = [each for each in partitions if each.partition == wanted.partition]
        if not partitions:
            raise NotReplayable(f"There is no partition {wanted.partition} of {_listed(topics)}.")
    if not partitions:
        return Plan((), includes_unread)
    first = await first_offsets(kafka, partitions)
    ends = await end_offsets(kafka, partitions)
    starts = await _starts(kafka, wanted, first, ends)
    read = await committed_offsets(admin, settings.group_id)
    stretches = [
        _stretch(
            each,
            (starts[each], ends[each]),
            first=first[each],
            read_to=read.get(each, 0),
            wanted=wanted,
            includes_unread=includes_unread,
        )
        for each in partitions
    ]
    return Plan(stretches, includes_unread)


def named(names: Iterable[str], settings: Settings) -> tuple[str, ...]:
    """Topics as they are called on the broker, written with the prefix or without it.

    Raises NotReplayable for one that the service does not read.
    """
    subscription = Subscription(settings)
    found = []
    for name in names:
        for full in (name, settings.topic_prefix + name):
            if subscription.role_of(full) is not None:
                found.append(full)
                break
        else:
            raise NotReplayable(
                f"{name!r} is no topic that the service reads, so there is nobody to hand its"
                " records to; those that it reads are TICKETING_REQUEST_TOPICS, _CHANGE_TOPICS,"
                " _CUSTOMER_TOPICS and _PARTNER_TOPICS."
            )
    return tuple(dict.fromkeys(found))


def _topics(
    wanted: ReplayFilter, subscription: Subscription, existing: Collection[str]
) -> list[str]:
    """Those that are named, else all of requests and changes that can hold what is wanted."""
    if wanted.topics:
        if missing := [each for each in wanted.topics if each not in existing]:
            raise NotReplayable(f"Kafka has no topic {_listed(missing)}.")
        return list(wanted.topics)
    return [
        topic
        for topic in sorted(existing)
        if (role := subscription.role_of(topic)) is not None
        and not subscription.is_party(topic)
        and (wanted.tenant is None or role.tenant in {None, wanted.tenant})
    ]


async def _starts(
    kafka: Any,  # noqa: ANN401  aiokafka's consumer
    wanted: ReplayFilter,
    first: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> Mapping[TopicPartition, int]:
    """The first offset of each partition to look at."""
    if wanted.since_ms is not None:
        found = await kafka.offsets_for_times(dict.fromkeys(first, wanted.since_ms))
        starts = {each: ends[each] if at is None else at.offset for each, at in found.items()}
    else:
        starts = dict(first)
    if wanted.from_offset is None:
        return starts
    return {each: max(at, wanted.from_offset) for each, at in starts.items()}


def _stretch(
    partition: TopicPartition,
    bounds: tuple[int, int],
    *,
    first: int,
    read_to: int,
    wanted: ReplayFilter,
    includes_unread: bool,
) -> Stretch:
    start, end = bounds
    if wanted.to_offset is not None:
        end = min(end, wanted.to_offset + 1)
    unread = max(0, end - max(start, read_to))
    if not includes_unread:
        end = min(end, read_to)
    gone = 0 if wanted.from_offset is None else max(0, first - wanted.from_offset)
    return Stretch(partition, start, max(start, end), unread, gone)


def phases(
    stretches: Iterable[Stretch], subscription: Subscription
) -> list[dict[TopicPartition, tuple[TopicRole, Stretch]]]:
    """What is read at the same time. Raises NotReplayable where the settings have changed."""
    found: list[dict[TopicPartition, tuple[TopicRole, Stretch]]] = [{} for _ in PHASES]
    for each in stretches:
        topic = each.partition.topic
        role = subscription.role_of(topic)
        if role is None:
            raise NotReplayable(f"{topic} is no topic that the service reads any more.")
        for number, kinds in enumerate(PHASES):
            if role.kind in kinds:
                found[number][each.partition] = role, each
    return [phase for phase in found if phase]


def _listed(names: Iterable[str]) -> str:
    return " or ".join(names)
