"""What timers and the watch over party topics ask and write, on the fake database."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from db import clocks, closing, parked, parties
from tests.simulation.answers import Record, Statement, plain
from tests.simulation.shapes import SHAPES, Row
from tests.simulation.store import Transaction

CLAIM_FIELDS: Final = (
    *("tenant_id", "request_key", "topic", "partition", "offset", "record_timestamp", "key"),
    *("value", "header_names", "header_values", "expired"),
)
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
PARKED_COLUMNS: Final = tuple(parked.ParkedRequest._fields)

Texts = Sequence[str]


async def park(transaction: Transaction, *values: Any) -> str:  # noqa: ANN401  of a ParkedRequest
    await transaction.insert("parked_requests", dict(zip(PARKED_COLUMNS, values, strict=True)))
    return "INSERT 0 1"


def start_grace(transaction: Transaction) -> str:
    count = 0
    for row in transaction.rows("parked_requests"):
        key = SHAPES["parked_requests"].key_of(row)
        if (
            row["grace_started_at"] is None
            and _is_read(transaction, json.loads(row["party_ends"]))
            and transaction.lock_free("parked_requests", key)
        ):
            newest = transaction.find("parked_requests", key)
            if newest is not None:
                started = {**newest, "grace_started_at": transaction.now}
                transaction.put("parked_requests", key, started)
                count += 1
    return f"UPDATE {count}"


def _is_read(transaction: Transaction, ends: dict[str, dict[str, int]]) -> bool:
    for topic, partitions in ends.items():
        for partition, end in partitions.items():
            found = transaction.find("party_positions", (topic, int(partition)))
            if end > (0 if found is None else found["position"]):
                return False
    return True


def _is_expired(transaction: Transaction, row: Row, grace: float) -> bool:
    started = row["grace_started_at"]
    return started is not None and started + timedelta(seconds=grace) <= transaction.now


def _is_known(transaction: Transaction, row: Row) -> bool:
    if "-" in row["customer_ref"]:
        found = transaction.find("customers", (row["customer_ref"],))
        is_theirs = found is not None and found["tenant_id"] == row["tenant_id"]
    else:
        value = (row["tenant_id"], int(row["customer_ref"]))
        found = transaction.find_by("customers", "uq_customers_tenant_id_external_id", value)
        is_theirs = found is not None
    return found is not None and is_theirs and found["status"] != "deleted"


def due(transaction: Transaction, grace: float, limit: int) -> list[Record]:
    rows = [
        row
        for row in transaction.rows("parked_requests")
        if _is_expired(transaction, row, grace) or _is_known(transaction, row)
    ]
    rows.sort(key=lambda row: (row["parked_at"], row["tenant_id"], row["request_key"]))
    return [
        plain(row["tenant_id"], row["request_key"], len(row["value"] or b""))
        for row in rows[:limit]
    ]


def claim(transaction: Transaction, tenants: Texts, keys: Texts, grace: float) -> list[Record]:
    found = []
    for key in zip(tenants, keys, strict=True):
        if transaction.find("parked_requests", key) is None:
            continue
        if not transaction.lock_free("parked_requests", key):
            continue
        row = transaction.find("parked_requests", key)
        if row is not None:
            values = {**row, "expired": _is_expired(transaction, row, grace)}
            found.append(Record.of(CLAIM_FIELDS, [values[name] for name in CLAIM_FIELDS]))
    return found


async def remove(transaction: Transaction, tenants: Texts, keys: Texts) -> str:
    gone = [
        await transaction.delete("parked_requests", key) for key in zip(tenants, keys, strict=True)
    ]
    return f"DELETE {sum(gone)}"


def next_expiry(transaction: Transaction, grace: float) -> list[Record]:
    started = [
        row["grace_started_at"]
        for row in transaction.rows("parked_requests")
        if row["grace_started_at"] is not None
    ]
    if not started:
        return [plain(None)]
    return [plain((min(started) - transaction.now).total_seconds() + grace)]


def count_parked(transaction: Transaction) -> list[Record]:
    return [plain(len(list(transaction.rows("parked_requests"))))]


async def record_positions(
    transaction: Transaction, topics: Texts, partitions: Sequence[int], positions: Sequence[int]
) -> str:
    for topic, partition, position in sorted(zip(topics, partitions, positions, strict=True)):
        key = (topic, partition)
        row: dict[str, Any] = {"topic": topic, "partition": partition, "position": position}
        row["recorded_at"] = transaction.now
        if not await transaction.insert_new("party_positions", row):
            newest = await transaction.lock("party_positions", key)
            assert newest is not None
            furthest = max(position, newest["position"])
            await transaction.update(
                "party_positions", key, position=furthest, recorded_at=transaction.now
            )
    return f"INSERT 0 {len(topics)}"


async def add_unlisted(transaction: Transaction, tenants: Texts, ids: Texts) -> str:
    shape, count = SHAPES["customers"], 0
    for tenant, id_ in zip(tenants, ids, strict=True):
        values = {"id": id_, "tenant_id": tenant, "status": "unverified", "updated_at": BEGINNING}
        row = shape.complete(values, transaction.now)
        count += await transaction.insert_new("customers", row)
    return f"INSERT 0 {count}"


def look_at_clocks(transaction: Transaction, limit: int, held: int) -> list[Record]:
    running = sorted(
        (row["next_fire_at"], row["tenant_id"], row["ticket_id"])
        for row in transaction.rows("sla_clocks")
        if row["next_fire_at"] is not None
    )
    past = [each for each in running if each[0] < transaction.now]
    found = [plain(tenant, ticket, None) for _, tenant, ticket in past[held : held + limit]]
    if len(past) < len(running):
        seconds = (running[len(past)][0] - transaction.now).total_seconds()
        found.append(plain(None, None, seconds))
    return found


def look_at_resolved(transaction: Transaction, limit: int) -> list[Record]:
    """`closing.LOOK`: no tenant of the simulation has a policy, so nothing closes by itself."""
    assert not list(transaction.rows("policies")), limit
    return [plain(None, None)]


STATEMENTS: Final[dict[str, Statement]] = {
    parked.INSERT: park,
    parked.START_GRACE: start_grace,
    parked.DUE: due,
    parked.CLAIM: claim,
    parked.REMOVE: remove,
    parked.NEXT_EXPIRY: next_expiry,
    parties.ADD_UNLISTED: add_unlisted,
    clocks.LOOK: look_at_clocks,
    closing.LOOK: look_at_resolved,
}

BEGINNINGS: Final[dict[str, Statement]] = {
    "INSERT INTO party_positions": record_positions,
    "SELECT count(*) FROM parked_requests": count_parked,
}
"""Statements that have no name in `db`, by how they begin."""
