"""When a ticket closes by itself, and what is told of it."""

from datetime import timedelta

import orjson
import pytest

from handlers.closing import close_ticket
from schemas.vocabulary import TicketStatus
from tests.unit.handlers.changing import NOW, a_ticket

STAY = timedelta(days=3)
MOMENT = timedelta(microseconds=1)


def test_it_closes_when_the_time_is_over_and_not_a_moment_earlier() -> None:
    ticket = a_ticket("resolved")
    assert close_ticket(ticket, NOW + STAY - MOMENT, STAY) is None
    closed = close_ticket(ticket, NOW + STAY, STAY)
    assert closed is not None
    assert (closed.ticket.status, closed.ticket.closed_at) == ("closed", NOW + STAY)
    assert (closed.ticket.resolved_at, closed.ticket.resolution_time_minutes) == (NOW, 90)


def test_one_fact_tells_it_and_names_the_system() -> None:
    closed = close_ticket(a_ticket("resolved", sequence=8), NOW + STAY, STAY)
    assert closed is not None
    ((ce_type, sequence, data, _),) = closed.effects
    assert (ce_type, sequence, closed.ticket.sequence) == ("ticket.status_changed", 9, 9)
    told = orjson.loads(data)
    assert told["actor"] == {"type": "system", "id": None}
    assert (told["request_id"], told["message"]) == (None, None)
    assert told["changes"].keys() == {"status", "closed_at"}


@pytest.mark.parametrize("status", [each for each in TicketStatus if each != "resolved"])
def test_no_other_ticket_closes(status: str) -> None:
    assert close_ticket(a_ticket(status, resolved_at=NOW), NOW + STAY, STAY) is None


def test_none_closes_that_was_resolved_nobody_knows_when() -> None:
    assert close_ticket(a_ticket("resolved", resolved_at=None), NOW + STAY, STAY) is None


def test_a_tickets_time_never_goes_back() -> None:
    """Whoever changed it last had begun later than this transaction."""
    later = NOW + STAY + timedelta(seconds=1)
    closed = close_ticket(a_ticket("resolved", updated_at=later), NOW + STAY, STAY)
    assert closed is not None
    assert (closed.ticket.closed_at, closed.ticket.updated_at) == (later, later)


@pytest.mark.parametrize("last", [NOW, None], ids=["on record", "not on record"])
def test_an_actors_last_change_stays_what_it_was(last: object) -> None:
    ticket = a_ticket("resolved", last_change_at=last, last_change_sequence=1, sequence=2)
    closed = close_ticket(ticket, NOW + STAY, STAY)
    assert closed is not None
    assert closed.ticket.last_change_sequence == 1
    assert closed.ticket.last_change_at == (last or ticket.updated_at)
