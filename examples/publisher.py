"""Publish requests for tickets, one JSON object a line: `python -m examples.publisher < FILE`.

What matters to a publisher: an id of its own for each request (`request_id`), so that sending it
again changes nothing; the customer's id as key, so that a customer's requests keep their order; a
producer that is idempotent and waits for all replicas; and that nobody forgets a failed delivery.
"""

import argparse
import json
import sys
from collections.abc import Iterable

from confluent_kafka import KafkaError, Message, Producer

SECONDS_TO_DELIVER = 60.0


def publish(bootstrap_servers: str, topic: str, lines: Iterable[str]) -> list[str]:
    """Send each line as it stands. Returns what was not delivered, and why; empty is well."""
    failed: list[str] = []

    def note(error: KafkaError | None, sent: Message) -> None:
        if error is not None:
            failed.append(f"{sent.key()!r}: {error.str()}")

    producer = Producer(
        {"bootstrap.servers": bootstrap_servers, "enable.idempotence": True, "acks": "all"}
    )
    for line in lines:
        request = json.loads(line)
        key = request.get("customer_id")
        producer.produce(
            topic,
            value=line.strip().encode(),
            key=None if key is None else str(key).encode(),
            on_delivery=note,
        )
        producer.poll(0)
    left = producer.flush(SECONDS_TO_DELIVER)
    return failed + ([f"{left} more: no answer in time"] if left else [])


def main() -> None:
    parser = argparse.ArgumentParser(description="Publish requests for tickets from stdin.")
    parser.add_argument("--bootstrap-servers", default="127.0.0.1:9092")
    parser.add_argument("--topic", default="ticket.requested", help="with its prefix, if any")
    given = parser.parse_args()
    failed = publish(given.bootstrap_servers, given.topic, sys.stdin)
    if failed:
        sys.exit("Not delivered, send them again: " + "; ".join(failed))


if __name__ == "__main__":
    main()
