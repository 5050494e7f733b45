"""The end of a producer whose unsent records must not be sent.

aiokafka 0.14 knows only the other end: its `stop` sends everything that is queued, for as long as
that takes. So this module reaches into it, and is the only one that does.
"""

import asyncio
import itertools

import structlog
from aiokafka import AIOKafkaProducer, errors

CLOSE_SECONDS = 2.0
MOST_CANCELLATIONS = 100

log = structlog.get_logger()


def cancel_sending(producer: AIOKafkaProducer) -> None:
    """Have nothing new leave it. What is on its way already can't be called back."""
    if (sending := _sender_task(producer)) is not None:
        sending.cancel()


async def put_away(producer: AIOKafkaProducer) -> None:
    """Close it without its last sends: its sender is cancelled until its requests are, too."""
    sending = _sender_task(producer)
    for _ in range(MOST_CANCELLATIONS):
        if sending is None or sending.done():
            break
        sending.cancel()
        await asyncio.sleep(0)
    _forget_what_is_queued(producer)
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.stop()
    except (errors.KafkaError, OSError, TimeoutError) as error:
        log.warning("producer.not_closed", reason=f"{type(error).__name__} {error}")


def _forget_what_is_queued(producer: AIOKafkaProducer) -> None:
    """Else its `stop` waits until all is sent, which is the one thing that must not happen."""
    accumulator = producer._message_accumulator  # noqa: SLF001  no other way to stop without sending
    queued = itertools.chain.from_iterable(accumulator._batches.values())  # noqa: SLF001  likewise
    for batch in (*queued, *accumulator._pending_batches):  # noqa: SLF001  likewise
        batch.future.cancel()


def _sender_task(producer: AIOKafkaProducer) -> "asyncio.Task[None] | None":
    task: asyncio.Task[None] | None = producer._sender.sender_task  # noqa: SLF001  no other way to stop without sending
    return task
