"""Read the facts of all topics in each ticket's own order: `python -m examples.ordered_subscriber`.

Topics keep no order among each other: that a ticket was escalated may arrive before that it was
opened. `ce_sequence` counts a ticket's facts over all topics without gaps, so whoever reads all of
them can put them in order again: wait for the next number, and hold back what comes before its
time. A number may be missing for good where a topic forgot old records: after a while the gap is
given up.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaException, TopicPartition

from examples.facts import Fact
from examples.seen import Seen
from examples.subscriber import subscribe

TOPICS = (
    "ticket.created",
    "ticket.updated",
    "ticket.escalated",
    "sla.warning",
    "sla.breached",
    "sla.breach_annulled",
)
ALL_TOPICS = "*"
"""The stream of a ticket's facts over all topics."""


@dataclass(slots=True)
class Waiting:
    """Facts of a ticket that came before their time, by sequence; since: of the oldest wait."""

    since: float
    facts: dict[int, Fact] = field(default_factory=dict)


@dataclass(slots=True)
class Reorder:
    """Puts facts in order. patience: seconds for which a missing one is waited for."""

    seen: Seen
    patience: float
    waiting: dict[str, Waiting] = field(default_factory=dict)

    def take(self, fact: Fact, now: float) -> Iterator[Fact]:
        """The facts whose turn it is, now that this one is here."""
        if fact.is_replayed:
            return
        if fact.sequence is None:
            yield fact
            return
        if fact.sequence > self.seen.highest(ALL_TOPICS, fact.ticket):
            held = self.waiting.setdefault(fact.ticket, Waiting(now))
            held.facts[fact.sequence] = fact
            yield from self._in_turn(fact.ticket, now)

    def give_up(self, now: float) -> Iterator[Fact]:
        """The facts of tickets whose gap was waited for long enough."""
        late = [each for each, held in self.waiting.items() if now - held.since >= self.patience]
        for ticket in late:
            first = min(self.waiting[ticket].facts)
            missing = f"{self.seen.highest(ALL_TOPICS, ticket) + 1} to {first - 1}"
            print(f"{ticket}: gave up waiting for {missing}", file=sys.stderr)  # noqa: T201  a log
            self.seen.note(ALL_TOPICS, ticket, first - 1)
            yield from self._in_turn(ticket, now)

    def _in_turn(self, ticket: str, now: float) -> Iterator[Fact]:
        held = self.waiting[ticket]
        while (fact := held.facts.pop(self.seen.highest(ALL_TOPICS, ticket) + 1, None)) is not None:
            yield fact
            self.seen.note(ALL_TOPICS, ticket, fact.sequence or 0)
            held.since = now
        if not held.facts:
            del self.waiting[ticket]

    def first_waiting(self, topic: str, partition: int) -> int | None:
        """The lowest offset that is still held back: a restart must read it again."""
        offsets = [
            fact.offset
            for held in self.waiting.values()
            for fact in held.facts.values()
            if (fact.topic, fact.partition) == (topic, partition)
        ]
        return min(offsets, default=None)


def facts_in_order(consumer: Consumer, order: Reorder) -> Iterator[Fact]:
    """Facts, each ticket's in their order. Committed is what nobody waits for any more."""
    while True:
        message = consumer.poll(min(1.0, order.patience))
        if message is not None:
            if (error := message.error()) is not None:
                raise KafkaException(error)
            fact = Fact.read(message)
            yield from order.take(fact, time.monotonic())
            held = order.first_waiting(fact.topic, fact.partition)
            done = fact.offset + 1 if held is None else held
            place = TopicPartition(fact.topic, fact.partition, done)
            consumer.commit(offsets=[place], asynchronous=False)
        yield from order.give_up(time.monotonic())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Print all facts, each ticket's in their order.")
    parser.add_argument("--bootstrap-servers", default="127.0.0.1:9092")
    parser.add_argument("--group", default="example-ordered-subscriber")
    parser.add_argument("--prefix", default="", help="of the topics' names")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds to wait for a gap")
    parser.add_argument("--state", default="ordered.sqlite", help="where it keeps how far it is")
    given = parser.parse_args(arguments)
    topics = [given.prefix + name for name in TOPICS]
    consumer = subscribe(given.bootstrap_servers, given.group, topics)
    try:
        with suppress(KeyboardInterrupt), Seen(given.state) as seen:
            for fact in facts_in_order(consumer, Reorder(seen, given.patience)):
                print(fact.line(), flush=True)  # noqa: T201  what it does with a fact
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
