"""Records that were deleted before the group had read them, and positions that are no more. Pure.

Kafka's retention deletes by age and size, whoever has read what. The service goes on at what is
left, and reports it in `lost_positions`; what it has not met yet shows in its committed offsets.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import TopicPartition

from consumer.wording import counted


class Jump(NamedTuple):
    """A partition's position, and where reading went on, or will."""

    partition: TopicPartition
    lost_offset: int
    resumed_offset: int


@dataclass(frozen=True, slots=True)
class Losses:
    """records: how many offsets were skipped; a few of them may have held no record."""

    records: int = 0
    sentences: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def pending(
    committed: Mapping[TopicPartition, int], first: Mapping[TopicPartition, int]
) -> list[Jump]:
    """What the group has yet to meet: its position lies before the first record that is left."""
    return [
        Jump(each, committed[each], start)
        for each, start in first.items()
        if each in committed and committed[each] < start
    ]


def sum_up(jumps: Iterable[Jump]) -> Losses:
    """Each stretch of offsets counts once, however often it was reported."""
    lost: dict[TopicPartition, list[tuple[int, int]]] = defaultdict(list)
    remarks = []
    for partition, begin, end in sorted(set(jumps)):
        where = f"{partition.topic}:{partition.partition}"
        stretches = lost[partition]
        if end <= begin:
            remarks.append(
                f"The group stood at offset {begin} of {where}, which was no more: the topic was "
                f"made anew or cut off, and is read from offset {end}."
            )
        elif stretches and begin <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(end, stretches[-1][1]))
        else:
            stretches.append((begin, end))
    flat = [(partition, *each) for partition, found in lost.items() for each in found]
    sentences = [
        f"{counted(end - begin, 'record')} of {partition.topic}:{partition.partition} (offsets "
        f"{begin} to {end - 1}) {'was' if end - begin == 1 else 'were'} deleted before the group"
        f" had read {'it' if end - begin == 1 else 'them'}."
        for partition, begin, end in flat
    ]
    return Losses(sum(end - begin for _, begin, end in flat), tuple(sentences), tuple(remarks))
