"""The mixed requests: sent as they stand in the files, and followed until each has its outcome."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

from consumer.cli.outcome import Story, of_entry
from consumer.publishing import key_of
from consumer.subscription import Subscription
from db.connect import connect
from examples.demo.stage import DemoFailed, Stage
from handlers.batch import Entry
from handlers.entries import read
from handlers.record import StoredRecord
from schemas.vocabulary import Outcome

FILES = Path(__file__).resolve().parent
REQUESTS = FILES.parent / "requests.jsonl"
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 40.0
SEND_SECONDS = 30.0


@dataclass(slots=True)
class Row:
    """A request that was sent. story: what is on record about it so far."""

    record: StoredRecord
    story: Story | None = None

    @property
    def subject(self) -> str:
        """Its title, or as much of the record as there is."""
        value = self.record.value or b""
        try:
            document = json.loads(value)
        except ValueError:
            document = None
        title = document.get("title") if isinstance(document, dict) else None
        text = title if isinstance(title, str) else value.decode(errors="backslashreplace")
        return text or "(nothing)"

    @property
    def is_decided(self) -> bool:
        """Whether it has an outcome, if only that it waits."""
        return self.story is not None

    @property
    def is_settled(self) -> bool:
        """Whether it has an outcome that stays."""
        return self.story is not None and self.story.outcome is not Outcome.PARKED

    @property
    def is_behind(self) -> bool:
        """Whether it repeats a request that waited when we looked."""
        story = self.story
        return story is not None and story.outcome is Outcome.DUPLICATE and story.ticket is None


def send_parties(stage: Stage, kind: str, file: str) -> None:
    """Announce customers or partners; returns once the service knows them.

    A request may wait for its customer, but never for a partner.
    """
    lines = (FILES / file).read_bytes().splitlines()
    ids = [json.loads(line)[f"{kind}_id"] for line in lines]
    send(
        stage,
        f"{kind}.changed",
        [(each.encode(), line) for each, line in zip(ids, lines, strict=True)],
    )
    asyncio.run(_until_known(stage, f"{kind}s", ids))


async def _until_known(stage: Stage, table: str, ids: Sequence[str]) -> None:
    question = f"SELECT count(*) FROM {table} WHERE id = ANY($1::uuid[])"  # noqa: S608  one of two
    connection = await connect(stage.settings.database_url.get_secret_value())
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while await connection.fetchval(question, ids) < len(ids):
            if time.monotonic() > deadline:
                raise DemoFailed(f"The {table} were not known within {PATIENCE_SECONDS:.0f} s.")
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await connection.close()


def send_requests(stage: Stage) -> list[Row]:
    """Each line of the file is a request, whatever is in it."""
    lines = REQUESTS.read_bytes().splitlines()
    return [Row(each) for each in send(stage, "ticket.requested", [(key_of(e), e) for e in lines])]


def send(
    stage: Stage, topic: str, records: Iterable[tuple[bytes | None, bytes]]
) -> list[StoredRecord]:
    """Send keys and values with librdkafka, as any upstream service would, in this order."""
    producer = Producer({"bootstrap.servers": stage.kafka, "acks": "all", "log_level": 0})
    placed: list[StoredRecord] = []

    def note(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            raise DemoFailed(f"{topic} did not take a record: {error}.")
        placed.append(_stored(message))

    for key, value in records:
        producer.produce(stage.topic(topic), value, key, on_delivery=note)
        if producer.flush(SEND_SECONDS):
            raise DemoFailed(f"{topic} took no record within {SEND_SECONDS:.0f} s.")
    return placed


def _stored(message: Message) -> StoredRecord:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None  # noqa: S101  it was delivered
    assert partition is not None  # noqa: S101
    assert offset is not None  # noqa: S101
    _, timestamp = message.timestamp()
    return StoredRecord(topic, partition, offset, timestamp, message.key(), message.value(), ())


def follow(
    stage: Stage,
    rows: Sequence[Row],
    until: Callable[[Row], bool],
    *,
    on_change: Callable[[], object],
) -> None:
    """Look the rows up in the database until each is as it should be, and once more.

    Raises DemoFailed when that takes too long.
    """
    asyncio.run(_follow(stage, rows, until, on_change))


async def _follow(
    stage: Stage,
    rows: Sequence[Row],
    until: Callable[[Row], bool],
    on_change: Callable[[], object],
) -> None:
    entries = [_entry(stage, row.record) for row in rows]
    connection = await connect(stage.settings.database_url.get_secret_value())
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while not all(map(until, rows)):
            if time.monotonic() > deadline:
                raise DemoFailed(f"Some requests had no outcome within {PATIENCE_SECONDS:.0f} s.")
            await asyncio.sleep(LOOK_SECONDS)
            for row, entry in zip(rows, entries, strict=True):
                if not row.is_settled:
                    row.story = await of_entry(connection, entry, row.record)
            on_change()
        for row, entry in zip(rows, entries, strict=True):
            if row.is_behind:
                row.story = await of_entry(connection, entry, row.record) or row.story
        on_change()
    finally:
        await connection.close()


def _entry(stage: Stage, record: StoredRecord) -> Entry:
    """The record as the service reads it, which tells who it is."""
    role = Subscription(stage.settings).role_of(record.topic)
    if role is None:
        raise DemoFailed(f"The service does not read {record.topic}.")
    return read(record, role, stage.settings.max_record_bytes)
