"""What the audit asks, on the fake database: `db.inventory`."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from consumer.evidence import Fate
from db import inventory
from tests.simulation.answers import Record, Statement, plain
from tests.simulation.shapes import Row
from tests.simulation.store import Database, Transaction

Texts = Sequence[str]
Numbers = Sequence[int]


def _is_within(row: Row, stretches: Iterable[tuple[str, int, int, int]]) -> bool:
    return any(
        row["topic"] == topic and row["partition"] == partition and first <= row["offset"] <= last
        for topic, partition, first, last in stretches
    )


def rulings(
    transaction: Transaction, tenants: Texts, keys: Texts, topics: Texts, *numbers: Numbers
) -> list[Record]:
    wanted = set(zip(tenants, keys, strict=True))
    stretches = list(zip(topics, *numbers, strict=True))
    return [
        plain(
            *(row[name] for name in ("tenant_id", "request_key", "outcome")),
            *(row[name] for name in ("topic", "partition", "offset")),
            transaction.find("tickets", (row["tenant_id"], row["ticket_id"])) is not None,
            row["decided_at"],
        )
        for row in transaction.rows("requests")
        if (row["tenant_id"], row["request_key"]) in wanted or _is_within(row, stretches)
    ]


def rejections(transaction: Transaction, tenants: Texts, ids: Texts) -> list[Record]:
    found = [transaction.find("ticket_facts", (*key, 0)) for key in zip(tenants, ids, strict=True)]
    return [plain(row["subject_id"], row["occurred_at"]) for row in found if row is not None]


def unknown_customers(transaction: Transaction, tickets: Texts) -> list[Record]:
    newest: dict[tuple[str, str], datetime] = {}
    for row in transaction.rows("ticket_facts"):
        is_wanted = row["sequence"] == 0 and row["ticket_id"] in tickets
        if is_wanted and json.loads(row["data"]).get("code") == "customer_not_found":
            key = (row["tenant_id"], row["ticket_id"])
            newest[key] = max(row["occurred_at"], newest.get(key, row["occurred_at"]))
    return [plain(*key, at) for key, at in newest.items()]


def _fate(transaction: Transaction, outbox_id: int | None, *, is_kept: bool) -> Fate:
    if is_kept or outbox_id is None:
        return Fate.KEPT
    waits = transaction.find("outbox", (outbox_id,)) is not None
    return Fate.WAITING if waits else Fate.SENT


def letters(transaction: Transaction, topics: Texts, *numbers: Numbers) -> list[Record]:
    names = (
        *("topic", "partition", "offset", "record_timestamp", "key", "value", "header_names"),
        *("header_values", "state"),
    )
    stretches = list(zip(topics, *numbers, strict=True))
    return [
        plain(
            *(row[name] for name in names),
            _fate(transaction, row["outbox_id"], is_kept=row["publish_error"] is not None),
            *(row[name] for name in ("tenant_id", "failed_at", "outcome")),
            None,
        )
        for row in transaction.rows("dead_letters")
        if _is_within(row, stretches)
    ]


def parties(transaction: Transaction, ids: Texts) -> list[Record]:
    return [
        plain(party, row["id"], row["tenant_id"], row["updated_at"])
        for party, table in (("customer", "customers"), ("partner", "partners"))
        for row in transaction.rows(table)
        if row["id"] in ids
    ]


def facts(transaction: Transaction) -> list[Record]:
    """Of every time."""
    names = (
        *("tenant_id", "subject_id", "sequence", "ce_type", "ticket_id", "ticket_number"),
        *("causation_id", "traceparent", "occurred_at"),
    )
    found = []
    for row in transaction.rows("ticket_facts"):
        data = json.loads(row["data"])
        key = (row["tenant_id"], row["subject_id"], row["sequence"])
        is_held = transaction.find("held_facts", key) is not None
        told = [data.get(name) for name in ("tenant_id", "ticket_id", "sequence")]
        found.append(
            plain(
                *(row[name] for name in names),
                sha256(row["data"].encode()).digest(),
                _fate(transaction, row["outbox_id"], is_kept=is_held),
                *(None if value is None else str(value) for value in told),
            )
        )
    return found


STATEMENTS: Final[dict[str, Statement]] = {
    inventory.RULINGS: rulings,
    inventory.REJECTIONS: rejections,
    inventory.UNKNOWN_CUSTOMERS: unknown_customers,
    inventory.LETTERS: letters,
    inventory.PARTIES: parties,
}


class AuditConnection:
    """A snapshot that answers at once: nothing befalls an audit."""

    def __init__(self, database: Database) -> None:
        self.transaction = database.begin()

    async def fetch(self, sql: str, *arguments: Any) -> Any:  # noqa: ANN401  the statement's own
        return STATEMENTS[sql](self.transaction, *arguments)
