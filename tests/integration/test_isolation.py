"""The service serves all tenants over one role: its isolation is that every statement has a key.

What a batch of every kind and the sweeps say to PostgreSQL is looked at, and so is every other
statement on file in the service (`keyed_statements` says how). What can't keep to a tenant is
listed below, one by one, with its reason; a reason that no statement needs fails the test too.
"""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Iterator
from itertools import product
from types import ModuleType
from typing import Any, Final

import orjson
import pytest
from sqlalchemy import text

import consumer
import db
import handlers
from db import (
    clocks,
    closing,
    held_facts,
    inventory,
    letter_retention,
    letters,
    outbox,
    parked,
    parties,
    policies,
    ticket_reading,
    tickets,
)
from db import requests as arbiter
from db.rights import TENANT_RIGHTS, TENANT_TABLES
from db.tables import customers, partners
from handlers.batch import Entry
from handlers.identity import ticket_number
from handlers.outcomes import Rules
from tests.integration.batch_stage import BatchStage, staged
from tests.integration.keyed_statements import REACHED, TENANTS_OWN, astray
from tests.integration.recorded import RecordedPool
from tests.integration.tenant_login import be, tenant_sessions
from tests.records import asked, broken, customer_change, in_days, partner_change, wanted
from tests.scenarios.messages import ANNA, NORTH, party_id

pytestmark = pytest.mark.integration

SOUTH = "south"

BY_ID = (
    "ids of parties are unique over all tenants (DESIGN 1.2), and whose an id is must be known to"
    " refuse it: its tenant is compared in handlers, nothing else of it is told"
)
RELAY = "the relay publishes what every tenant committed: by outbox number, not by ticket"
LETTERS = "a record that can't be read has no tenant: dead letters are kept by topic and offset"
SWEEP = "a timer looks at all tenants for what is due, then decides each under its tenant's key"
AUDIT = "operators' audits compare everything with everything"

PARTIES: Final = (customers, partners)

EXCEPTIONS: Final = {
    (arbiter.LOOK_UP, "customers"): BY_ID,
    (arbiter.LOOK_UP, "partners"): BY_ID,
    (arbiter.LOOK_UP, "dead_letters"): LETTERS,
    (parties.storing(customers), "customers"): BY_ID,
    (parties.storing(partners), "partners"): BY_ID,
    (parties.releasing(customers), "customers"): BY_ID,
    (parties.releasing(partners), "partners"): BY_ID,
    (parties.replacing(customers, ""), "customers"): BY_ID,
    (parties.replacing(partners, ""), "partners"): BY_ID,
    (parked.START_GRACE, "parked_requests"): SWEEP,
    (parked.DUE, "parked_requests"): SWEEP,
    (parked.DUE, "customers"): BY_ID,
    (parked.NEXT_EXPIRY, "parked_requests"): SWEEP,
    ("SELECT count(*) FROM parked_requests", "parked_requests"): "a figure for operators",
    (closing.LOOK, "policies"): SWEEP,
    (policies.OF_ALL_TENANTS, "policies"): "`doctor` looks whether every tenant's is understood",
    (clocks.LOOK, "sla_clocks"): SWEEP,
    (outbox.FACTS, "ticket_facts"): RELAY,
    (held_facts.COUNT, "held_facts"): RELAY,
    (held_facts.MISSING_TOPICS, "held_facts"): RELAY,
    (held_facts.WAITING, "held_facts"): RELAY,
    (letters.WRITTEN_WITH, "dead_letters"): LETTERS,
    (letters.LETTER, "dead_letters"): LETTERS,
    (letters.SET_ERRORS, "dead_letters"): LETTERS,
    (letters.TOPICS_WITHOUT_DLQ, "dead_letters"): LETTERS,
    (letters.WAITING, "dead_letters"): LETTERS,
    (letter_retention.REMOVE, "dead_letters"): LETTERS,
}
"""(statement, table): why it is not reached by tenant."""

MADE: Final = {
    arbiter.settling(("tenant_id", "request_key", "outcome"), ""),
    tickets.updating(("tenant_id", "id", "status"), ""),
    clocks.putting(("tenant_id", "ticket_id", "metric", "cycle", "state"), ""),
    *(make(table) for make in (parties.storing, parties.releasing) for table in PARTIES),
    *(parties.replacing(table, "") for table in PARTIES),
}
"""Statements that functions make."""

OPERATORS: Final = {
    "clock_reading": "operators look at the clocks of all tenants, unless they name one",
    "inventory": AUDIT,
    "loose_ends": AUDIT,
    "past_facts": "operators send the facts of all tenants again, unless they name one",
    "held_release": "operators let go what is held of all tenants, unless they name one",
    "party_reading": "operators compare what the topics say with the parties of all tenants",
    "status": "figures for operators, of all tenants together",
    "dead_letter_reading": LETTERS,
    "letter_search": LETTERS,
    "letter_steps": LETTERS,
    "replays": LETTERS,
    "request_reading": "operators name a request or record, and a tenant only where several match",
    "ticket_reading": "operators name a number, and a tenant only where several match",
}
"""Modules whose statements only the command line sends: why they reach beyond a tenant."""


def excused(statement: str, table: str) -> tuple[str, str] | None:
    """The exception that covers it."""
    for known, its_table in EXCEPTIONS:
        beginning = known.partition("FROM ()")[0]  # what is made of rows goes on otherwise
        if its_table == table and statement.startswith(beginning):
            return known, its_table
    return None


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Those of the service; without what only operators use."""
    for found in pkgutil.iter_modules(package.__path__):
        if not found.ispkg and found.name not in OPERATORS:
            yield importlib.import_module(f"{package.__name__}.{found.name}")


def statements_of(module: ModuleType) -> Iterator[str]:
    """Its constants, put together as they are sent, and what is written in its functions."""
    for name, value in vars(module).items():
        if name.isupper() and isinstance(value, str) and value.split()[:1]:
            yield value
    tree = ast.parse(inspect.getsource(module))
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def is_whole(statement: str) -> bool:
    """Whether it is a statement, not a part of one, nor other text."""
    return statement.lstrip().startswith(("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "))


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    """A database that knows Anna in the north, and Berta and a partner in the south."""
    async with staged(module_database) as ready:
        await ready.know("Anna", external_id=7)
        await ready.know("Berta", tenant_id=SOUTH, external_id=7)
        await ready.know_partner("Cable & Co")
        await ready.know_partner("Foreign", tenant_id=SOUTH)
        yield ready


@pytest.mark.parametrize("copy_from", [1, 1_000_000])
async def test_every_statement_of_the_service_keeps_to_its_tenant(
    stage: BatchStage, copy_from: int
) -> None:
    pool = RecordedPool(stage.pool)
    stage.watched.pool = pool
    gold = {"name": "gold", "when": {"customer_tier": ["gold"]}, "then": {"team": "vip"}}
    document = {"teams": {"vip": []}, "routing": [gold], "settings": {"auto_close_days": 1}}
    async with pool.acquire() as connection:
        for version in (1, 2):
            await policies.add(connection, NORTH, version, orjson.dumps(document).decode())
        await policies.find(connection, NORTH)
    opening = asked(1, 0)
    batch: list[Entry] = [
        customer_change("Greta", external_id=9),
        customer_change("Anna", external_id=8, tier="gold"),
        partner_change("Cable & Co", tier="gold"),
        opening,
        asked(2, 1, customer_id=8),
        asked(3, 2, target_type="platform"),
        asked(4, 3, customer_id=party_id("late")),
        broken(4),
        wanted("set_status", opening.ticket_id, 0, status="resolved"),
        wanted("add_message", None, 1, body="?", ticket_number=ticket_number(opening.ticket_id)),
        wanted("escalate", opening.ticket_id, 2, to={"partner_id": party_id("Foreign")}),
    ]
    found = await stage.settle(batch, copy_from=copy_from)
    assert found[3:] == [
        *("created", "created", "rejected", "parked", "dead_lettered"),
        *("changed", "changed", "rejected"),
    ]
    again: list[Entry] = [
        asked(3, 9),
        customer_change("Greta", 1, external_id=8, updated_at="2099-01-01T00:00:00Z"),
        wanted("set_status", opening.ticket_id, 3, status="closed"),
    ]
    await stage.settle(again, copy_from=copy_from)
    off = Rules(customers_required=False)
    await stage.settle([asked(5, 10, customer_id=party_id("new"))], rules=off, copy_from=copy_from)
    await stage.settle([customer_change("late")], copy_from=copy_from)
    await stage.sweep(copy_from=copy_from)
    async with pool.acquire() as connection:
        claims = await outbox.claim(connection, limit=100)
        ids = [claim.id for claim in claims]
        facts = await outbox.facts_of(connection, ids)
        await outbox.delete(connection, ids)
    assert {row["tenant_id"] for row in facts} == {NORTH}
    said = {
        f"{statement} ({', '.join(arguments[0])})" if statement.startswith("COPY ") else statement
        for statement, arguments in pool.said
    }
    assert len(said) > 20
    lost = [
        (table, statement)
        for statement in sorted(said)
        for table in astray(statement)
        if excused(statement, table) is None
    ]
    assert lost == []
    assert {"tickets", "requests", "ticket_facts", "ticket_messages"} <= {
        match[2] for statement in said for match in REACHED.finditer(statement)
    }


def test_every_statement_on_file_keeps_to_its_tenant_or_says_why_not() -> None:
    statements = {
        statement
        for module in (*modules(db), *modules(handlers), *modules(consumer))
        for statement in statements_of(module)
        if is_whole(statement)
    }
    statements |= MADE
    lost = {(statement, table) for statement in statements for table in astray(statement)}
    assert lost == set(EXCEPTIONS)


def test_no_reason_outlives_its_module() -> None:
    assert set(OPERATORS) <= {found.name for found in pkgutil.iter_modules(db.__path__)}
    assert astray(inventory.FACTS)


async def rows_of(stage: BatchStage, tenant_id: str) -> dict[str, list[str]]:
    """Everything that is on record for a tenant, byte by byte."""
    found = {}
    for table in sorted(TENANTS_OWN):
        rows = await stage.ask(
            f"SELECT to_jsonb(t)::text FROM {table} t WHERE tenant_id = $1 ORDER BY 1",  # noqa: S608  names of ours
            tenant_id,
        )
        found[table] = [row for (row,) in rows]
    return found


CHANGES: Final[dict[str, dict[str, object]]] = {
    "add_message": {"body": "mine"},
    "set_status": {"status": "closed"},
    "assign": {"assigned_team": "mine"},
    "set_priority": {"priority": "urgent"},
    "set_fields": {"fields": {"context": {}}},
    "escalate": {"to": {"level": 2, "partner_id": party_id("Foreign")}},
    "rate": {"rating": 1},
}
INTRUDERS: Final = (
    {"type": "customer", "id": party_id("Berta")},
    {"type": "customer", "id": ANNA},
    {"type": "customer", "id": "7"},
    {"type": "tenant", "id": "agent"},
    {"type": "partner", "id": party_id("Foreign")},
    {"type": "partner", "id": party_id("Cable & Co")},
    {"type": "platform", "id": "operator"},
)


async def test_no_door_leads_to_another_tenants_ticket(stage: BatchStage) -> None:
    """Whoever asks, whatever for, by id and by number: as if there were no such ticket."""
    opening = asked(
        1, 0, origin_type="tenant", target_type="partner", partner_id=party_id("Cable & Co")
    )
    assert await stage.settle([opening]) == ["created"]
    before = await rows_of(stage, NORTH)
    number = ticket_number(opening.ticket_id)
    attempts: list[Entry] = []
    for (kind, fields), actor in product(CHANGES.items(), INTRUDERS):
        shared: dict[str, Any] = {**fields, "actor": actor, "tenant_id": SOUTH}
        first = len(attempts)
        attempts += [
            wanted(kind, opening.ticket_id, first, **shared),
            wanted(kind, None, first + 1, ticket_number=number, **shared),
        ]
    assert set(await stage.settle(attempts)) == {"rejected"}
    assert await rows_of(stage, NORTH) == before
    codes = await stage.ask("SELECT DISTINCT code FROM requests WHERE tenant_id = $1", SOUTH)
    assert [code for (code,) in codes] == ["ticket_not_found"]
    told = await stage.ask("SELECT data FROM ticket_facts WHERE tenant_id = $1", SOUTH)
    assert {orjson.loads(data)["message"] for (data,) in told} == {
        f"Ticket {opening.ticket_id} not found",
        f"Ticket {number} not found",
    }


async def test_a_bound_topic_reaches_only_its_own_tenant(stage: BatchStage) -> None:
    """What it claims is refused under the bound tenant; the claimed one is not touched."""
    opening = asked(1, 0)
    assert await stage.settle([opening]) == ["created"]
    before = await rows_of(stage, NORTH)
    batch: list[Entry] = [
        wanted("set_status", opening.ticket_id, 0, status="closed", bound=SOUTH),
        wanted("set_status", opening.ticket_id, 1, status="closed", bound=SOUTH, tenant_id=SOUTH),
        asked(1, 2, bound=SOUTH),
    ]
    assert await stage.settle(batch) == ["rejected"] * 3
    assert await rows_of(stage, NORTH) == before
    codes = await stage.ask("SELECT code FROM requests WHERE tenant_id = $1 ORDER BY 1", SOUTH)
    assert [code for (code,) in codes] == ["tenant_mismatch", "tenant_mismatch", "ticket_not_found"]


async def test_readers_find_nothing_under_another_tenant(stage: BatchStage) -> None:
    opening = asked(1, 0)
    assert await stage.settle([opening]) == ["created"]
    number = ticket_number(opening.ticket_id)
    for tenant_id, times in ((NORTH, 1), (SOUTH, 0)):
        for question, name in (
            (ticket_reading.BY_NUMBER, number),
            (ticket_reading.MESSAGES, opening.ticket_id),
            (ticket_reading.TIMELINE, opening.ticket_id),
        ):
            assert len(await stage.ask(question, tenant_id, name)) == times


async def test_every_table_with_a_tenant_is_under_row_level_security(
    stage: BatchStage, module_database: str
) -> None:
    """A tenant's role sees its own rows of each, and without a tenant none."""
    assert set(TENANT_TABLES) == TENANTS_OWN
    for offset, (tenant_id, name) in enumerate(((NORTH, "Anna"), (SOUTH, "Berta"))):
        async with stage.transaction() as connection:
            await policies.add(connection, tenant_id, 1, "{}")
        visited = {"scheduled_visit": in_days(100)}  # so that clocks have a history
        own: dict[str, Any] = {"tenant_id": tenant_id}
        batch: list[Entry] = [
            asked(1, 10 * offset, customer_id=party_id(name), context=visited, **own),
            asked(2, 10 * offset + 1, customer_id=99, **own),
        ]
        assert await stage.settle(batch) == ["created", "parked"]
    readable = [table for table in TENANT_TABLES if "SELECT" in TENANT_RIGHTS[table]]
    unused = {"held_facts", "dead_letters"}
    async with tenant_sessions(module_database) as sessions, sessions() as session:
        for named in ("", NORTH, SOUTH):
            if named:
                await be(session, named)
            for table in readable:
                seen = await session.scalars(text(f"SELECT DISTINCT tenant_id FROM {table}"))  # noqa: S608  names of ours
                expected = [named] if named and table not in unused else []
                assert list(seen) == expected, table


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM tickets WHERE id = $1",
        "SELECT * FROM tickets t WHERE t.id = $1",
        "SELECT FROM tickets t JOIN ticket_messages m ON m.ticket_id = t.id WHERE t.tenant_id = $1",
        "SELECT FROM tickets t, (SELECT FROM tickets t WHERE t.id = $1) x WHERE t.tenant_id = $2",
        'UPDATE tickets t SET "tenant" = 1 FROM unnest($1) r WHERE t.id = r.id',
        "DELETE FROM requests WHERE request_key = $1",
        "INSERT INTO ticket_facts (subject_id) SELECT 1",
        "COPY requests (request_key)",
    ],
)
def test_the_look_finds_what_is_astray(statement: str) -> None:
    assert astray(statement)
