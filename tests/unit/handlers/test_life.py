"""The table of moves: which there are, who may make them, and what they leave behind."""

import re
from datetime import timedelta
from itertools import product

import pytest

from handlers.life import LIFE, MOVES, Deed, Move, Occasion, diagram, find_move, move_on, moved
from handlers.life import reopening_refusal as refused_reopening
from handlers.refusal import Refusal
from handlers.ticket import Ticket
from schemas.vocabulary import ActorType, RejectionCode, TicketStatus
from tests.unit.handlers.changing import AGENTS, CREATED, NOW, a_ticket

AFTER = {
    "open": {"in_progress", "waiting", "resolved", "closed"},
    "in_progress": {"open", "waiting", "resolved", "closed"},
    "waiting": {"open", "in_progress", "resolved", "closed"},
    "resolved": {"open", "in_progress", "closed"},
    "closed": set(),
}
"""Where an agent may move a ticket, from each status."""

PAIRS = list(product(TicketStatus, TicketStatus))


@pytest.mark.parametrize(("before", "after"), PAIRS)
@pytest.mark.parametrize("actor", AGENTS)
def test_an_agent_moves_a_ticket_as_the_table_says(
    before: TicketStatus, after: TicketStatus, actor: ActorType
) -> None:
    move = find_move(before, after, actor)
    if before is after:
        assert move is None
    elif after in AFTER[before]:
        assert isinstance(move, Move)
        assert (move.before, move.after) == (before, after)
    else:
        assert move == Refusal(
            RejectionCode.TRANSITION_NOT_ALLOWED, f"A ticket can't go from {before} to {after}."
        )


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_customer_only_reopens(before: TicketStatus, after: TicketStatus) -> None:
    move = find_move(before, after, ActorType.CUSTOMER)
    if before is after:
        assert move is None
    elif (before, after) == (TicketStatus.RESOLVED, TicketStatus.OPEN):
        assert isinstance(move, Move)
        assert move.deed is Deed.REOPENS
    else:
        assert isinstance(move, Refusal)
        is_closed = before is TicketStatus.CLOSED
        code = RejectionCode.TICKET_CLOSED if is_closed else RejectionCode.ACCESS_DENIED
        assert move.code is code


def test_every_move_and_every_occasion_is_listed_once() -> None:
    assert len(LIFE) == len(MOVES)
    occasions = [(move.occasion, move.before) for move in MOVES if move.occasion]
    assert len(set(occasions)) == len(occasions)
    assert {occasion for occasion, _ in occasions} == set(Occasion)


@pytest.mark.parametrize(
    ("occasion", "before", "after"),
    [
        (Occasion.FIRST_REPLY, "open", "in_progress"),
        (Occasion.FIRST_REPLY, "waiting", None),
        (Occasion.FIRST_REPLY, "resolved", None),
        (Occasion.CUSTOMER_MESSAGE, "resolved", "open"),
        (Occasion.CUSTOMER_MESSAGE, "waiting", None),
        (Occasion.AUTO_CLOSE, "resolved", "closed"),
        (Occasion.AUTO_CLOSE, "open", None),
    ],
)
def test_an_occasion_moves_a_ticket_from_one_status_only(
    occasion: Occasion, before: str, after: str | None
) -> None:
    move = move_on(occasion, TicketStatus(before))
    assert (None if move is None else move.after) == after


@pytest.mark.parametrize("move", MOVES, ids=lambda move: f"{move.before}-{move.after}")
def test_a_move_leaves_the_stamps_of_the_status_that_it_leads_to(move: Move) -> None:
    before = a_ticket(move.before)
    at = NOW - timedelta(minutes=30)
    after = moved(before, move, at, NOW)
    assert after.status is move.after
    was_solved = move.before is TicketStatus.RESOLVED
    match move.after:
        case TicketStatus.RESOLVED:
            assert (after.resolved_at, after.resolution_time_minutes) == (at, 60)
            assert after.closed_at is None
        case TicketStatus.CLOSED:
            assert after.closed_at == NOW
            assert after.resolved_at == (before.resolved_at if was_solved else at)
            assert after.resolution_time_minutes == (90 if was_solved else 60)
        case _:
            assert (after.resolved_at, after.resolution_time_minutes) == (None, None)
            assert after.closed_at is None


@pytest.mark.parametrize(
    ("elapsed", "minutes"),
    [
        (timedelta(), 0),
        (timedelta(seconds=59, microseconds=999_999), 0),
        (timedelta(seconds=60), 1),
        (timedelta(days=2, seconds=59), 2880),
        (-timedelta(hours=1), 0),
    ],
)
def test_the_resolution_time_counts_whole_minutes_from_the_creation(
    elapsed: timedelta, minutes: int
) -> None:
    move = LIFE[TicketStatus.OPEN, TicketStatus.RESOLVED]
    assert moved(a_ticket(), move, CREATED + elapsed, NOW).resolution_time_minutes == minutes


@pytest.mark.parametrize(
    ("ticket", "since"),
    [
        (a_ticket("resolved"), NOW),
        (a_ticket("resolved", resolved_at=None, updated_at=CREATED), CREATED),
    ],
    ids=["resolved", "resolved by others"],
)
def test_a_customer_may_reopen_to_the_last_moment_of_the_window(
    ticket: Ticket, since: object
) -> None:
    window = timedelta(days=7)
    last = (ticket.resolved_at or ticket.updated_at) + window
    assert last - window == since
    assert refused_reopening(ticket, last, window) is None
    refusal = refused_reopening(ticket, last + timedelta(microseconds=1), window)
    assert refusal is not None
    assert refusal.code is RejectionCode.REOPEN_WINDOW_PASSED
    assert "open a new ticket" in refusal.message


def test_the_diagram_is_the_table() -> None:
    lines = diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    drawn = re.findall(r"^    (\S+) --> (\S+?)(?:: (.+))?$", "\n".join(lines[1:]), re.MULTILINE)
    assert len(drawn) == len(lines) - 1
    ends = [status for status, after in AFTER.items() if not after]
    inner = [(before, after) for before, after, _ in drawn if "[*]" not in {before, after}]
    assert inner == [(move.before, move.after) for move in MOVES]
    assert {(before, after) for before, after, _ in drawn} - set(inner) == {
        ("[*]", "open"),
        *((status, "[*]") for status in ends),
    }
    labels = {(before, after): label for before, after, label in drawn}
    assert labels["open", "waiting"] == "agents"
    assert labels["resolved", "closed"] == f"agents, or {Occasion.AUTO_CLOSE}"
    assert labels["resolved", "open"].startswith("agents and the customer, or a customer's message")
