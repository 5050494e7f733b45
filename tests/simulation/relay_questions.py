"""What the relay asks and writes, on the fake database: outbox, lease, held facts, dead letters."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from db import held_facts, lease, letters, outbox
from db.tables import NO_DEAD_LETTER_TOPIC
from tests.simulation.answers import Record, Statement, columns_of, picked, plain
from tests.simulation.shapes import SHAPES, Row
from tests.simulation.store import Transaction

FACT_FIELDS: Final = columns_of(outbox.FACT)
LETTER_FIELDS: Final = (
    *("topic", "partition", "offset", "record_timestamp", "key", "value", "header_names"),
    *("header_values", "group_id", "error_class", "error_message", "error_path", "attempts"),
    "failed_at",
)
LETTER_KEY: Final = LETTER_FIELDS[:4]

Texts = Sequence[str]


def claim(transaction: Transaction, limit: int) -> list[Record]:
    now = transaction.database.now()
    rows = sorted(transaction.rows("outbox"), key=lambda row: row["id"])[:limit]
    return [
        plain(
            *(row[name] for name in ("id", "facts", "dead_letters", "bytes")),
            (now - row["created_at"]).total_seconds(),
        )
        for row in rows
    ]


def _fact(row: Row, *more: object) -> Record:
    names = ("ce_type", "ticket_number", "causation_id", "traceparent", "occurred_at")
    values = {name: row[name] for name in names}
    values |= {"tenant_id": row["tenant_id"], "sequence": row["sequence"]}
    values |= {"subject": UUID(row["subject_id"]).bytes, "key": row["ticket_id"].encode()}
    values |= {"data": row["data"].encode()}
    return Record.of(FACT_FIELDS, [*(values[name] for name in FACT_FIELDS), *more])


def facts_of(transaction: Transaction, outbox_ids: Sequence[int]) -> list[Record]:
    wanted = set(outbox_ids)
    rows = transaction.rows("ticket_facts")
    return [_fact(row, row["outbox_id"]) for row in rows if row["outbox_id"] in wanted]


async def delete(transaction: Transaction, outbox_ids: Sequence[int]) -> str:
    gone = [await transaction.delete("outbox", (number,)) for number in outbox_ids]
    return f"DELETE {sum(gone)}"


def backlog(transaction: Transaction) -> list[Record]:
    rows = list(transaction.rows("outbox"))
    now = transaction.database.now()
    oldest = min((row["created_at"] for row in rows), default=now)
    return [plain(len(rows), sum(row["facts"] for row in rows), (now - oldest).total_seconds())]


def open_write(transaction: Transaction) -> list[Record]:
    return [plain(transaction.now, transaction.database.next_number())]


def notify(transaction: Transaction) -> str:
    transaction.notifies[outbox.CHANNEL] = None
    return "NOTIFY"


def first_and_holder(transaction: Transaction, lease_name: str) -> list[Record]:
    first = min((row["id"] for row in transaction.rows("outbox")), default=None)
    row = transaction.find("leases", (lease_name,))
    is_held = row is not None and row["expires_at"] > transaction.now
    return [plain(first, row["holder"] if row is not None and is_held else None)]


# The lease


async def acquire(
    transaction: Transaction, name: str, holder: str, span: timedelta
) -> list[Record]:
    found = transaction.find("leases", (name,))
    if found is not None and found["expires_at"] > transaction.now:
        return []
    expires_at = transaction.now + span
    row = {"name": name, "holder": holder, "fence": 1, "expires_at": expires_at}
    if await transaction.insert_new("leases", row):
        return [plain(1)]
    free = await transaction.lock("leases", (name,))
    if free is None or free["expires_at"] > transaction.now:
        return []
    fence = free["fence"] + 1
    await transaction.update("leases", (name,), holder=holder, fence=fence, expires_at=expires_at)
    return [plain(fence)]


async def _held(transaction: Transaction, name: str, holder: str, fence: int) -> bool:
    """Whether the lease is theirs, and locked."""
    found = transaction.find("leases", (name,))
    if found is None or (found["holder"], found["fence"]) != (holder, fence):
        return False
    row = await transaction.lock("leases", (name,))
    return row is not None and (row["holder"], row["fence"]) == (holder, fence)


async def renew(
    transaction: Transaction, name: str, holder: str, fence: int, span: timedelta
) -> list[Record]:
    if not await _held(transaction, name, holder, fence):
        return []
    await transaction.update("leases", (name,), expires_at=transaction.now + span)
    return [plain(True)]  # noqa: FBT003  what the statement returns


async def release(transaction: Transaction, name: str, holder: str, fence: int) -> str:
    if not await _held(transaction, name, holder, fence):
        return "UPDATE 0"
    await transaction.update("leases", (name,), expires_at=transaction.now)
    return "UPDATE 1"


async def confirm(transaction: Transaction, name: str, holder: str, fence: int) -> list[Record]:
    if not await _held(transaction, name, holder, fence):
        return []
    return [plain(True)]  # noqa: FBT003  what the statement returns


# Held facts


def _key(tenant: str, subject: str, sequence: int) -> tuple[str, str, int]:
    return tenant, str(UUID(subject)), sequence


async def hold(  # noqa: PLR0917  the statement's arguments
    transaction: Transaction,
    tenants: Texts,
    subjects: Texts,
    sequences: Sequence[int],
    reasons: Texts,
    topics: Sequence[str | None],
) -> str:
    names = ("tenant_id", "subject_id", "sequence", "reason", "missing_topic", "held_at")
    added = 0
    for tenant, subject, sequence, reason, topic in zip(
        tenants, subjects, sequences, reasons, topics, strict=True
    ):
        values = (*_key(tenant, subject, sequence), reason, topic, transaction.now)
        added += await transaction.insert_new("held_facts", dict(zip(names, values, strict=True)))
    return f"INSERT 0 {added}"


def blocked(
    transaction: Transaction, tenants: Texts, subjects: Sequence[bytes], hexes: Texts
) -> list[Record]:
    rows = list(transaction.rows("held_facts"))
    found = []
    for tenant, subject, text in zip(tenants, subjects, hexes, strict=True):
        held = [
            row
            for row in rows
            if _key(tenant, text, 0)[:2] == (row["tenant_id"], row["subject_id"])
        ]
        if held:
            topics = sorted({row["missing_topic"] for row in held if row["missing_topic"]})
            behind = any(row["missing_topic"] is None for row in held)
            found.append(plain(tenant, subject, behind, topics or None))
    return found


def count_held(transaction: Transaction, most: int) -> list[Record]:
    return [plain(min(len(list(transaction.rows("held_facts"))), most))]


def missing_topics(transaction: Transaction) -> list[Record]:
    rows = transaction.rows("held_facts")
    return [plain(topic) for topic in sorted({row["missing_topic"] for row in rows} - {None})]


def waiting(transaction: Transaction, topic: str, limit: int) -> list[Record]:
    rows = [row for row in transaction.rows("held_facts") if row["missing_topic"] == topic]
    keys = sorted(SHAPES["held_facts"].key_of(row) for row in rows)[:limit]
    found = []
    for tenant, subject, sequence in keys:
        fact = transaction.find("ticket_facts", (tenant, subject, sequence))
        key = (tenant, UUID(subject).bytes, sequence)
        if fact is None:
            found.append(Record.of(FACT_FIELDS, [*(None for _ in FACT_FIELDS), *key]))
        else:
            found.append(_fact(fact, *key))
    return found


async def remove(
    transaction: Transaction, tenants: Texts, subjects: Texts, sequences: Sequence[int]
) -> str:
    keys = [_key(*each) for each in zip(tenants, subjects, sequences, strict=True)]
    gone = [await transaction.delete("held_facts", key) for key in keys]
    return f"DELETE {sum(gone)}"


async def block(  # noqa: PLR0917  the statement's arguments
    transaction: Transaction, tenant: str, subject: str, sequence: int, reason: str, behind: str
) -> str:
    first = _key(tenant, subject, sequence)
    rows = [
        key
        for row in transaction.rows("held_facts")
        if (key := SHAPES["held_facts"].key_of(row))[:2] == first[:2] and key[2] >= sequence
    ]
    for key in rows:
        if await transaction.lock("held_facts", key) is not None:
            told = reason if key == first else behind
            await transaction.update("held_facts", key, missing_topic=None, reason=told)
    return f"UPDATE {len(rows)}"


# Dead letters


def _sized(row: Row) -> Record:
    return plain(*(row[name] for name in LETTER_KEY), len(row["value"] or b""))


def written_with(transaction: Transaction, outbox_ids: Sequence[int]) -> list[Record]:
    wanted = set(outbox_ids)
    return [
        _sized(row)
        for row in transaction.rows("dead_letters")
        if row["outbox_id"] in wanted and row["publish_error"] is None
    ]


def read_letters(transaction: Transaction, *columns: Sequence[Any]) -> list[Record]:
    rows = [transaction.find("dead_letters", key) for key in zip(*columns, strict=True)]
    return [picked(row, LETTER_FIELDS) for row in rows if row is not None]


async def set_errors(transaction: Transaction, *columns: Sequence[Any]) -> str:
    count = 0
    for *place, error in zip(*columns, strict=True):
        key = tuple(place)
        if await transaction.lock("dead_letters", key) is not None:
            await transaction.update("dead_letters", key, publish_error=error)
            count += 1
    return f"UPDATE {count}"


def _without_dlq(transaction: Transaction) -> list[Row]:
    rows = transaction.rows("dead_letters")
    return [row for row in rows if row["publish_error"] == NO_DEAD_LETTER_TOPIC]


def topics_without_dlq(transaction: Transaction) -> list[Record]:
    return [plain(topic) for topic in sorted({row["topic"] for row in _without_dlq(transaction)})]


def letters_waiting(transaction: Transaction, topic: str, limit: int) -> list[Record]:
    rows = [row for row in _without_dlq(transaction) if row["topic"] == topic]
    return [_sized(row) for row in sorted(rows, key=SHAPES["dead_letters"].key_of)[:limit]]


STATEMENTS: Final[dict[str, Statement]] = {
    outbox.CLAIM: claim,
    outbox.FACTS: facts_of,
    outbox.DELETE: delete,
    outbox.BACKLOG: backlog,
    outbox.OPEN: open_write,
    outbox.FIRST_AND_HOLDER: first_and_holder,
    f"NOTIFY {outbox.CHANNEL}": notify,
    lease.ACQUIRE: acquire,
    lease.RENEW: renew,
    lease.RELEASE: release,
    lease.CONFIRM: confirm,
    held_facts.HOLD: hold,
    held_facts.BLOCKED: blocked,
    held_facts.COUNT: count_held,
    held_facts.MISSING_TOPICS: missing_topics,
    held_facts.WAITING: waiting,
    held_facts.REMOVE: remove,
    held_facts.BLOCK: block,
    letters.WRITTEN_WITH: written_with,
    letters.LETTER: read_letters,
    letters.SET_ERRORS: set_errors,
    letters.TOPICS_WITHOUT_DLQ: topics_without_dlq,
    letters.WAITING: letters_waiting,
}
