"""A burst of requests, and a subscriber that notes when each ticket can be read."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from examples.demo.stage import DemoFailed, Stage

AT_ONCE = 500
SILENCE_SECONDS = 30.0
ALONE = 100
SEND_SECONDS = 60.0
PRIORITIES = ("low", "normal", "high", "urgent")
CUSTOMERS = (1001, 1002, 1003, 1004)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from a request's time of publishing to its fact in a subscriber's hands."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Measured:
    """seconds: from the first request's time of publishing to the last fact's arrival."""

    requests: int
    seconds: float
    burst: Latency
    alone: Latency

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def measure(stage: Stage, count: int, *, on_progress: Callable[[int], object]) -> Measured:
    """Send requests one by one, and then many at once; on_progress is told how many came out."""
    producer = _producer(stage)
    with reading(stage, "ticket.created") as created, reading(stage, "ticket.requested") as sent:
        single: dict[str, float] = {}
        for number in range(ALONE):
            _send(stage, producer, "alone", range(number, number + 1))
            single |= _arrivals(created, 1)
        sender = threading.Thread(target=_send, args=(stage, producer, "burst", range(count)))
        sender.start()
        try:
            many = _arrivals(created, count, on_progress)
        finally:
            sender.join()
        published = _times_of_publishing(sent, ALONE + count)
    first = min(published[request] for request in many)
    return Measured(
        requests=len(many),
        seconds=max(many.values()) - first,
        burst=_latency(many, published),
        alone=_latency(single, published),
    )


def _producer(stage: Stage) -> Producer:
    return Producer(
        {
            "bootstrap.servers": stage.kafka,
            "acks": "all",
            "linger.ms": 0,
            "queue.buffering.max.messages": 1_000_000,
            "log_level": 0,
        }
    )


def _send(stage: Stage, producer: Producer, name: str, numbers: range) -> None:
    topic = stage.topic("ticket.requested")
    for number in numbers:
        producer.produce(topic, _request(name, number), str(number % len(CUSTOMERS)))
        producer.poll(0)
    if producer.flush(SEND_SECONDS):
        raise DemoFailed(f"The broker took not all of {len(numbers)} requests.")


def _request(name: str, number: int) -> bytes:
    return json.dumps(
        {
            "request_id": f"{name}-{number}",
            "tenant_id": "northnet",
            "customer_id": CUSTOMERS[number % len(CUSTOMERS)],
            "title": f"The connection drops again ({number})",
            "description": "Every few minutes since yesterday evening; the modem was restarted.",
            "priority": PRIORITIES[number % len(PRIORITIES)],
            "ticket_type": "connectivity_issue",
        }
    ).encode()


@contextmanager
def reading(stage: Stage, *topics: str, past: bool = False) -> Iterator[Consumer]:
    """A subscriber that reads what comes from now on, or all that ever came."""
    admin = AdminClient({"bootstrap.servers": stage.kafka, "log_level": 0})
    consumer = Consumer(
        {
            "bootstrap.servers": stage.kafka,
            "group.id": f"{stage.settings.group_id}-subscriber",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "log_level": 0,
        }
    )
    known = admin.list_topics(timeout=SEND_SECONDS).topics
    places = [(name, at) for name in map(stage.topic, topics) for at in known[name].partitions]
    bounds = {each: consumer.get_watermark_offsets(TopicPartition(*each)) for each in places}
    consumer.assign(
        [TopicPartition(*each, first if past else end) for each, (first, end) in bounds.items()]
    )
    try:
        yield consumer
    finally:
        consumer.close()


def _arrivals(
    consumer: Consumer, count: int, on_progress: Callable[[int], object] | None = None
) -> dict[str, float]:
    """When each of so many facts was read, by the request that caused it."""
    arrivals: dict[str, float] = {}
    for messages in batches(consumer):
        now = time.time()
        for message in messages:
            arrivals.setdefault(_cause_of(message), now)
        if on_progress is not None:
            on_progress(len(arrivals))
        if len(arrivals) >= count:
            return arrivals
    raise DemoFailed(f"{len(arrivals)} of {count} tickets could be read, and then nothing came.")


def _times_of_publishing(consumer: Consumer, count: int) -> dict[str, float]:
    """The timestamp of each of so many requests, by its id."""
    published: dict[str, float] = {}
    for messages in batches(consumer):
        for message in messages:
            request = json.loads(message.value() or b"{}")["request_id"]
            published[request] = message.timestamp()[1] / 1000
        if len(published) >= count:
            return published
    raise DemoFailed(f"{len(published)} of {count} requests could be read, and then nothing came.")


def batches(consumer: Consumer) -> Iterator[list[Message]]:
    """What comes, until nothing has come for a while."""
    moved_at = time.monotonic()
    while time.monotonic() - moved_at < SILENCE_SECONDS:
        first = consumer.poll(0.1)
        if first is None:
            continue
        messages = [first, *consumer.consume(AT_ONCE, timeout=0)]
        for message in messages:
            if error := message.error():
                raise DemoFailed(f"A topic can't be read: {error}.")
        moved_at = time.monotonic()
        yield messages


def headers_of(message: Message) -> dict[str, str]:
    """The headers of a fact, all of which are text."""
    pairs: Any = message.headers() or []
    return {name: value.decode() for name, value in pairs}


def _cause_of(message: Message) -> str:
    return headers_of(message).get("ce_causationid", "")


def _latency(arrivals: Mapping[str, float], published: Mapping[str, float]) -> Latency:
    waits = [(at - published[request]) * 1000 for request, at in arrivals.items()]
    cuts = quantiles(waits, n=100, method="inclusive")
    return Latency(cuts[49], cuts[94], cuts[98])
