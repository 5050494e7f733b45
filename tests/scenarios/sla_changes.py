"""Tickets, and what customers, agents and partners do to them, at random."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple

from tests.records import asked
from tests.scenarios.messages import Message, change_requested, requested
from tests.scenarios.sla_tenants import PRIORITIES, TEAMS, TYPES, customers_of, partner_of


class Opened(NamedTuple):
    """A ticket, and the request for it."""

    ticket_id: str
    tenant: str
    message: Message


def opened(number: int | str, tenant: str, **fields: Any) -> Opened:  # noqa: ANN401  of a request
    """By a customer of the tenant, unless told otherwise."""
    customer_id = next(iter(customers_of(tenant)))
    fields = {"tenant_id": tenant, "customer_id": customer_id} | fields
    ticket_id = asked(number, **fields).ticket_id
    return Opened(ticket_id, tenant, requested(number, **fields))


def random_ticket(number: int, tenant: str, random: Random) -> Opened:
    fields: dict[str, Any] = {
        "customer_id": random.choice(list(customers_of(tenant))),
        "priority": random.choice(PRIORITIES),
        "ticket_type": random.choice([*TYPES, None]),
        "assigned_team": random.choice([*TEAMS, "elsewhere", None]),
    }
    if random.random() < 0.1:
        fields |= {
            "origin_type": "tenant",
            "target_type": "partner",
            "partner_id": partner_of(tenant),
            "actor": {"type": "tenant", "id": "agent-7"},
        }
    if random.random() < 0.1:
        fields["context"] = {"scheduled_visit": soon(random)}
    return opened(number, tenant, **fields)


def soon(random: Random) -> str:
    """A time shortly before or after now."""
    return (datetime.now(UTC) + timedelta(seconds=random.uniform(-2, 8))).isoformat()


def lately(random: Random) -> dict[str, str]:
    """Often it is told at once, and sometimes only some seconds later."""
    if random.random() < 0.7:
        return {}
    ago = timedelta(seconds=random.uniform(0, 4))
    return {"occurred_at": (datetime.now(UTC) - ago).isoformat()}


Fields = dict[str, Any]
Act = Callable[[Opened, Random], tuple[str, Fields]]


def status(*names: str, late: bool = False) -> Act:
    def act(_: Opened, random: Random) -> tuple[str, Fields]:
        more = lately(random) if late else {}
        return "set_status", {"status": random.choice(names), **more}

    return act


def reply(_: Opened, random: Random) -> tuple[str, Fields]:
    return "add_message", {"body": "We are on it.", **lately(random)}


def last_word(_: Opened, random: Random) -> tuple[str, Fields]:
    return "add_message", {"body": "Done.", "new_status": "resolved", **lately(random)}


def note(_: Opened, __: Random) -> tuple[str, Fields]:
    return "add_message", {"body": "A line card.", "is_internal": True}


def word(_: Opened, __: Random) -> tuple[str, Fields]:
    return "add_message", {"body": "Again!", "sender_type": "customer"}


def to_partner(ticket: Opened, _: Random) -> tuple[str, Fields]:
    return "escalate", {"to": {"partner_id": partner_of(ticket.tenant)}}


def back(_: Opened, __: Random) -> tuple[str, Fields]:
    return "escalate", {"to": {"target_type": "tenant"}}


def up(_: Opened, random: Random) -> tuple[str, Fields]:
    return "escalate", {"to": {"level": random.randint(0, 3), "team": random.choice(TEAMS)}}


def priority(_: Opened, random: Random) -> tuple[str, Fields]:
    return "set_priority", {"priority": random.choice(PRIORITIES)}


def of_type(_: Opened, random: Random) -> tuple[str, Fields]:
    return "set_fields", {"fields": {"ticket_type": random.choice([*TYPES, None])}}


def visit(_: Opened, random: Random) -> tuple[str, Fields]:
    context = random.choice([{}, {"scheduled_visit": soon(random)}])
    return "set_fields", {"fields": {"context": context}}


def assign(_: Opened, random: Random) -> tuple[str, Fields]:
    return "assign", {"assigned_team": random.choice([*TEAMS, None])}


ACTS: Final[Sequence[tuple[int, Act]]] = (
    (18, reply),
    (6, word),
    (2, note),
    (12, status("waiting")),
    (10, status("in_progress", "open")),
    (8, to_partner),
    (8, back),
    (4, up),
    (10, priority),
    (6, of_type),
    (6, visit),
    (5, assign),
    (12, status("resolved", late=True)),
    (3, last_word),
    (1, status("closed")),
)


def random_change(ticket: Opened, number: int, random: Random) -> Message:
    weights = [weight for weight, _ in ACTS]
    ((_, act),) = random.choices(ACTS, weights)
    kind, fields = act(ticket, random)
    return change_requested(
        kind,
        ticket.ticket_id,
        tenant_id=ticket.tenant,
        request_id=f"change-{number}",
        **fields,
    )
