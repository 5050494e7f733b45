"""What a batch asks and writes, on the fake database: `db.requests`, `parties`, `tickets`, ..."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from db import clocks, dead_letters, parties, policies, requests, tables, tickets
from tests.simulation.answers import Record, Statement, columns_of, picked, plain
from tests.simulation.shapes import SHAPES, texts_of, value_of_uuid
from tests.simulation.store import Transaction

TICKET_FIELDS: Final = columns_of(tickets.FIELDS)
CLOCK_FIELDS: Final = columns_of(clocks.FIELDS)
LETTER_COLUMNS: Final = tuple(dead_letters.DeadLetter._fields)

Texts = Sequence[str]


def look_up(transaction: Transaction, *arguments: Any) -> list[Record]:  # noqa: ANN401  as LOOK_UP's
    """`requests.LOOK_UP`: lists are JSON, and NULL where empty."""
    *listed, topics, partitions, firsts, lasts, tenants = arguments
    keys, customers, external_ids = (
        list(zip(texts_of(listed[at]), texts_of(listed[at + 1]), strict=True)) for at in (0, 2, 4)
    )
    partners = texts_of(listed[6])
    stretches = zip(topics, *map(_integers, (partitions, firsts, lasts)), strict=True)
    lists: list[list[list[Any]]] = [
        _decided(transaction, keys),
        _strangers(transaction, customers),
        [
            [tenant, int(number), row["id"]]
            for tenant, number in external_ids
            if (row := _by_external_id(transaction, "customers", tenant, int(number))) is not None
            and row["status"] != "deleted"
        ],
        [
            [row["id"], row["tenant_id"], row["status"]]
            for id_ in partners
            if (row := transaction.find("partners", (id_,))) is not None
        ],
        _dead(transaction, stretches),
        [
            [tenant, row["version"], row["applied_at"].isoformat()]
            for tenant in texts_of(tenants)
            if (row := newest_policy(transaction, tenant)) is not None
        ],
    ]
    number = transaction.database.next_number()
    told = [orjson.dumps(found).decode() if found else None for found in lists]
    return [plain(transaction.now, number, *told)]


def _integers(literal: str) -> list[int]:
    return [int(item) for item in texts_of(literal)]


def _decided(transaction: Transaction, keys: Iterable[tuple[Any, Any]]) -> list[list[Any]]:
    names = ("outcome", "content_hash", "topic", "partition", "offset", "ticket_id")
    return [
        [*key, *(row[name] for name in names)]
        for key in keys
        if (row := transaction.find("requests", key)) is not None
    ]


def _strangers(transaction: Transaction, wanted: Iterable[tuple[Any, Any]]) -> list[list[Any]]:
    found = []
    for tenant, customer_id in wanted:
        row = transaction.find("customers", (customer_id,))
        if row is None:
            found.append([tenant, customer_id, None, None])
        elif row["tenant_id"] != tenant or row["status"] == "deleted":
            found.append([tenant, customer_id, row["tenant_id"], row["status"]])
    return found


def _dead(
    transaction: Transaction, stretches: Iterable[tuple[str, int, int, int]]
) -> list[list[Any]]:
    rows = transaction.rows("dead_letters")
    return [
        [row["topic"], row["partition"], row["offset"], row["record_timestamp"]]
        for topic, partition, first, last in stretches
        for row in rows
        if row["topic"] == topic
        and row["partition"] == partition
        and first <= row["offset"] <= last
    ]


def newest_policy(transaction: Transaction, tenant: str | None) -> Any:  # noqa: ANN401  a row, or None
    versions = [row for row in transaction.rows("policies") if row["tenant_id"] == tenant]
    return max(versions, key=lambda row: row["version"], default=None)


def _by_external_id(transaction: Transaction, table: str, tenant: str | None, number: int) -> Any:  # noqa: ANN401  a row, or None
    return transaction.find_by(table, f"uq_{table}_tenant_id_external_id", (tenant, number))


def rejections(transaction: Transaction, tenants: Texts, ids: Texts) -> list[Record]:
    return [
        plain(id_)
        for tenant, id_ in zip(tenants, ids, strict=True)
        if transaction.find("ticket_facts", (tenant, id_, 0)) is not None
    ]


def taken_numbers(transaction: Transaction, tenants: Texts, numbers: Texts) -> list[Record]:
    return [
        plain(*value)
        for value in zip(tenants, numbers, strict=True)
        if transaction.find_by("tickets", "uq_tickets_tenant_id_ticket_number", value) is not None
    ]


async def forget_parked(transaction: Transaction, tenants: Texts, keys: Texts) -> str:
    count = 0
    for key in zip(tenants, keys, strict=True):
        found = transaction.find("requests", key)
        if found is None or found["outcome"] != "parked":
            continue
        if await transaction.lock("requests", key) is found:
            transaction.put("requests", key, None)
            count += 1
    return f"DELETE {count}"


def _ticket(transaction: Transaction, row: Any) -> Record:  # noqa: ANN401  a row
    customer = transaction.find("customers", (row["customer_id"],))
    is_theirs = customer is not None and customer["tenant_id"] == row["tenant_id"]
    number = customer["external_id"] if customer is not None and is_theirs else None
    return picked({**row, "customer_external_id": number}, TICKET_FIELDS)


async def lock_tickets(
    transaction: Transaction, tenants: Texts, ids: Texts, of_numbers: Texts, numbers: Texts
) -> list[Record]:
    """`tickets.LOCK`: which there are is as of now; what is in them, as of when each is locked."""
    keys = set(zip(tenants, map(value_of_uuid, ids), strict=True))
    for value in zip(of_numbers, numbers, strict=True):
        row = transaction.find_by("tickets", "uq_tickets_tenant_id_ticket_number", value)
        if row is not None:
            keys.add((row["tenant_id"], row["id"]))
    there = [key for key in sorted(keys) if transaction.find("tickets", key) is not None]
    return [_ticket(transaction, await transaction.lock("tickets", key)) for key in there]


def lock_free_tickets(transaction: Transaction, tenants: Texts, ids: Texts) -> list[Record]:
    return [
        _ticket(transaction, transaction.find("tickets", key))
        for key in zip(tenants, ids, strict=True)
        if transaction.find("tickets", key) is not None and transaction.lock_free("tickets", key)
    ]


def missing_tickets(transaction: Transaction, tenants: Texts, ids: Texts) -> list[Record]:
    return [
        plain(*key)
        for key in zip(tenants, ids, strict=True)
        if transaction.find("tickets", key) is None
    ]


def read_clocks(transaction: Transaction, tenants: Texts, ids: Texts) -> list[Record]:
    found = []
    rows = list(transaction.rows("sla_clocks"))
    for tenant, ticket in zip(tenants, ids, strict=True):
        for metric in ("first_response", "resolution"):
            cycles = [
                row
                for row in rows
                if (row["tenant_id"], row["ticket_id"], row["metric"]) == (tenant, ticket, metric)
            ]
            if cycles:
                found.append(picked(max(cycles, key=lambda row: row["cycle"]), CLOCK_FIELDS))
    return found


def stored_parties(table: str) -> Statement:
    async def run(
        transaction: Transaction, ids: Texts, tenants: Texts, numbers: Texts
    ) -> list[Record]:
        wanted = set(ids)
        for tenant, number in zip(tenants, numbers, strict=True):
            if (row := _by_external_id(transaction, table, tenant, int(number))) is not None:
                wanted.add(row["id"])
        there = [id_ for id_ in sorted(wanted) if transaction.find(table, (id_,)) is not None]
        rows = [await transaction.lock(table, (id_,)) for id_ in there]
        return [picked(row, parties.PARTY_COLUMNS) for row in rows if row is not None]

    return run


def release_parties(table: str) -> Statement:
    async def run(transaction: Transaction, ids: Texts) -> str:
        for id_ in ids:
            await transaction.lock(table, (id_,))
            await transaction.update(table, (id_,), external_id=None)
        return f"UPDATE {len(ids)}"

    return run


async def add_letter(transaction: Transaction, *values: Any) -> str:  # noqa: ANN401  of a DeadLetter
    given = dict(zip(LETTER_COLUMNS, values, strict=True))
    row = SHAPES["dead_letters"].complete(given, transaction.now)
    await transaction.insert("dead_letters", row)
    return "INSERT 0 1"


def newest_policies(transaction: Transaction, tenants: Texts) -> list[Record]:
    return [
        plain(tenant, row["version"], row["applied_at"].isoformat())
        for tenant in tenants
        if (row := newest_policy(transaction, tenant)) is not None
    ]


STATEMENTS: Final[dict[str, Statement]] = {
    requests.LOOK_UP: look_up,
    requests.REJECTIONS: rejections,
    requests.TAKEN_NUMBERS: taken_numbers,
    requests.FORGET_PARKED: forget_parked,
    tickets.LOCK: lock_tickets,
    tickets.LOCK_FREE: lock_free_tickets,
    tickets.MISSING: missing_tickets,
    clocks.READ: read_clocks,
    dead_letters.INSERT: add_letter,
    policies.NEWEST: newest_policies,
    parties.storing(tables.customers): stored_parties("customers"),
    parties.storing(tables.partners): stored_parties("partners"),
    parties.releasing(tables.customers): release_parties("customers"),
    parties.releasing(tables.partners): release_parties("partners"),
}
