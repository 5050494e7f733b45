"""A broker that has just started compiles its code for a while: not the contestants' cost."""

import time
import uuid
from itertools import cycle

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from benchmarks.load import requests
from devstack.topics import delete_topics, random_prefix

_PAUSE_SECONDS = 0.001
_COMMIT_EVERY = 10


def warm_up_broker(bootstrap_servers: str, *, seconds: float) -> None:
    """Produce, fetch and commit in small steps on a topic of its own for so long."""
    prefix = random_prefix()
    client: dict[str, str | int | float | bool] = {
        "bootstrap.servers": bootstrap_servers,
        "log_level": 0,
    }
    topic, admin = f"{prefix}warm-up", AdminClient(client)
    for created in admin.create_topics([NewTopic(topic, 4, 1)]).values():
        created.result()
    producer = Producer({**client, "linger.ms": 0, "enable.idempotence": True})
    consumer = Consumer(
        {**client, "group.id": f"{prefix}{uuid.uuid4()}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    end = time.monotonic() + seconds
    try:
        for number, request in enumerate(cycle(requests("broker", 1_000))):
            if time.monotonic() >= end:
                break
            producer.produce(topic, request.value, request.key)
            producer.poll(_PAUSE_SECONDS)
            if consumer.poll(0) is not None and number % _COMMIT_EVERY == 0:
                consumer.commit(asynchronous=True)
        producer.flush()
    finally:
        consumer.close()
        delete_topics(bootstrap_servers, prefix=prefix)
