"""Read facts and act on each once: `python -m examples.subscriber --topic ticket.created`.

Facts arrive at least once. Within a topic a ticket's facts come in their order when they come for
the first time, so one number for each topic and ticket tells what is new: the highest sequence.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException

from examples.facts import Fact
from examples.seen import Seen

POLL_SECONDS = 1.0


def new_facts(consumer: Consumer, seen: Seen) -> Iterator[Fact]:
    """Facts that are news. A fact counts as handled when the next one is asked for."""
    while True:
        message = consumer.poll(POLL_SECONDS)
        if message is None:
            continue
        if (error := message.error()) is not None:
            raise KafkaException(error)
        fact = Fact.read(message)
        if _is_news(fact, seen):
            yield fact
            if fact.sequence is not None:
                seen.note(fact.topic, fact.ticket, fact.sequence)
        consumer.commit(message=message, asynchronous=False)


def _is_news(fact: Fact, seen: Seen) -> bool:
    """A past fact that was sent again is none; who rebuilds a read model takes it all the same."""
    if fact.is_replayed:
        return False
    return fact.sequence is None or fact.sequence > seen.highest(fact.topic, fact.ticket)


def subscribe(bootstrap_servers: str, group: str, topics: Sequence[str]) -> Consumer:
    """A consumer that commits only what was handled, and never reads what was aborted."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe(list(topics))
    return consumer


def main() -> None:
    parser = argparse.ArgumentParser(description="Print facts, each once.")
    parser.add_argument("--bootstrap-servers", default="127.0.0.1:9092")
    parser.add_argument("--group", default="example-subscriber")
    parser.add_argument("--topic", action="append", required=True, help="with its prefix, if any")
    parser.add_argument("--state", default="subscriber.sqlite", help="where it keeps how far it is")
    given = parser.parse_args()
    consumer = subscribe(given.bootstrap_servers, given.group, given.topic)
    try:
        with suppress(KeyboardInterrupt), Seen(given.state) as seen:
            for fact in new_facts(consumer, seen):
                print(fact.line(), flush=True)  # noqa: T201  what it does with a fact
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
