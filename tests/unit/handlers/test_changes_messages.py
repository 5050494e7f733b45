"""Messages: the first answer, a customer who is back, and what is nobody else's business."""

from datetime import timedelta

import pytest

from handlers.changes import ChangeRules
from handlers.identity import added_message_id
from schemas.vocabulary import ActorType, RejectionCode, TicketStatus
from tests.unit.handlers.changing import (
    AGENTS,
    CREATED,
    NOW,
    a_change,
    a_ticket,
    changed,
    data,
    refusal,
    types,
)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CLOSED = (RejectionCode.TICKET_CLOSED, "The ticket is closed; please open a new ticket.")


@pytest.mark.parametrize("actor", AGENTS)
def test_the_first_public_reply_is_the_first_response(actor: ActorType) -> None:
    decision = changed(a_change("add_message", actor), a_ticket())
    assert types(decision) == ["ticket.message_added", "ticket.status_changed"]
    ticket = decision.ticket
    assert (ticket.first_response_at, ticket.last_response_at) == (NOW, NOW)
    assert ticket.status is TicketStatus.IN_PROGRESS

    later = NOW + DAY
    again = changed(a_change("add_message", actor), ticket, now=later)
    assert types(again) == ["ticket.message_added"]
    assert (again.ticket.first_response_at, again.ticket.last_response_at) == (NOW, later)


@pytest.mark.parametrize("status", ["waiting", "in_progress", "resolved"])
def test_a_first_reply_moves_only_an_open_ticket(status: str) -> None:
    decision = changed(a_change("add_message"), a_ticket(status))
    assert types(decision) == ["ticket.message_added"]
    assert decision.ticket.first_response_at == NOW


def test_a_later_reply_leaves_a_ticket_that_was_put_back() -> None:
    ticket = a_ticket(first_response_at=CREATED)
    assert changed(a_change("add_message"), ticket).ticket.status is TicketStatus.OPEN


@pytest.mark.parametrize("status", ["open", "in_progress", "waiting"])
def test_a_customers_message_is_no_answer(status: str) -> None:
    decision = changed(a_change("add_message", ActorType.CUSTOMER), a_ticket(status))
    assert types(decision) == ["ticket.message_added"]
    assert decision.ticket.status == status
    assert decision.ticket.first_response_at is None
    assert decision.ticket.last_response_at == NOW


def test_what_is_written_for_a_customer_is_the_customers_word() -> None:
    written = a_change("add_message", sender_type="customer")
    assert changed(written, a_ticket()).ticket.first_response_at is None
    assert types(changed(written, a_ticket("resolved"))) == [
        "ticket.message_added",
        "ticket.reopened",
    ]


@pytest.mark.parametrize("status", TicketStatus)
def test_an_internal_message_is_a_note_and_nothing_else(status: str) -> None:
    ticket = a_ticket(status)
    decision = changed(a_change("add_message", is_internal=True, body="secret"), ticket)
    assert types(decision) == ["ticket.message_added"]
    assert decision.ticket.status == status
    assert decision.ticket.first_response_at is None
    assert decision.ticket.last_response_at == ticket.last_response_at
    assert decision.message is not None
    assert (decision.message.body, decision.message.is_internal) == ("secret", True)
    assert "secret" not in decision.effects[0].data


def test_an_internal_message_may_move_the_ticket() -> None:
    change = a_change("add_message", is_internal=True, new_status="waiting")
    decision = changed(change, a_ticket())
    assert types(decision) == ["ticket.message_added", "ticket.status_changed"]
    assert decision.ticket.first_response_at is None


def test_a_message_is_inserted_with_what_it_came_with() -> None:
    attachment = {"name": "log.txt", "url": "https://files.example/log", "colour": "red"}
    change = a_change("add_message", attachments=[attachment])
    message = changed(change, a_ticket()).message
    assert message is not None
    assert message.id == added_message_id(change.request_key)
    assert message.attachments == (
        '[{"name":"log.txt","url":"https://files.example/log","content_type":null,"size":null}]'
    )
    plain = changed(a_change("add_message"), a_ticket()).message
    assert plain is not None
    assert (plain.attachments, plain.is_internal) == ("[]", False)


def test_the_same_change_adds_the_same_message_and_another_one_another() -> None:
    ids = [
        added_message_id(a_change("add_message", request_id=name).request_key)
        for name in ("a", "a", "b")
    ]
    assert ids[0] == ids[1] != ids[2]
    assert all(name[14] == "8" for name in ids)


@pytest.mark.parametrize(
    ("before", "new_status", "after"),
    [
        ("open", "waiting", ["ticket.message_added", "ticket.status_changed"]),
        ("open", "resolved", ["ticket.message_added", "ticket.status_changed"]),
        ("open", "closed", ["ticket.message_added", "ticket.status_changed"]),
        ("open", "open", ["ticket.message_added"]),
        ("waiting", "waiting", ["ticket.message_added"]),
        ("resolved", "in_progress", ["ticket.message_added", "ticket.reopened"]),
    ],
)
def test_a_status_that_is_named_goes_before_one_that_would_follow(
    before: str, new_status: str, after: list[str]
) -> None:
    decision = changed(a_change("add_message", new_status=new_status), a_ticket(before))
    assert types(decision) == after
    assert decision.ticket.status == new_status
    assert decision.ticket.first_response_at == NOW


def test_a_message_with_an_impossible_status_is_refused_whole() -> None:
    said = refusal(a_change("add_message", new_status="waiting"), a_ticket("resolved"))
    assert said == (
        RejectionCode.TRANSITION_NOT_ALLOWED,
        "A ticket can't go from resolved to waiting.",
    )


@pytest.mark.parametrize("actor", ActorType)
def test_a_closed_ticket_takes_no_public_message(actor: ActorType) -> None:
    assert refusal(a_change("add_message", actor), a_ticket("closed")) == CLOSED


RETURNS = {
    "a message": ("add_message", {}),
    "a message that says so": ("add_message", {"new_status": "open"}),
    "a status": ("set_status", {"status": "open"}),
}


@pytest.mark.parametrize("name", RETURNS)
def test_a_customer_reopens_within_the_window(name: str) -> None:
    kind, fields = RETURNS[name]
    change = a_change(kind, ActorType.CUSTOMER, **fields)
    ticket = a_ticket("resolved")
    last = NOW + 7 * DAY
    decision = changed(change, ticket, now=last)
    assert types(decision)[-1] == "ticket.reopened"
    after = decision.ticket
    assert after.status is TicketStatus.OPEN
    assert (after.resolved_at, after.resolution_time_minutes) == (None, None)
    assert data(decision)[-1]["changes"]["status"] == {"from": "resolved", "to": "open"}
    assert refusal(change, ticket, now=last + MINUTE) == (
        RejectionCode.REOPEN_WINDOW_PASSED,
        "The ticket was resolved too long ago to be reopened; please open a new ticket.",
    )


@pytest.mark.parametrize("name", RETURNS)
def test_a_customer_opens_a_new_ticket_once_it_is_closed(name: str) -> None:
    kind, fields = RETURNS[name]
    change = a_change(kind, ActorType.CUSTOMER, **fields)
    assert refusal(change, a_ticket("closed")) == CLOSED


def test_the_window_is_the_tenants() -> None:
    rules = ChangeRules(reopen_window=timedelta(hours=1))
    change = a_change("add_message", ActorType.CUSTOMER)
    changed(change, a_ticket("resolved"), now=NOW + 60 * MINUTE, rules=rules)
    assert refusal(change, a_ticket("resolved"), now=NOW + 61 * MINUTE, rules=rules)[0] == (
        RejectionCode.REOPEN_WINDOW_PASSED
    )


def test_when_it_happened_does_not_hold_the_window_open() -> None:
    change = a_change("add_message", ActorType.CUSTOMER, occurred_at=NOW.isoformat())
    assert refusal(change, a_ticket("resolved"), now=NOW + 8 * DAY)[0] == (
        RejectionCode.REOPEN_WINDOW_PASSED
    )


@pytest.mark.parametrize("status", ["open", "in_progress"])
@pytest.mark.parametrize("actor", AGENTS)
def test_an_agent_reopens_at_any_time(actor: ActorType, status: str) -> None:
    change = a_change("set_status", actor, status=status)
    decision = changed(change, a_ticket("resolved"), now=NOW + 99 * DAY)
    assert types(decision) == ["ticket.reopened"]
    assert decision.ticket.resolved_at is None
