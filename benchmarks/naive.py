"""The naive rival, as one would write it first: one transaction per message, and a polled outbox.

`python -m benchmarks.naive prepare` makes its tables and topics, `run` runs it. Three rows a
ticket, no customer check, no duplicates, no rejections, no dead letters: it does less than the
product does. Reads the same TICKETING_* variables.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import BaseModel, Field
from sqlalchemy import DateTime, ForeignKey, delete, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.program import PARTITIONS

_POLL_SECONDS = 0.1
_POLL_ROWS = 500
_RESOLUTION_HOURS = {"low": 168, "normal": 72, "high": 24, "urgent": 8}


class TicketRequested(BaseModel):
    request_id: str
    tenant_id: str
    customer_id: uuid.UUID
    title: str = Field(min_length=3, max_length=255)
    description: str = Field(min_length=1, max_length=65_536)
    priority: str = "normal"
    ticket_type: str | None = None
    service_address: str | None = None
    affected_services: list[str] = []
    device_serial_numbers: list[str] = []
    context: dict[str, Any] = {}


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[Any] = {
        dict[str, Any]: JSONB,
        list[str]: JSONB,
        datetime: DateTime(timezone=True),
    }


class Ticket(Base):
    __tablename__ = "tickets"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    ticket_number: Mapped[str] = mapped_column(unique=True)
    tenant_id: Mapped[str]
    request_id: Mapped[str]
    customer_id: Mapped[uuid.UUID] = mapped_column(index=True)
    subject: Mapped[str]
    status: Mapped[str] = mapped_column(default="open")
    priority: Mapped[str]
    ticket_type: Mapped[str | None]
    service_address: Mapped[str | None]
    affected_services: Mapped[list[str]]
    device_serial_numbers: Mapped[list[str]]
    context: Mapped[dict[str, Any]]
    sla_due_date: Mapped[datetime]
    created_at: Mapped[datetime]


class TicketMessage(Base):
    __tablename__ = "ticket_messages"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tickets.id"), index=True)
    body: Mapped[str]
    created_at: Mapped[datetime]


class OutboxFact(Base):
    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[uuid.UUID]
    request_id: Mapped[str]
    data: Mapped[dict[str, Any]]


def _ticket(request: TicketRequested, now: datetime) -> Ticket:
    return Ticket(
        id=uuid.uuid4(),
        ticket_number=f"TCK-{secrets.token_hex(6).upper()}",
        subject=request.title,
        sla_due_date=now + timedelta(hours=_RESOLUTION_HOURS[request.priority]),
        created_at=now,
        status="open",
        **request.model_dump(exclude={"title", "description"}),
    )


def _fact(ticket: Ticket, request: TicketRequested) -> OutboxFact:
    data = request.model_dump(mode="json") | {
        "ticket_id": str(ticket.id),
        "ticket_number": ticket.ticket_number,
        "status": ticket.status,
        "sla_due_date": ticket.sla_due_date.isoformat(),
        "created_at": ticket.created_at.isoformat(),
    }
    return OutboxFact(ticket_id=ticket.id, request_id=request.request_id, data=data)


async def _handle(record: ConsumerRecord[bytes, bytes], session: AsyncSession) -> None:
    request = TicketRequested.model_validate_json(record.value or b"")
    now = datetime.now(UTC)
    ticket = _ticket(request, now)
    session.add(ticket)
    await session.flush()
    session.add(TicketMessage(ticket_id=ticket.id, body=request.description, created_at=now))
    session.add(_fact(ticket, request))
    await session.commit()


async def _consume(consumer: AIOKafkaConsumer, sessions: async_sessionmaker[AsyncSession]) -> None:
    async for record in consumer:
        async with sessions() as session:
            await _handle(record, session)
        partition = TopicPartition(record.topic, record.partition)
        await consumer.commit({partition: record.offset + 1})


async def _publish(producer: AIOKafkaProducer, topic: str, session: AsyncSession) -> int:
    oldest = select(OutboxFact).order_by(OutboxFact.id).limit(_POLL_ROWS)
    facts = (await session.scalars(oldest.with_for_update(skip_locked=True))).all()
    sending = [
        await producer.send(
            topic,
            key=str(fact.ticket_id).encode(),
            value=orjson.dumps(fact.data),
            headers=[
                ("ce_id", str(uuid.uuid5(fact.ticket_id, "1")).encode()),
                ("ce_type", b"ticket.created"),
                ("ce_sequence", b"1"),
                ("ce_causationid", fact.request_id.encode()),
            ],
        )
        for fact in facts
    ]
    await asyncio.gather(*sending)
    await session.execute(delete(OutboxFact).where(OutboxFact.id.in_([one.id for one in facts])))
    await session.commit()
    return len(facts)


async def _poll(
    producer: AIOKafkaProducer, topic: str, sessions: async_sessionmaker[AsyncSession]
) -> None:
    while True:
        async with sessions() as session:
            published = await _publish(producer, topic, session)
        if not published:
            await asyncio.sleep(_POLL_SECONDS)


def _engine() -> AsyncEngine:
    url = os.environ["TICKETING_DATABASE_URL"]
    # SQLAlchemy does not understand `sslmode` in a URL; asyncpg does.
    return create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url))


async def run() -> None:
    brokers = os.environ["TICKETING_KAFKA_BOOTSTRAP_SERVERS"]
    prefix = os.environ["TICKETING_TOPIC_PREFIX"]
    consumer = AIOKafkaConsumer(
        f"{prefix}ticket.requested",
        bootstrap_servers=brokers,
        group_id=os.environ["TICKETING_GROUP_ID"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    producer = AIOKafkaProducer(bootstrap_servers=brokers, acks="all", enable_idempotence=True)
    engine = _engine()
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with consumer, producer, asyncio.TaskGroup() as both:
        both.create_task(_consume(consumer, sessions))
        both.create_task(_poll(producer, f"{prefix}ticket.created", sessions))


async def prepare() -> None:
    engine = _engine()
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()
    prefix = os.environ["TICKETING_TOPIC_PREFIX"]
    admin = AIOKafkaAdminClient(bootstrap_servers=os.environ["TICKETING_KAFKA_BOOTSTRAP_SERVERS"])
    await admin.start()
    names = (f"{prefix}ticket.requested", f"{prefix}ticket.created")
    await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
    await admin.close()


async def main() -> None:
    work = {"run": run, "prepare": prepare}[sys.argv[1]]
    task = asyncio.ensure_future(work())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    asyncio.run(main())
