"""The fake group coordinator: members, generations, and offsets that only members may commit."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from aiokafka import TopicPartition, errors

from consumer.clients import REBALANCE_TIMEOUT_MS, SESSION_TIMEOUT_MS
from tests.simulation.loop import SimulatedProcess

SESSION_SECONDS: Final = SESSION_TIMEOUT_MS / 1000
REBALANCE_SECONDS: Final = REBALANCE_TIMEOUT_MS / 1000


class Joined(NamedTuple):
    """What a member is told at the end of a rebalance."""

    member: int
    generation: int
    assigned: Sequence[TopicPartition]


@dataclass(slots=True)
class Member:
    """joining: while it waits for the others. is_at_work: it handles a rebalance, heart beating."""

    process: SimulatedProcess
    topics: Sequence[str]
    seen_at: float
    joining: "asyncio.Future[Joined] | None" = None
    is_at_work: bool = False

    def is_alive(self, now: float) -> bool:
        runs = not (self.process.is_dead or self.process.is_frozen)
        beats = runs and (self.is_at_work or self.joining is not None)
        return beats or now - self.seen_at < SESSION_SECONDS


class Group:
    """later: calls something on the server after so many seconds."""

    def __init__(
        self,
        partitions_of: Callable[[str], int],
        now: Callable[[], float],
        later: Callable[..., None],
    ) -> None:
        self._partitions_of = partitions_of
        self._now = now
        self._later = later
        self.members: dict[int, Member] = {}
        self.committed: dict[TopicPartition, int] = {}
        self.generation = 0
        self._is_stable = True
        self._began_at = 0.0
        self._joined_ever = 0

    def join(
        self, member_id: int | None, process: SimulatedProcess, topics: Sequence[str]
    ) -> "asyncio.Future[Joined]":
        """Done once all members have joined anew."""
        if member_id is None or member_id not in self.members:
            self._joined_ever += 1
            member_id = self._joined_ever
            self.members[member_id] = Member(process, topics, self._now())
        member = self.members[member_id]
        member.seen_at = self._now()
        member.joining = asyncio.get_running_loop().create_future()
        self._prepare()
        answer = member.joining
        self._complete_if_all_are_here()
        return answer

    def leave(self, member_id: int) -> None:
        if self.members.pop(member_id, None) is not None:
            self._prepare()
            self._complete_if_all_are_here()

    def heartbeat(self, member_id: int, generation: int) -> None:
        """Raises what tells the member to join anew."""
        member = self.members.get(member_id)
        if member is None:
            raise errors.UnknownMemberIdError
        if generation != self.generation:
            raise errors.IllegalGenerationError
        member.seen_at = self._now()
        if not self._is_stable:
            raise errors.RebalanceInProgressError

    def commit(
        self, member_id: int, generation: int, offsets: Mapping[TopicPartition, int]
    ) -> None:
        if member_id not in self.members:
            raise errors.UnknownMemberIdError
        if generation != self.generation:
            raise errors.IllegalGenerationError
        self.members[member_id].seen_at = self._now()
        self.committed.update(offsets)

    def disband(self) -> None:
        """Know nobody any more, as a coordinator that took over without its last records."""
        for member in self.members.values():
            if member.joining is not None and not member.joining.done():
                member.joining.set_exception(errors.NotCoordinatorForGroupError())
        self.members.clear()
        self._is_stable = True

    def sweep(self) -> None:
        """Put out of the group who was not heard of for too long; called again and again."""
        now = self._now()
        late = not self._is_stable and now - self._began_at >= REBALANCE_SECONDS
        silent = [
            number
            for number, member in self.members.items()
            if not member.is_alive(now) or (late and member.joining is None)
        ]
        for number in silent:
            del self.members[number]
        if silent:
            self._prepare()
            self._complete_if_all_are_here()

    def _prepare(self) -> None:
        if self._is_stable:
            self._is_stable = False
            self._began_at = self._now()

    def _complete_if_all_are_here(self) -> None:
        if self._is_stable or any(member.joining is None for member in self.members.values()):
            return
        self.generation += 1
        self._is_stable = True
        for number, assigned in self._dealt().items():
            member = self.members[number]
            member.seen_at = self._now()
            joining, member.joining = member.joining, None
            if joining is not None and not joining.done():
                joining.set_result(Joined(number, self.generation, assigned))

    def _dealt(self) -> dict[int, list[TopicPartition]]:
        """Round robin, as our consumers ask for."""
        topics = sorted({topic for member in self.members.values() for topic in member.topics})
        everything = [
            TopicPartition(topic, number)
            for topic in topics
            for number in range(self._partitions_of(topic))
        ]
        dealt: dict[int, list[TopicPartition]] = {number: [] for number in sorted(self.members)}
        for place, partition in enumerate(everything):
            if dealt:
                dealt[list(dealt)[place % len(dealt)]].append(partition)
        return dealt
