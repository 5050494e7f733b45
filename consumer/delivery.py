"""From records to acknowledgements, however long it takes; what the broker refuses stands alone."""

from collections import Counter as TopicCounts
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from prometheus_client import Counter

from consumer.dependencies import Dependencies
from consumer.outgoing import Outgoing, Place
from consumer.publisher import REFUSALS, NotAcknowledged, Publisher, Refused
from consumer.shipment import Batch, Shipment


@dataclass(slots=True)
class Delivered:
    """What became of records that were not acknowledged; all others were.

    refused: the broker's word against each. behind: later ones of a subject with a refused one.
    missing: their topic does not exist.
    """

    refused: list[tuple[Outgoing, str]] = field(default_factory=list)
    behind: list[Outgoing] = field(default_factory=list)
    missing: list[Outgoing] = field(default_factory=list)


class Delivery:
    """Sends until everything is acknowledged, refused or without a topic.

    published, failures: counters by topic and by cause. place_of: a record's subject, and its
    number there. refusals: the errors that speak against a record; any other is waited out.
    """

    def __init__(
        self,
        publisher: Publisher,
        dependencies: Dependencies,
        *,
        published: Counter,
        failures: Counter,
        place_of: Callable[[Outgoing], Place],
        refusals: tuple[type[Exception], ...] = REFUSALS,
    ) -> None:
        self._publisher = publisher
        self._dependencies = dependencies
        self._published = published
        self._failures = failures
        self._place_of = place_of
        self._refusals = refusals

    async def pack(self, records: Sequence[Outgoing]) -> Shipment:
        """Make records ready to be sent; waits for a broker."""
        return await self._dependencies.retrying("kafka", self._publisher.pack, records)

    async def existing(self, topics: Iterable[str]) -> set[str]:
        """Which of these topics exist now; waits for a broker."""
        return await self._dependencies.retrying("kafka", self._publisher.topics_exist, topics)

    async def deliver(self, shipment: Shipment) -> Delivered:
        """Send it; after a failure again what is not acknowledged, so that the order stands."""
        todo = _Todo(shipment)
        await self._dependencies.retrying("kafka", self._attempt, todo)
        return todo.delivered

    async def _attempt(self, todo: "_Todo") -> None:
        while True:
            shipment = todo.shipment or await self._publisher.pack(todo.records)
            todo.take(shipment)
            try:
                await self._publisher.send(shipment, self._refusals)
            except NotAcknowledged as failure:
                self._failures.labels(type(failure.cause).__name__).inc()
                todo.records = shipment.remaining()
                raise
            except Refused as refused:
                self._failures.labels("refused").inc()
                todo.records = self._set_aside(refused, shipment.remaining(), todo.delivered)
            else:
                return
            finally:
                self._count(shipment)

    def _count(self, shipment: Shipment) -> None:
        numbers: TopicCounts[str] = TopicCounts()
        for wave in shipment.waves:
            for batch in wave:
                if batch.is_acknowledged:
                    numbers[batch.topic] += len(batch.records)
        for topic, number in numbers.items():
            self._published.labels(topic).inc(number)

    def _set_aside(
        self, refused: Refused, remaining: Sequence[Outgoing], delivered: Delivered
    ) -> list[Outgoing]:
        """What to send next: smaller batches, without a refused record and its followers."""
        alone = [batch for batch in refused.batches if self._narrow(batch)]
        if not alone:
            return list(remaining)
        records = [batch.records[0] for batch in alone]
        delivered.refused += [(record, refused.reason) for record in records]
        refused_at = dict(self._place_of(record) for record in records)
        going = []
        for record in remaining:
            subject, number = self._place_of(record)
            if number == refused_at.get(subject):
                continue
            if number > refused_at.get(subject, number):
                delivered.behind.append(record)
            else:
                going.append(record)
        return going

    def _narrow(self, batch: Batch) -> bool:
        """Whether the refused batch is one record; else its topic's are halved from now on.

        They stay small as long as no record stands out: then it is the batches that are too large
        for the topic.
        """
        if len(batch.records) == 1:
            self._publisher.limits.pop(batch.topic, None)
            return True
        self._publisher.limits[batch.topic] = batch.size // 2
        return False


class _Todo:
    """What is left of a delivery. shipment: as it was packed; None once something failed."""

    def __init__(self, shipment: Shipment) -> None:
        self.shipment: Shipment | None = shipment
        self.records: Sequence[Outgoing] = ()
        self.delivered = Delivered()

    def take(self, shipment: Shipment) -> None:
        self.shipment = None
        self.delivered.missing += shipment.missing
        self.delivered.refused += shipment.unfit
