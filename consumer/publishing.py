"""Requests go out as upstream services send them: plain JSON, keyed by their customer."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import orjson

from consumer import clients
from consumer.scan import started
from consumer.settings import Settings
from handlers.record import StoredRecord

IN_FLIGHT: Final = 1_000
SEND_SECONDS: Final = 30.0
"""An idempotent producer never gives up by itself."""

STOP_SECONDS: Final = 5.0


class NotPublished(Exception):
    """Requests could not be published: {reason}."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Requests could not be published: {reason}.")


async def publish(settings: Settings, topic: str, values: Sequence[bytes]) -> list[StoredRecord]:
    """Send the values in order; returns the records that they became, in the same order.

    Raises NotPublished when the topic is missing or the brokers don't acknowledge in time.
    """
    async with started(clients.admin(settings)) as admin:
        if topic not in await admin.list_topics():
            raise NotPublished(f"topic {topic} does not exist; run `ticketing topics`")
    producer = clients.producer(settings)
    await producer.start()
    records: list[StoredRecord] = []
    try:
        for start in range(0, len(values), IN_FLIGHT):
            chunk = values[start : start + IN_FLIGHT]
            async with asyncio.timeout(SEND_SECONDS):
                sent = [await producer.send(topic, value, key=key_of(value)) for value in chunk]
                placed = await asyncio.gather(*sent)
            records += [
                StoredRecord(topic, at.partition, at.offset, at.timestamp, None, value, ())
                for at, value in zip(placed, chunk, strict=True)
            ]
    except TimeoutError:
        raise NotPublished(
            f"no acknowledgement in {SEND_SECONDS:.0f} s, after {len(records)} of {len(values)}"
        ) from None
    finally:
        with suppress(TimeoutError):  # it would wait for ever for what is not acknowledged
            async with asyncio.timeout(STOP_SECONDS):
                await producer.stop()
    return records


def key_of(value: bytes) -> bytes | None:
    """The customer id, so that a customer's requests stay in order; None where it names none."""
    try:
        request = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    customer = request.get("customer_id") if isinstance(request, dict) else None
    return None if customer is None else str(customer).encode()
