"""What is published of a change, to the letter."""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.change_facts import TOLD, Cause, Step, difference, facts_of, same, status_step, steps
from handlers.identity import added_message_id
from handlers.life import LIFE, Occasion, move_on
from handlers.ticket import Ticket
from schemas.ticket_updated import TicketUpdated
from schemas.vocabulary import TicketStatus
from tests.unit.handlers.changing import (
    CREATED,
    NOW,
    TICKET,
    a_change,
    a_ticket,
    changed,
    data,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)
BOOKKEEPING = {
    *("id", "number", "tenant_id", "origin_type", "customer_id", "customer_external_id"),
    *("created_at", "updated_at", "last_change_at", "last_response_at"),
    *("sequence", "last_change_sequence", "sla_breached", "clocks"),
}


def test_a_first_reply_is_told_as_a_message_and_a_move() -> None:
    change = a_change("add_message", request_id=" r-9 ", occurred_at="2026-03-01T13:00:00Z")
    shared = {
        "ticket_id": TICKET,
        "ticket_number": "TCK-1B9D6BCDBBFD",
        "tenant_id": "north",
        "request_id": "r-9",
        "actor": {"type": "tenant", "id": "agent-7"},
        "occurred_at": "2026-03-01T13:00:00.000000+00:00",
        "updated_at": "2026-03-01T13:30:00.000000+00:00",
    }
    assert data(changed(change, a_ticket(sequence=4))) == [
        shared
        | {
            "message": {
                "message_id": added_message_id(change.request_key),
                "body": "Any news?",
                "sender_type": "tenant",
                "is_internal": False,
            },
            "changes": {
                "first_response_at": {"from": None, "to": "2026-03-01T13:00:00.000000+00:00"}
            },
            "sequence": 5,
        },
        shared
        | {
            "message": None,
            "changes": {"status": {"from": "open", "to": "in_progress"}},
            "sequence": 6,
        },
    ]


def test_an_actor_is_told_as_it_called_itself() -> None:
    change = a_change("add_message", {"type": "CUSTOMER", "id": "42"}, request_id=...)
    (fact,) = data(changed(change, a_ticket()))
    assert (fact["actor"], fact["request_id"]) == ({"type": "customer", "id": "42"}, None)


def test_what_is_internal_is_never_published() -> None:
    change = a_change("add_message", is_internal=True, body="He owes us money.")
    (fact,) = data(changed(change, a_ticket()))
    assert fact["message"]["body"] is None
    assert fact["message"]["is_internal"] is True
    assert fact["changes"] == {}


def test_integers_of_any_size_are_told_exactly() -> None:
    change = a_change("set_fields", fields={"context": {"serial": 2**80}})
    (fact,) = data(changed(change, a_ticket(closed_at=None)))
    assert fact["changes"]["context"] == {"from": {}, "to": {"serial": 2**80}}


def test_what_time_brings_about_is_told_by_the_same_means() -> None:
    """The auto-close timer has no change, and leaves last_change_sequence alone."""
    ticket = a_ticket("resolved", sequence=7, last_change_sequence=7)
    move = move_on(Occasion.AUTO_CLOSE, ticket.status)
    assert move is not None
    later = NOW + timedelta(days=14)
    cause = Cause("system", "auto-close", None)
    after, effects = facts_of(
        [status_step(ticket, move, later, later)], ticket, cause, at=later, now=later
    )
    (effect,) = effects
    fact = TicketUpdated.model_validate_json(effect.data)
    assert (fact.actor.type, fact.sequence) == ("system", 8)
    assert (after.sequence, after.last_change_sequence) == (8, 7)
    assert (after.status, after.resolved_at, after.closed_at) == (TicketStatus.CLOSED, NOW, later)


def test_every_field_of_a_ticket_is_told_or_keeps_the_books() -> None:
    names = {field.name for field in fields(Ticket)}
    assert set(TOLD) | BOOKKEEPING == names
    assert not set(TOLD) & BOOKKEEPING


@pytest.mark.parametrize("move", LIFE.values(), ids=lambda move: f"{move.before}-{move.after}")
def test_a_move_is_told_with_all_that_it_sets(move: Any) -> None:  # noqa: ANN401  a Move
    before = a_ticket(move.before)
    step = status_step(before, move, NOW, NOW)
    assert isinstance(step, Step)
    is_reopening = move.before == "resolved" and move.after != "closed"
    assert step.ce_type == ("ticket.reopened" if is_reopening else "ticket.status_changed")
    told = {name: change["to"] for name, change in step.changes.items()}
    assert told.keys() == {name for name in TOLD if differs(before, step.ticket, name)}
    assert told["status"] == move.after


def differs(before: Ticket, after: Ticket, name: str) -> bool:
    one: object = getattr(before, name)
    other: object = getattr(after, name)
    return one != other


def test_no_difference_is_no_step() -> None:
    ticket = a_ticket()
    assert steps("ticket.assigned", ticket, replace(ticket)) == []
    assert difference(ticket, replace(ticket, last_response_at=NOW, affected_services=())) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (False, 0),
        ({"a": 1}, {"a": True}),
        ([], {}),
        ([1], [1, 1]),
        ({"a": None}, {}),
        ("1", 1),
        (None, ""),
    ],
)
def test_values_that_only_look_alike_differ(one: object, other: object) -> None:
    assert not same(one, other)
    assert not same(other, one)


@given(JSON, JSON)
def test_two_values_are_the_same_as_their_json_is(one: object, other: object) -> None:
    assert same(one, one)
    assert same(one, other) is same(other, one)
    assert same({"a": [one]}, {"a": (other,)}) is same(one, other)
    if same(one, other):
        assert one == other


def test_a_time_is_told_to_the_microsecond() -> None:
    before, after = a_ticket(), a_ticket(sla_due_date=datetime(2026, 1, 2, tzinfo=CREATED.tzinfo))
    assert difference(before, after) == {
        "sla_due_date": {
            "from": "2026-03-04T12:00:00.000000+00:00",
            "to": "2026-01-02T00:00:00.000000+00:00",
        }
    }
