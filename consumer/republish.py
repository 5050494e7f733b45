"""Past facts to subscribers once more: exactly as they were, marked, in their order.

They go out by a producer of their own, without the lease, and the outbox is never touched. What is
not published yet is left to the relay: a marked copy must not come before the first occurrence.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer

from consumer import clock
from consumer.delivery import Delivered, Delivery
from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.outgoing import Outgoing, Place, fact_key, facts_going_out
from consumer.pace import Pace
from consumer.past_facts import PastFacts
from consumer.publisher import Publisher
from db.past_facts import Past, Position
from schemas.envelope import REPLAYED

FACTS_AT_ONCE: Final = 500
BYTES_AT_ONCE: Final = 4 * 1024 * 1024
"""What is read and sent at once, at most, unless a single fact is longer."""

PACES_A_SECOND: Final = 10
SEND_SECONDS: Final = 8.0
MISSING_SECONDS: Final = 5.0

REFUSALS_KEPT: Final = 1_000

NO_TOPIC: Final = "The topic does not exist any more."


class NotTaken(NamedTuple):
    """A fact that the broker refused, and its word against it."""

    fact: Past
    reason: str


@dataclass(slots=True)
class Sent:
    """What was done. cursor: everything up to it is dealt with; None before the first.

    refused: how many; refusals: the first of them.
    """

    by_type: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    refusals: list[NotTaken] = field(default_factory=list)
    unpublished: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    cursor: Position | None = None

    @property
    def facts(self) -> int:
        return self.by_type.total()


class Republisher:
    """Sends past facts again. topic_of: the full name of a ce_type's topic.

    rate: facts a second at most. on_sent: told how many more are dealt with; on_refused: told of
    each that the broker refused.
    """

    def __init__(
        self,
        facts: PastFacts,
        producer: Callable[[], AIOKafkaProducer],
        dependencies: Dependencies,
        *,
        topic_of: Callable[[str], str],
        rate: float | None = None,
        on_sent: Callable[[int], None],
        on_refused: Callable[[NotTaken], None],
        seconds: Callable[[], float] = clock.seconds,
    ) -> None:
        metrics = Metrics()
        self._facts = facts
        self._topic_of = topic_of
        self._rate = rate
        self._pace = Pace(rate, seconds)
        self._on_sent = on_sent
        self._on_refused = on_refused
        self._stopping = asyncio.Event()
        self._publisher = Publisher(
            producer,
            may_send=_always,
            on_answered=_always,
            send_seconds=SEND_SECONDS,
            missing_seconds=MISSING_SECONDS,
        )
        self._delivery = Delivery(
            self._publisher,
            dependencies,
            published=metrics.facts_published,
            failures=metrics.publish_failures,
            place_of=_place_alone,
        )
        self.sent = Sent()

    def stop(self) -> None:
        """Have `run` return once what is on its way is acknowledged."""
        self._stopping.set()

    async def run(self) -> bool:
        """Send everything; whether it came to the end. Cancelled, `sent` still says how far."""
        try:
            async for _, wanted in self._facts.stretches():
                for portion in portions(wanted, most_at_once(self._rate)):
                    await self._wait_for_turn(sum(each.is_published for each in portion))
                    if self._stopping.is_set():
                        return False
                    await self._send(portion)
            return True
        finally:
            await self._publisher.abandon()

    async def _wait_for_turn(self, facts: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.seconds_until(facts)):
                await self._stopping.wait()

    async def _send(self, portion: Sequence[Past]) -> None:
        published = {_key(each): each for each in portion if each.is_published}
        rows = await self._facts.read(list(published.values()))
        going = [
            fact._replace(headers=[*fact.headers, REPLAYED])
            for fact in facts_going_out(rows, self._topic_of)
        ]
        delivered = await self._delivery.deliver(await self._delivery.pack(going))
        refused = refusals(delivered)
        for key, reason in refused.items():
            not_taken = NotTaken(published[key], reason)
            self.sent.refused += 1
            if len(self.sent.refusals) < REFUSALS_KEPT:
                self.sent.refusals.append(not_taken)
            self._on_refused(not_taken)
        self._note(portion, [published[key] for key in map(_fact_key, going) if key not in refused])

    def _note(self, portion: Sequence[Past], taken: Sequence[Past]) -> None:
        sent = self.sent
        sent.by_type.update(each.ce_type for each in taken)
        sent.unpublished += sum(not each.is_published for each in portion)
        sent.cursor = portion[-1].position
        times = [each.occurred_at for each in taken]
        sent.first_at = min(filter(None, (sent.first_at, *times)), default=None)
        sent.last_at = max(filter(None, (sent.last_at, *times)), default=None)
        self._on_sent(sum(each.is_published for each in portion))


def most_at_once(rate: float | None) -> int:
    """Small portions where the rate is low, so that facts don't come in bursts."""
    if rate is None:
        return FACTS_AT_ONCE
    return max(1, min(FACTS_AT_ONCE, int(rate / PACES_A_SECOND)))


def portions(wanted: Sequence[Past], most: int) -> Iterator[Sequence[Past]]:
    """The facts in their order, as many and as long as are sent at once."""
    first = length = 0
    for number, each in enumerate(wanted):
        is_full = number - first >= most or length + each.length > BYTES_AT_ONCE
        if is_full and number > first:
            yield wanted[first:number]
            first, length = number, 0
        length += each.length
    if first < len(wanted):
        yield wanted[first:]


_Key = tuple[str, str, int]


def refusals(delivered: Delivered) -> dict[_Key, str]:
    """Why which facts were not taken."""
    refused = {_fact_key(fact): reason for fact, reason in delivered.refused}
    return refused | {_fact_key(fact): NO_TOPIC for fact in delivered.missing}


def _key(past: Past) -> _Key:
    _, tenant_id, subject_id, sequence = past.position
    return tenant_id, subject_id.replace("-", ""), sequence


def _fact_key(fact: Outgoing) -> _Key:
    tenant_id, subject, sequence = fact_key(fact)
    return tenant_id, subject.hex(), sequence


def _place_alone(fact: Outgoing) -> Place:
    """No fact waits for another: one that is refused was published in its turn long ago."""
    return fact_key(fact), 0


def _always() -> None:
    """Sending past facts is nobody's privilege."""
