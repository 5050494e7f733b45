"""Rows become Kafka records: facts and dead letters as they go out."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg

from db.bulk import NULL, Row
from db.held_facts import FactKey
from db.letters import LetterKey
from handlers.identity import uuid5
from handlers.record import headers_of
from schemas.catalogue import TOPIC_OF_CE_TYPE
from schemas.envelope import Failure, dead_letter_headers, fact_headers

Headers = Sequence[tuple[str, bytes | None]]

Place = tuple[Hashable, int]
"""Whose records must keep their order, and the number of one among them."""

FactRow: TypeAlias = tuple[Any, ...]
"""The columns of db.outbox.FACT, as they are read."""

DLQ: Final = ".dlq"


class Outgoing(NamedTuple):
    """A record to publish. source: the row that it was made from, which begins with its key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    source: asyncpg.Record | FactRow


def as_read(rows: Iterable[Row], now: datetime) -> list[FactRow]:
    """Facts as they were written (handlers.written.FACT_COLUMNS), in the form that FACT reads.

    now: when they happened, which all facts of a write share.
    """
    return [
        (
            tenant,
            bytes.fromhex(subject.replace("-", "")),
            int(sequence),
            ce_type,
            ticket.encode(),
            None if number == NULL else number,
            None if cause == NULL else cause,
            None if trace == NULL else trace,
            now,
            data.encode(),
        )
        for tenant, subject, sequence, _, ce_type, ticket, number, cause, trace, *_, data in rows
    ]


def facts_going_out(
    rows: Iterable[asyncpg.Record | FactRow], topic_of: Callable[[str], str]
) -> list[Outgoing]:
    """Facts (rows as db.outbox.FACT) as subscribers read them. topic_of: by ce_type."""
    going: list[Outgoing] = []
    last_at: datetime | None = None
    time = ""
    for row in rows:
        tenant, subject, sequence, ce_type, key, number, causation, trace, occurred_at, data, *_ = (
            row
        )
        if occurred_at != last_at:  # a write's facts share theirs
            last_at, time = occurred_at, occurred_at.isoformat()
        headers = fact_headers(
            ce_id=uuid5(subject, b"%d" % sequence) if sequence else str(UUID(bytes=subject)),
            ce_type=ce_type,
            tenant_id=tenant,
            time=time,
            subject=number,
            sequence=sequence,
            causation_id=causation,
            traceparent=trace,
        )
        going.append(Outgoing(topic_of(ce_type), key, data, headers, row))
    return going


def letters_going_out(rows: Iterable[asyncpg.Record]) -> list[Outgoing]:
    """Dead letters (rows as db.letters.LETTER): as they came, and then why they are dead."""
    going = []
    for row in rows:
        theirs = headers_of(row["header_names"], row["header_values"])
        ours = dead_letter_headers(
            Failure(
                topic=row["topic"],
                partition=row["partition"],
                offset=row["offset"],
                timestamp=row["record_timestamp"],
                group=row["group_id"],
                error_class=row["error_class"],
                error_message=row["error_message"],
                error_path=row["error_path"],
                attempts=row["attempts"],
                failed_at=row["failed_at"].isoformat(),
            )
        )
        going.append(Outgoing(row["topic"] + DLQ, row["key"], row["value"], [*theirs, *ours], row))
    return going


def topics_under(prefix: str) -> Callable[[str], str]:
    """The full name of the topic that a ce_type goes to."""
    return cache(lambda ce_type: prefix + TOPIC_OF_CE_TYPE[ce_type])


def fact_key(fact: Outgoing) -> FactKey:
    """Which fact this is."""
    return FactKey(*fact.source[:3])


def place_of(fact: Outgoing) -> Place:
    """A fact's subject, the ticket or a rejection alone, and its number there."""
    return fact.source[:2], fact.source[2]


def letter_key(letter: Outgoing) -> LetterKey:
    """Which dead letter this is."""
    return LetterKey(*letter.source[:4])


def place_of_letter(letter: Outgoing) -> Place:
    """Dead letters don't wait for each other."""
    return letter_key(letter), 0
